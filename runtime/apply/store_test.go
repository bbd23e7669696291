package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
)

func filesOf(text string) []generators.File {
	return []generators.File{{Path: "a.conf", Data: []byte(text)}, {Path: "keys/k.pem", Data: []byte("k"), Secret: true}}
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := OpenStore(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func versions(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, versionsName))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func put(t *testing.T, s *Store, generation string, confirm bool) {
	t.Helper()
	if _, err := s.Stage(generation, filesOf(generation)); err != nil {
		t.Fatal(err)
	}
	if err := s.Switch(generation); err != nil {
		t.Fatal(err)
	}
	if confirm {
		if err := s.Confirm(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if s.Generation() != "" {
		t.Errorf("an empty store has generation %q", s.Generation())
	}
	for _, g := range []string{"g1", "g2", "g3", "g1"} {
		put(t, s, g, true)
		data, err := os.ReadFile(filepath.Join(s.Current(), "a.conf"))
		if err != nil || string(data) != g || s.Generation() != g {
			t.Errorf("current after %s: %q, %v", g, data, err)
		}
	}
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(versions(t, dir), " "); got != "g1 g3" {
		t.Errorf("kept %q, want the two that were used last", got)
	}
	info, err := os.Stat(filepath.Join(s.Current(), "keys/k.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a secret: %v, %v", info, err)
	}
	if _, err := OpenStore(dir, 2); err == nil || !strings.Contains(err.Error(), "another gatewright") {
		t.Errorf("a second store of the folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStoreAfterKill has what a kill can leave at each step.
func TestStoreAfterKill(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "good", true)
	put(t, s, "unconfirmed", false)
	for _, left := range []string{"versions/.new.gatewright-1/keys", "versions/.check-2"} {
		if err := os.MkdirAll(filepath.Join(dir, left), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{".current", ".good"} {
		if err := os.Symlink("versions/nowhere", filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if s.Generation() != "good" {
		t.Errorf("current is %q, want the last one that was confirmed", s.Generation())
	}
	if got := strings.Join(versions(t, dir), " "); got != "good unconfirmed" {
		t.Errorf("versions %q: what isn't whole is to go", got)
	}
	for _, link := range []string{".current", ".good"} {
		if _, err := os.Lstat(filepath.Join(dir, link)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", link, err)
		}
	}
	// Somebody removed the versions: nothing whole is left, and it says so.
	if err := os.RemoveAll(filepath.Join(dir, versionsName, "good")); err != nil {
		t.Fatal(err)
	}
	if s.Generation() != "" {
		t.Errorf("a link to nothing counts as %q", s.Generation())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "a/b", ".x"} {
		if _, err := s.Stage(name, nil); err == nil {
			t.Errorf("generation %q was staged", name)
		}
	}
}
