package folder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewright/gatewright/generators"
)

func files(pairs ...string) []generators.File {
	var out []generators.File
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, generators.File{Path: pairs[i], Data: []byte(pairs[i+1]), Secret: strings.HasSuffix(pairs[i], ".key")})
	}
	return out
}

func write(t *testing.T, dir string, f []generators.File) bool {
	t.Helper()
	changed, err := Write(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// tree is what a folder holds: the text of each file, the manifest aside.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == Manifest {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantTree(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", dir, diff)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), pending(dir)+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left beside %s: %v %v", dir, left, err)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "out")
	if !write(t, dir, files("nginx.conf", "one", "tls/a.key", "key", "tls/a.crt", "crt")) {
		t.Error("a new folder is a change")
	}
	wantTree(t, dir, map[string]string{"nginx.conf": "one", "tls/a.key": "key", "tls/a.crt": "crt"})
	for name, want := range map[string]fs.FileMode{
		".": 0o751 | fs.ModeDir, "tls": 0o751 | fs.ModeDir, "nginx.conf": 0o640, "tls/a.key": 0o600, "tls/a.crt": 0o640, Manifest: 0o640,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
	before, _ := os.Stat(dir)
	if write(t, dir, files("nginx.conf", "one", "tls/a.key", "key", "tls/a.crt", "crt")) {
		t.Error("equal bytes are no change")
	}
	if after, _ := os.Stat(dir); !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Error("equal bytes: the folder was touched")
	}
	if !write(t, dir, files("nginx.conf", "two")) {
		t.Error("other bytes are a change")
	}
	wantTree(t, dir, map[string]string{"nginx.conf": "two"})
}

func TestWriteCarriesOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	write(t, dir, files("nginx.conf", "one", "run/keep", "k", "gone/x", "x"))
	theirs := map[string]string{"run/nginx.pid": "12", ".git/refs/heads/main": "abc", "README": "mine", "gone/notes": "n"}
	for name, text := range theirs {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, files("nginx.conf", "two", "run/keep", "k", "new/y", "y"))
	theirs["nginx.conf"], theirs["run/keep"], theirs["new/y"] = "two", "k", "y"
	wantTree(t, dir, theirs)

	_, err := Write(dir, files("README", "ours"))
	if err == nil || !strings.Contains(err.Error(), "README in it was not written by gatewright") {
		t.Errorf("a file of somebody else in the way: %v", err)
	}
	wantTree(t, dir, theirs)
}

func TestWriteRefuses(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	foreign := filepath.Join(root, "foreign")
	forged := filepath.Join(root, "forged")
	for path, text := range map[string]string{file: "x", filepath.Join(foreign, "precious"): "x",
		filepath.Join(forged, Manifest): "precious\n"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, root)
	for _, c := range []struct{ dir, want string }{
		{file, "it is a file: name a folder"},
		{filepath.Join(file, "below"), "not a directory"},
		{foreign, "it holds precious, and nothing in it says that gatewright wrote it"},
		{forged, "is not a list that gatewright wrote"},
		{"/", "choose a folder below it"},
		{"", "the name is empty"},
		{"/proc/gatewright", "/proc"},
	} {
		if _, err := Write(c.dir, files("a", "b")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Write(%q): error %v, want %q", c.dir, err, c.want)
		}
	}
	for _, bad := range [][]generators.File{files("../a", "x"), files("/a", "x"), files("a\nb", "x"), files("a", "x", "a", "y"),
		files("a/../b", "x"), files(Manifest, "x")} {
		if _, err := Write(filepath.Join(root, "out"), bad); err == nil {
			t.Errorf("Write(%q): no error", bad[0].Path)
		}
	}
	if diff := cmp.Diff(before, tree(t, root)); diff != "" {
		t.Errorf("refusing changed files:\n%s", diff)
	}
}

func TestWriteFollowsLink(t *testing.T) {
	root := t.TempDir()
	real, link := filepath.Join(root, "real"), filepath.Join(root, "link")
	write(t, real, files("a", "1"))
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	write(t, link, files("a", "2"))
	wantTree(t, real, map[string]string{"a": "2"})
	if to, err := os.Readlink(link); err != nil || to != "real" {
		t.Errorf("the link points to %q %v", to, err)
	}
}

func TestSwapInTwoSteps(t *testing.T) {
	root := t.TempDir()
	next, dir := filepath.Join(root, "next"), filepath.Join(root, "dir")
	write(t, next, files("a", "new"))
	write(t, dir, files("a", "old"))
	if err := swapInTwoSteps(next, dir, true); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, map[string]string{"a": "new"})
	wantTree(t, next, map[string]string{"a": "old"})
}

