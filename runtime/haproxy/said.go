package haproxy

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
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

// alert is a line in which HAProxy tells of a failure: "[ALERT]    (PID) : text".
var alert = regexp.MustCompile(`^\[ALERT\] +\((\d+)\) : `)

// complaint says whether a line tells of a failure of the master or of a worker that it has begun or that has ended. What a
// worker that ended says when it ends isn't a failure to start.
func complaint(_ int, line string) bool {
	return alert.MatchString(line) && !strings.Contains(line, "exited with code")
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
