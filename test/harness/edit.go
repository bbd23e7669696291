package harness

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
)

// Edit replaces texts in the files of the rendered folder, given as old, new, old, new, and returns when the
// proxy serves what came of it. A text that no file has fails the test.
func (s *Served) Edit(pairs ...string) {
	s.t.Helper()
	generation := s.Proxy.Generation(s.t, s.Dir)
	turned := []byte(generation)
	for i, j := 0, len(turned)-1; i < j; i, j = i+1, j-1 {
		turned[i], turned[j] = turned[j], turned[i]
	}
	pairs = append(pairs, generation, string(turned))
	for i := 0; i < len(pairs); i += 2 {
		found, err := replaceIn(s.Dir, []byte(pairs[i]), []byte(pairs[i+1]))
		if err != nil || !found {
			s.t.Fatalf("replace %q in %s: found %t, %v", pairs[i], s, found, err)
		}
	}
	s.Proxy.Reload(s.Process)
	s.wait()
}

// replaceIn replaces a text in all files of a folder, and says whether one has it.
func replaceIn(dir string, old, new []byte) (found bool, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, old) {
			return err
		}
		found = true
		return os.WriteFile(path, bytes.ReplaceAll(text, old, new), 0o644)
	})
	return found, err
}
