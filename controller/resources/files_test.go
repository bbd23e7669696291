package resources

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func namespace(name string) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n"
}

// zeros never ends.
type zeros struct{ value byte }

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = z.value
	}
	return len(p), nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// TestFolder lays out a folder as a mounted ConfigMap is, with links that loop and files that are none of ours.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/..2026/a.yaml", namespace("alpha"))
	link(t, "..2026", dir+"/..data")
	link(t, "..data/a.yaml", dir+"/a.yaml")
	write(t, dir+"/sub/b.yml", namespace("beta"))
	write(t, dir+"/sub/c.json", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"gamma"}}`)
	write(t, dir+"/sub/.hidden.yaml", "not: [yaml")
	write(t, dir+"/README.md", "# not a manifest")
	link(t, "..", dir+"/sub/loop")
	s, notes, err := Load([]string{dir, dir + "/a.yaml", "-"}, strings.NewReader(namespace("delta")))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range s.Namespaces {
		names = append(names, n.Name)
	}
	if got := strings.Join(names, " "); got != "alpha beta gamma delta" {
		t.Errorf("namespaces %q", got)
	}
	if len(notes) != 1 || notes[0].Source != filepath.Join(dir, "sub/loop") {
		t.Errorf("notes %v", notes)
	}
}

// TestLinksStayInside: who may write to a folder needn't be who may read everything (R44). A file that is named itself may
// be a link to anywhere.
func TestLinksStayInside(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/secret.yaml", "s3cret: [")
	write(t, dir+"/in/.real/a.yaml", namespace("alpha"))
	link(t, ".real/a.yaml", dir+"/in/a.yaml")
	link(t, "../secret.yaml", dir+"/in/b.yaml")
	write(t, dir+"/other.yaml", "s3cret: [")
	link(t, dir+"/other.yaml", dir+"/in/c.yaml")
	link(t, dir+"/in/.real/a.yaml", dir+"/outside.yaml")
	_, _, err := Load([]string{dir + "/in"}, nil)
	if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Count(err.Error(), "leads out of the folder") != 2 {
		t.Errorf("%v", err)
	}
	reader := NewReader()
	s, _, problems := reader.Follow([]string{dir + "/in"}, nil)
	if len(s.Namespaces) != 1 || len(problems) != 2 {
		t.Errorf("%d namespaces, %v", len(s.Namespaces), problems)
	}
	if s, _, err := Load([]string{dir + "/outside.yaml"}, nil); err != nil || len(s.Namespaces) != 1 {
		t.Errorf("a link that is named: %v", err)
	}
	// A file that is replaced by a link is looked at again.
	if err := errors.Join(os.Remove(dir+"/in/b.yaml"), os.Remove(dir+"/in/c.yaml")); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/in/d.yaml", namespace("delta"))
	if _, _, problems = reader.Follow([]string{dir + "/in"}, nil); len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := os.Remove(dir + "/in/d.yaml"); err != nil {
		t.Fatal(err)
	}
	link(t, "../secret.yaml", dir+"/in/d.yaml")
	_, _, problems = reader.Follow([]string{dir + "/in"}, map[string]bool{realPath(dir) + "/in/d.yaml": true})
	if len(problems) != 1 || strings.Contains(problems.Error(), "s3cret") {
		t.Errorf("%v", problems)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/large.yaml", "")
	if err := os.Truncate(dir+"/large.yaml", maxFileSize+1); err != nil {
		t.Fatal(err)
	}
	link(t, "nowhere.yaml", dir+"/broken.yaml")
	for _, c := range []struct {
		name  string
		file  string
		stdin io.Reader
		want  string
	}{
		{"missing", dir + "/missing", nil, dir + "/missing: can't be read: no such file or directory: check the path and its permissions"},
		{"no name", "", nil, `"": the name of a file or folder is empty: give one, or - for stdin`},
		{"no stdin", "-", nil, "stdin: there is no input: name a file or a folder instead of -"},
		{"endless NULs", "-", zeros{0}, "stdin: a NUL byte at offset 0: this is no text; save manifests as UTF-8"},
		{"endless text", "-", zeros{'a'}, "stdin: larger than 64 MiB: split it, or check that it is the right file"},
		{"device", "/dev/zero", nil, "/dev/zero: a NUL byte at offset 0: this is no text; save manifests as UTF-8"},
		{"large", dir + "/large.yaml", nil, dir + "/large.yaml: larger than 64 MiB: split it, or check that it is the right file"},
		{"broken link", dir + "/broken.yaml", nil, dir +
			"/broken.yaml: can't be read: no such file or directory: check the path and its permissions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, err := Load([]string{c.file}, c.stdin)
			if err == nil || err.Error() != c.want || s != nil {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestFolderWithoutManifests(t *testing.T) {
	dir := t.TempDir()
	_, notes, err := Load([]string{dir}, nil)
	if err != nil || len(notes) != 1 || notes[0].String() != dir+": no *.yaml, *.yml or *.json file in this folder" {
		t.Errorf("notes %v, error %v", notes, err)
	}
}

func TestTooManyDocuments(t *testing.T) {
	for _, text := range []string{"---\na: b\n", `{"a":1}`} {
		_, _, err := Load([]string{"-"}, strings.NewReader(strings.Repeat(text, maxDocuments+1)))
		if err == nil || err.Error() != "stdin: more than 100000 documents: split the file" {
			t.Errorf("error %.200v", err)
		}
	}
}
