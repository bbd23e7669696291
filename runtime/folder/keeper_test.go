package folder

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestKeeper takes the folder of a file away. What could not be written is tried again without anybody asking, and
// what comes last counts. The trouble is told once, and its end.
func TestKeeper(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "status.yaml")
	failures := make(chan error, 100)
	k := NewKeeper(path, 0o600, func(err error) { failures <- err })
	k.Put([]byte("first"))
	select {
	case <-failures:
	case <-time.After(time.Minute):
		t.Fatal("nobody says that the file can't be written")
	}
	k.Put([]byte("second"))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tick, deadline := time.NewTicker(time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for written := false; !written; {
		select {
		case <-tick.C:
			text, err := os.ReadFile(path)
			written = err == nil && string(text) == "second"
		case <-deadline:
			t.Fatal("the file isn't written again")
		}
	}
	select {
	case err := <-failures:
		if err != nil {
			t.Errorf("the same trouble is told again: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody says that the file is written again")
	}
	if n := len(failures); n > 0 {
		t.Errorf("the same trouble is told %d times more", n)
	}
	k.Put([]byte("last"))
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "last" {
		t.Errorf("the file has %q at the end (%v)", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode: %v (%v)", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("something else is left: %v (%v)", entries, err)
	}
}

// TestKeeperClosed: the end tells of what can't be written.
func TestKeeperClosed(t *testing.T) {
	k := NewKeeper(filepath.Join(t.TempDir(), "nowhere", "file"), 0o600, func(error) {})
	k.Put([]byte("x"))
	if err := k.Close(); err == nil {
		t.Error("no error")
	}
}
