package status

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRead reads what Marshal writes, for the statuses of all golden cases.
func TestRead(t *testing.T) {
	files, err := filepath.Glob("../../test/cases/*/status.yaml")
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		reports, err := Read(want)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if got, err := Marshal(reports); err != nil || string(got) != string(want) {
			t.Errorf("%s: it is another one when it is written again (%v)", file, err)
		}
	}
	if _, err := Read([]byte("kind: Gateway")); err == nil {
		t.Error("an object was taken for a list")
	}
}
