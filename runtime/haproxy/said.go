package haproxy

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
)

// said passes on what HAProxy says, a line at a time, without the two lines that a worker ends each spare section with.
type said struct {
	out  io.Writer
	rest []byte
}

func (s *said) Write(text []byte) (int, error) {
	s.rest = append(s.rest, text...)
	whole := bytes.LastIndexByte(s.rest, '\n') + 1
	var kept []byte
	for line := range bytes.Lines(s.rest[:whole]) {
		if !bytes.Contains(line, []byte("Proxy "+haproxy.SparePrefix)) || !bytes.Contains(line, []byte(" stopped (")) {
			kept = append(kept, line...)
		}
	}
	s.rest = append(s.rest[:0], s.rest[whole:]...)
	if len(kept) == 0 {
		return len(text), nil
	}
	_, err := s.out.Write(kept)
	return len(text), err
}

// ownNames puts into a message about the configuration in a folder the key pair's own file where HAProxy names
// the copy that stands first in a list: who reads it looks for a certificate of theirs.
func ownNames(dir, message string) string {
	copies, err := filepath.Glob(filepath.Join(dir, "defaults", "*.pem"))
	if err != nil {
		return message // The pattern is fine.
	}
	for _, path := range copies {
		name := "defaults/" + filepath.Base(path)
		if !strings.Contains(message, name) {
			continue
		}
		if own := sameFile(path, filepath.Join(dir, "certificates")); own != "" {
			message = strings.ReplaceAll(message, name, "certificates/"+own)
		}
	}
	return message
}

// sameFile is the name of a file of a folder with the same content; "" when there is none.
func sameFile(path, folder string) string {
	want, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if have, err := os.ReadFile(filepath.Join(folder, e.Name())); err == nil && bytes.Equal(have, want) {
			return e.Name()
		}
	}
	return ""
}
