package resources

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestReadings(t *testing.T) {
	old := time.Now().Add(-time.Hour).UnixNano()
	looks := appearance{size: 3, modified: old, changed: old, device: 1, inode: 2}
	young := looks
	young.changed = time.Now().UnixNano()
	r := readings{}
	r.keep("old", looks, []byte("old"))
	r.keep("young", young, []byte("new"))
	r.keep("unknown", appearance{}, []byte("any"))
	if data, ok := r.unchanged("old", looks); !ok || string(data) != "old" {
		t.Errorf("a file that is as it was: %q, %v", data, ok)
	}
	for what, other := range map[string]appearance{
		"another inode": {size: 3, modified: old, changed: old, device: 1, inode: 3},
		"another time":  {size: 3, modified: old, changed: old + 1, device: 1, inode: 2},
		"another size":  {size: 4, modified: old, changed: old, device: 1, inode: 2},
	} {
		if _, ok := r.unchanged("old", other); ok {
			t.Errorf("a file with %s counts as unchanged", what)
		}
	}
	if _, ok := r.unchanged("young", young); ok {
		t.Error("a file that may change once more within its time's step was kept")
	}
	if _, ok := r.unchanged("unknown", appearance{}); ok {
		t.Error("a file that can't be told from others was kept")
	}
}

// TestReadOnce: what was kept of a file takes the place of reading it, until it looks otherwise.
func TestReadOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	namespace := func(name string) []byte {
		return []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n")
	}
	if err := os.WriteFile(path, namespace("written"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	reader := NewReader()
	reader.read = readings{path: {appearanceOf(info), namespace("kept")}}
	names := func() string {
		snapshot, _, err := reader.Load([]string{dir}, nil)
		if err != nil || len(snapshot.Namespaces) != 1 {
			t.Fatalf("%v, %v", snapshot, err)
		}
		return snapshot.Namespaces[0].Name
	}
	if got := names(); got != "kept" {
		t.Errorf("the file was read again: %s", got)
	}
	if err := os.WriteFile(path, namespace("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := names(); got != "another" {
		t.Errorf("the file wasn't read again: %s", got)
	}
}
