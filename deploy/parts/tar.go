package parts

import (
	"archive/tar"
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Tar makes a tar file of files by their names, all of a time and root's. A name that ends in / is a folder that is there for its own sake.
// Files have mode 0644 and folders 0755 unless modes says otherwise. Every name gets a prefix, "" or "./".
func Tar(at time.Time, prefix string, files map[string][]byte, modes map[string]int64) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	folders := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, folder := range above(name) {
			if folders[folder] {
				continue
			}
			folders[folder] = true
			mode, special := modes[folder+"/"]
			if !special {
				mode = 0o755
			}
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: prefix + folder + "/", Mode: mode, ModTime: at}); err != nil {
				return nil, err
			}
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		mode, special := modes[name]
		if !special {
			mode = 0o644
		}
		head := &tar.Header{Typeflag: tar.TypeReg, Name: prefix + name, Mode: mode, Size: int64(len(files[name])), ModTime: at}
		if err := w.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// above are the folders of a file, the outermost first.
func above(name string) []string {
	var out []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}
