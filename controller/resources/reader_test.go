package resources

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReader reads a folder again and again while its files change, as one does who reads it for the first time.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	reader := NewReader()
	for _, step := range []struct{ file, text string }{
		{"a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"},
		{"b.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r}\nspec: {hostnames: [a.test]}\n"},
		{"b.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r}\nspec: {hostnames: [b.test]}\n"},
		{"a.yaml", "# one line down\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, nonsense: 1}\n"},
		{"a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n"},
		{"b.yaml", "half: ["},
		{"b.yaml", ""},
	} {
		if err := os.WriteFile(filepath.Join(dir, step.file), []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		want, wantNotes, wantErr := Load([]string{dir}, nil)
		for range 2 {
			got, notes, err := reader.Load([]string{dir}, nil)
			if diff := cmp.Diff(want, got) + cmp.Diff(wantNotes, notes); diff != "" {
				t.Errorf("after %s is %q:\n%s", step.file, step.text, diff)
			}
			if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Errorf("after %s is %q: error %v, want %v", step.file, step.text, err, wantErr)
			}
		}
	}
}
