package resources

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzLoad holds that no text makes the loader panic or hang, that what it accepts it accepts again when written out,
// with nothing changed, and that the fast check never accepts what the API server's code refuses.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/messages/*.in")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range seeds {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add(manyRules(1, 2))
	table := newKindTable()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		in := &files{seen: map[string]bool{}}
		in.read("in", bytes.NewReader(text))
		for _, s := range in.sources {
			docs, _ := split(s.name, s.data)
			for _, d := range docs {
				for _, o := range loadDocument(table, d).objects {
					again(t, table, o)
				}
			}
		}
	})
}

// again loads an accepted object once more, and compares the two.
func again(t *testing.T, table kindTable, o loaded) {
	text, err := json.Marshal(o.object)
	if err != nil {
		t.Fatalf("%s can't be written: %v", o.id, err)
	}
	second := loadDocument(table, document{source: "again", number: 1, line: 1, data: text})
	if len(second.problems) > 0 || len(second.objects) != 1 {
		t.Fatalf("%s was accepted, then refused: %v\n%s", o.id, second.problems, text)
	}
	if diff := cmp.Diff(o.object, second.objects[0].object); diff != "" {
		t.Fatalf("%s changed (-first +second):\n%s", o.id, diff)
	}
	if o.kind.resource == "" {
		return
	}
	s, err := o.kind.schema()
	if err != nil {
		t.Fatal(err)
	}
	tree, problems := decode(document{source: "again", number: 1, line: 1, data: text})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	content := tree.value.(map[string]any)
	delete(content, "status")
	errs, err := s.validateFully(content)
	if err != nil || len(errs) > 0 {
		t.Fatalf("%s was accepted, but the API server refuses it: %v %v\n%s", o.id, errs, err, text)
	}
}
