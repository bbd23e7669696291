package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// TempDir is a folder with a short path, for a socket's path may have 107 bytes, that everybody may enter, for
// a proxy started by root works as another user. It goes with the test; one of a test that failed is kept, with
// the logs and configurations in it, and the test says where.
func TempDir(t T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatewright-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatalf("a folder for the test: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kept for a look: %s", keep(t, dir))
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the test's folder: %v", err)
		}
	})
	return dir
}

// KeptIn names the environment variable with the folder where the folders of failed tests are kept.
const KeptIn = "GATEWRIGHT_FAILED"

// keep moves the folder of a failed test to where such folders are kept and returns its place, which is the old one
// where it can't be moved.
func keep(t T, dir string) string {
	root := os.Getenv(KeptIn)
	if root == "" {
		root = filepath.Join(os.TempDir(), "gatewright-failed")
	}
	// One that failed again has other logs.
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + "." + strings.TrimPrefix(filepath.Base(dir), "gatewright-")
	kept := filepath.Join(root, name)
	err := os.MkdirAll(root, 0o755)
	if err == nil {
		err = os.Rename(dir, kept)
	}
	if err != nil {
		return fmt.Sprintf("%s (it could not be moved: %v)", dir, err)
	}
	return kept
}
