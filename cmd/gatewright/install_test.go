package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall: the binary comes whole, once, and again only when it is another one.
func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shared")
	source := filepath.Join(t.TempDir(), "source")
	steps := []struct {
		data, said string
		mode       os.FileMode // what the target is changed to before, 0 for nothing
	}{
		{"first", "wrote ", 0},
		{"first", "already", 0},
		{"first", "replaced ", 0o600},
		{"other", "replaced ", 0},
	}
	target := filepath.Join(dir, "gatewright")
	for i, step := range steps {
		if err := os.WriteFile(source, []byte(step.data), 0o600); err != nil {
			t.Fatal(err)
		}
		if step.mode != 0 {
			if err := os.Chmod(target, step.mode); err != nil {
				t.Fatal(err)
			}
		}
		said, err := install(source, dir)
		if err != nil || !strings.Contains(said, step.said) || !strings.Contains(said, target) {
			t.Errorf("step %d: %q, %v", i, said, err)
		}
		data, err := os.ReadFile(target)
		info, statErr := os.Stat(target)
		if err != nil || statErr != nil || string(data) != step.data || info.Mode() != binaryMode {
			t.Errorf("step %d: %q, %v, %v, %v", i, data, info, err, statErr)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("in the folder: %v, %v", left, err)
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := install(source, dir); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("a folder in its place: %v", err)
	}
}
