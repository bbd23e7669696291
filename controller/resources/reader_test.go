package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// TestFollow changes files one by one and names the routes that count after each step: a bad file costs only itself
// (R31).
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	route := func(names ...string) string {
		text := ""
		for _, name := range names {
			text += "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: " + name + "}\nspec: {}\n"
		}
		return text
	}
	bad := "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: bad}\nspec: {nonsense: 1}\n"
	real := realPath(dir)
	// One looks at everything, the other at what it is told.
	reader, told := NewReader(), NewReader()
	for _, step := range []struct {
		what, file, text string
		routes           string
		problems         int
	}{
		{"a file that was never good counts with its good documents", "a.yaml", route("a1") + bad + route("a2"), "a1 a2", 1},
		{"a good file beside it", "b.yaml", route("b1", "b2"), "a1 a2 b1 b2", 1},
		{"the bad file is mended", "a.yaml", route("a1"), "a1 b1 b2", 0},
		{"a good file turns bad: it stays as it was", "b.yaml", route("b1", "b3") + bad, "a1 b1 b2", 1},
		{"another file changes meanwhile", "a.yaml", route("a1", "a3"), "a1 a3 b1 b2", 1},
		{"half a file", "a.yaml", route("a1") + "half: [", "a1 a3 b1 b2", 2},
		{"a file with NUL bytes can't be read", "b.yaml", "\x00", "a1 a3 b1 b2", 2},
		{"an empty file is good, and has no object", "b.yaml", "", "a1 a3", 1},
		{"all is well", "a.yaml", route("a4"), "a4", 0},
	} {
		if err := os.WriteFile(filepath.Join(dir, step.file), []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			snapshot, _, problems := reader.Follow([]string{dir}, nil)
			if got := routeNames(snapshot); got != step.routes || len(problems) != step.problems {
				t.Errorf("%s: routes %q, want %q; problems %v, want %d", step.what, got, step.routes, problems, step.problems)
			}
			again, _, same := told.Follow([]string{dir}, map[string]bool{filepath.Join(real, step.file): true, filepath.Join(real, ".draft"): true})
			if got := routeNames(again); got != step.routes || problems.Error() != same.Error() {
				t.Errorf("%s: who is told what has changed has routes %q, want %q; problems %v, want %v", step.what, got, step.routes, same, problems)
			}
		}
	}
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	snapshot, _, problems := reader.Follow([]string{dir}, nil)
	if got := routeNames(snapshot); got != "a4" || len(problems) != 1 {
		t.Errorf("the folder is gone for a moment: routes %q, problems %v", got, problems)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if snapshot, _, problems := reader.Follow([]string{dir}, nil); routeNames(snapshot) != "" || len(problems) != 0 {
		t.Errorf("the file is removed: routes %q, problems %v", routeNames(snapshot), problems)
	}
}

func routeNames(s *Snapshot) string {
	var names []string
	for _, r := range s.GRPCRoutes {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestFollowTold lets files come, change and go, and holds who is told of them against who looks at everything.
func TestFollowTold(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		dir := t.TempDir()
		for _, sub := range []string{"b", "b.d", "b/c"} {
			if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		names := []string{"a.yaml", "b/a.yaml", "b/c/a.yaml", "b.yaml", "b.d/a.yaml", "b0.yaml", "c.json", "c.txt", ".a.yaml"}
		arguments := []string{dir}
		switch rnd.IntN(4) {
		case 0:
			arguments = append(arguments, filepath.Join(dir, "a.yaml"))
		case 1:
			if err := os.Symlink(filepath.Join(dir, "b/a.yaml"), filepath.Join(dir, "link.yaml")); err != nil {
				t.Fatal(err)
			}
		}
		all, told, fast := NewReader(), NewReader(), 0
		for step := range 30 {
			changed := map[string]bool{}
			for range rnd.IntN(4) {
				name := names[rnd.IntN(len(names))]
				changed[filepath.Join(realPath(dir), name)] = true
				path := filepath.Join(dir, name)
				text := fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r%d}\nspec: {hostnames: "+
					"[h%d.test]}\n", rnd.IntN(4), rnd.IntN(9))
				err := os.Remove(path)
				if rnd.IntN(3) > 0 || errors.Is(err, fs.ErrNotExist) {
					err = os.WriteFile(path, []byte(text), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			want, wantNotes, wantProblems := all.Follow(arguments, nil)
			if told.reread(arguments, changed) != nil {
				fast++
			}
			if step > 0 && !told.Concerns(changed) {
				changed = map[string]bool{}
			}
			got, notes, problems := told.Follow(arguments, changed)
			if diff := cmp.Diff(want, got) + cmp.Diff(wantNotes, notes); diff != "" {
				t.Fatalf("seed %d, step %d, %v:\n%s", seed, step, changed, diff)
			}
			if problems.Error() != wantProblems.Error() {
				t.Fatalf("seed %d, step %d, %v: problems %v, want %v", seed, step, changed, problems, wantProblems)
			}
		}
		if len(arguments) == 1 && !told.input.tangled && fast < 15 {
			t.Errorf("seed %d: only %d of 30 steps looked at what they were told of alone", seed, fast)
		}
	}
}
