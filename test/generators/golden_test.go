package generators_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden is how the files of a folder are rendered.
type golden struct {
	version model.Version
	options generators.Options
}

// override is a template that an operator may replace.
type override struct {
	template, misspelt string
	// file is what it is rendered to, and took says whether that file's text is from one's own template.
	file string
	took func(text, own string) bool
}

func (s subject) render(t testing.TB, o generators.Options, g model.Gateways, v model.Version) []generators.File {
	t.Helper()
	return world.Render(t, s.new, o, g, s.capabilitiesOf(v))
}

func TestGolden(t *testing.T) {
	eachSubject(t, func(t *testing.T, s subject) {
		for name, c := range s.golden {
			t.Run(name, func(t *testing.T) {
				files := s.render(t, c.options, world.Small(t), c.version)
				for _, f := range files {
					if f.Secret != strings.HasSuffix(f.Path, s.secret) {
						t.Errorf("%s: Secret is %t", f.Path, f.Secret)
					}
				}
				compare(t, filepath.Join("..", "..", "generators", s.name, "testdata", "golden", name), files)
			})
		}
	})
}

// compare fails unless the files are those of a folder.
func compare(t *testing.T, dir string, files []generators.File) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range files {
		file := filepath.Join(dir, filepath.FromSlash(f.Path))
		seen[file] = true
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(f.Data) {
			t.Errorf("%s differs; look at it and run the test with -update", file)
		}
	}
	err := filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !seen[file] {
			t.Errorf("%s isn't rendered any more", file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTemplates(t *testing.T) {
	eachSubject(t, func(t *testing.T, s subject) {
		own := fstest.MapFS{s.override.template: {Data: []byte("# my own for {{.Version}}\n")}}
		found := false
		for _, f := range s.render(t, generators.Options{Templates: own}, world.Small(t), s.version) {
			found = found || f.Path == s.override.file && s.override.took(string(f.Data), "# my own for "+s.version.String()+"\n")
		}
		if !found {
			t.Errorf("%s doesn't come from the override", s.override.file)
		}
		own[s.override.misspelt] = &fstest.MapFile{}
		_, err := s.new(generators.Options{Templates: own}).Render(model.Gateways{}, s.capabilitiesOf(s.version))
		if err == nil || !strings.Contains(err.Error(), s.override.misspelt) {
			t.Errorf("an override of no template: %v", err)
		}
	})
}

// TestGeneration: every change of any file is another generation, and all files that name one name the same.
func TestGeneration(t *testing.T) {
	eachSubject(t, func(t *testing.T, s subject) {
		generation := func(g model.Gateways) string {
			t.Helper()
			seen, where := "", map[string]bool{}
			for _, f := range s.render(t, generators.Options{Marker: "/m"}, g, s.version) {
				_, rest, ok := strings.Cut(string(f.Data), "# Generation ")
				if !ok {
					continue
				}
				line, _, _ := strings.Cut(rest, "\n")
				if len(line) != 64 || seen != "" && seen != line {
					t.Fatalf("%s has the generation %q, another file %q", f.Path, line, seen)
				}
				seen, where[f.Path] = line, true
			}
			if !where[s.generationIn] {
				t.Fatalf("%s names no generation", s.generationIn)
			}
			return seen
		}
		a, b := world.Small(t), world.Small(t)
		b.KeyPairs[0].Key = []byte("another\n")
		if generation(a) == generation(b) {
			t.Error("another key is the same generation")
		}
	})
}