// writerEnv makes this test binary write one of two sets of files again and again until it is killed.
const writerEnv = "GATEWRIGHT_TEST_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		for i := 0; ; i++ {
			if _, err := Write(dir, generation(i%2)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

// generation is a set of files that all say which one they are.
func generation(n int) []generators.File {
	text := strings.Repeat(fmt.Sprintf("generation %d\n", n), 2000)
	return files("a", text, "tls/b", text, "z", text)
}

// TestWriteKilled kills a writer at any moment, many times: whoever opens the folder sees one generation, whole,
// and in the end nothing is left beside it and nothing of somebody else is lost.
func TestWriteKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	write(t, dir, generation(0))
	note := filepath.Join(dir, "note")
	if err := os.WriteFile(note, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	whole := 0
	for round := range 25 {
		var stderr bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+dir)
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(time.Duration(20+round) * time.Millisecond)
		for time.Now().Before(end) {
			whole += look(t, dir)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatalf("the writer failed: %s", stderr.String())
		}
		whole += look(t, dir)
	}
	if whole < 25 {
		t.Errorf("saw %d whole folders", whole)
	}
	write(t, dir, files("a", "last"))
	wantTree(t, dir, map[string]string{"a": "last", "note": "mine"})
}

// look opens the folder and reads its files; 1 when all were there. A folder that was replaced meanwhile may have
// lost files already, but those it has are of one generation.
func look(t *testing.T, dir string) int {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatalf("the folder is gone: %v", err)
	}
	defer root.Close()
	var texts []string
	for _, name := range []string{"z", "tls/b", "a"} {
		data, err := root.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	for _, text := range texts {
		if text != string(generation(0)[0].Data) && text != string(generation(1)[0].Data) || text != texts[0] {
			t.Fatal("the folder holds a half-written file or files of two generations")
		}
	}
	if len(texts) == 3 {
		return 1
	}
	return 0
}

func TestDiff(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	var numbers strings.Builder
	for i := range 30 {
		fmt.Fprintf(&numbers, "line %d\n", i)
	}
	old := numbers.String()
	write(t, dir, files("a", old, "gone", "x\n", "k.key", "secret one", "same", "s"))
	changed := strings.Replace(strings.Replace(old, "line 4\n", "line four\n", 1), "line 20\n", "line 20\nline 20 and a half\n", 1)
	got, err := Diff(dir, files("a", changed, "k.key", "secret two", "n.key", "secret three", "same", "s", "fresh", "f"))
	if err != nil {
		t.Fatal(err)
	}
	want := `--- a/a
+++ b/a
@@ -2,7 +2,7 @@
 line 1
 line 2
 line 3
-line 4
+line four
 line 5
 line 6
 line 7
@@ -19,6 +19,7 @@
 line 18
 line 19
 line 20
+line 20 and a half
 line 21
 line 22
 line 23
--- /dev/null
+++ b/fresh
@@ -0,0 +1,1 @@
+f
\ No newline at end of file
k.key differs (it holds a private key and is not shown)
n.key is missing (it holds a private key and is not shown)
gone would be removed
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := Diff(dir, files("a", old, "gone", "x\n", "k.key", "secret one", "same", "s")); got != "" || err != nil {
		t.Errorf("no drift: %q %v", got, err)
	}
}

func TestDiffGeneration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	write(t, dir, files("a", "# x\n# Generation 1\ny\n", "b", "# Generation 1\nz\n"))
	got, err := Diff(dir, files("a", "# x\n# Generation 2\ny\n", "b", "# Generation 2\nz\n"))
	if want := "Only the generation differs in a, b\n"; got != want || err != nil {
		t.Errorf("%q, want %q (%v)", got, want, err)
	}
}

// TestCompare checks on random texts that the edits lead from the one to the other.
func TestCompare(t *testing.T) {
	seed := uint32(7)
	next := func(n uint32) int { seed = seed*1664525 + 1013904223; return int(seed >> 16 % n) }
	text := func() (out []string) {
		for range next(24) {
			out = append(out, fmt.Sprint(next(9)))
		}
		return out
	}
	for range 5000 {
		a, b := text(), text()
		var gotA, gotB []string
		for _, e := range compare(nil, a, b) {
			if e.sign != '+' {
				gotA = append(gotA, e.line)
			}
			if e.sign != '-' {
				gotB = append(gotB, e.line)
			}
		}
		if !cmp.Equal(gotA, a) || !cmp.Equal(gotB, b) {
			t.Fatalf("%v to %v: the edits give %v and %v", a, b, gotA, gotB)
		}
	}
}

// TestPut: what a crash has lost of a folder that was put there is mended by the next time.
func TestPut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	files := []generators.File{{Path: "a.conf", Data: []byte("a")}, {Path: "sub/key.pem", Data: []byte("k"), Secret: true}}
	for range 2 {
		finish, err := Put(dir, files)
		if err != nil {
			t.Fatal(err)
		}
		if err := finish(); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if data, err := os.ReadFile(filepath.Join(dir, f.Path)); err != nil || string(data) != string(f.Data) {
				t.Errorf("%s holds %q, %v", f.Path, data, err)
			}
		}
		if err := os.Truncate(filepath.Join(dir, "a.conf"), 0); err != nil {
			t.Fatal(err)
		}
	}
}
