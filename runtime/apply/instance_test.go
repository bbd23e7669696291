package apply

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gatewright/gatewright/generators"
)

// TestInstance is R43: one state folder keeps its instance, another has another, and a spoilt one is made anew.
func TestInstance(t *testing.T) {
	instance := func(dir string) string {
		t.Helper()
		s := open(t, dir)
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		got, err := s.Instance()
		if err != nil {
			t.Fatal(err)
		}
		if err := generators.CheckInstance(got); err != nil {
			t.Error(err)
		}
		return got
	}
	dir := t.TempDir()
	first := instance(dir)
	if again := instance(dir); again != first {
		t.Errorf("it was %s, and is %s", first, again)
	}
	if other := instance(t.TempDir()); other == first {
		t.Errorf("two folders have %s", other)
	}
	for _, spoilt := range []string{"", "a; b", "x\"y"} {
		if err := os.WriteFile(filepath.Join(dir, instanceName), []byte(spoilt), 0o600); err != nil {
			t.Fatal(err)
		}
		if made := instance(dir); made == first || made == spoilt {
			t.Errorf("%q became %s", spoilt, made)
		}
	}
}
