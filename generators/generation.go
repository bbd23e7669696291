package generators

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// GenerationMark stands for the generation while files are rendered: the hash of all of them, which isn't known
// before. No token and no comment of a configuration has a NUL.
const GenerationMark = "\x00generation\x00"

// DataVersion is the version of what templates are given. It is raised when a name in it goes or means something else;
// what is new doesn't raise it.
const DataVersion = 1

// Stamp puts the generation in place of its mark: the hash of all paths and contents.
func Stamp(files []File) []File {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %d\n", f.Path, len(f.Data))
		h.Write(f.Data)
	}
	generation := []byte(hex.EncodeToString(h.Sum(nil)))
	for i := range files {
		if bytes.Contains(files[i].Data, []byte(GenerationMark)) {
			files[i].Data = bytes.ReplaceAll(files[i].Data, []byte(GenerationMark), generation)
		}
	}
	return files
}
