package resources

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAppearance(t *testing.T) {
	old := time.Now().Add(-time.Hour).UnixNano()
	looks := appearance{size: 3, modified: old, changed: old, device: 1, inode: 2}
	s := &source{looks: looks}
	if !s.looksLike(looks) || !looks.tells() {
		t.Error("a file that is as it was doesn't look like it")
	}
	for what, other := range map[string]appearance{
		"another inode": {size: 3, modified: old, changed: old, device: 1, inode: 3},
		"another time":  {size: 3, modified: old, changed: old + 1, device: 1, inode: 2},
		"another size":  {size: 4, modified: old, changed: old, device: 1, inode: 2},
	} {
		if s.looksLike(other) {
			t.Errorf("a file with %s counts as unchanged", what)
		}
	}
	young := looks
	young.changed = time.Now().UnixNano()
	if young.tells() {
		t.Error("a file that may change once more within its time's step counts as settled")
	}
	if (appearance{}).tells() || (&source{}).looksLike(appearance{}) {
		t.Error("a file that can't be told from others counts as unchanged")
	}
}

// TestReadOnce: what is known of a file takes the place of reading it until it looks otherwise, and of looking at it
// until somebody says that it has changed.
func TestReadOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	namespace := func(name string) []byte {
		return []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n")
	}
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(path, namespace(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("written")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	reader := NewReader()
	reader.sources = map[string]*source{path: {name: path, real: realPath(path), looks: appearanceOf(info), data: namespace("kept")}}
	names := func(changed map[string]bool) string {
		t.Helper()
		snapshot, _, problems := reader.Follow([]string{dir}, changed)
		if len(problems) > 0 || len(snapshot.Namespaces) != 1 {
			t.Fatalf("%v, %v", snapshot, problems)
		}
		return snapshot.Namespaces[0].Name
	}
	if got := names(nil); got != "kept" {
		t.Errorf("the file was read again: %s", got)
	}
	write("another")
	if got := names(map[string]bool{filepath.Join(dir, "b.txt"): true}); got != "kept" {
		t.Errorf("the file was read again though it is another one that has changed: %s", got)
	}
	if got := names(map[string]bool{realPath(path): true}); got != "another" {
		t.Errorf("the file wasn't read again: %s", got)
	}
	write("third")
	if got := names(nil); got != "third" {
		t.Errorf("the file wasn't looked at: %s", got)
	}
}
