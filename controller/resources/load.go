package resources

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Load reads every manifest in the files and folders named, "-" being stdin: YAML of one or more documents, JSON, and
// lists of objects. It checks each object as an API server would, and sets the same defaults; objects without a
// namespace are in "default". The error is of type Problems and has all that is wrong; the snapshot is then nil. The
// same files give the same result, whatever their order on the disk.
func Load(filenames []string, stdin io.Reader) (*Snapshot, []Note, error) {
	return NewReader().Load(filenames, stdin)
}

// result is what became of one document.
type result struct {
	objects  []loaded
	ignored  []string // "Kind (apiVersion)"
	notes    []Note
	problems Problems
}

// loaded is one object and where it is from.
type loaded struct {
	kind   *loadedKind
	object metav1.Object
	id     string // "Kind namespace/name"
	doc    document
	line   int
}

// load works out what sources hold that aren't known yet, then takes all results in the input's order.
func (r *Reader) load(input *files, follow bool) (*Snapshot, []Note, Problems) {
	var fresh []*source
	for _, s := range input.sources {
		if !s.worked {
			fresh = append(fresh, s)
		}
	}
	work(r.table, fresh)
	r.keep(input)
	notes, problems := slices.Clone(input.notes), slices.Clone(input.problems)
	var wrong Problems
	results := make([][]result, 0, len(input.sources))
	for _, s := range input.sources {
		switch {
		case s.excess:
			problems = append(problems, Problem{Source: s.name, Text: fmt.Sprintf("more than %d documents: split the file", maxDocuments)})
		case len(s.docs) == 0:
			notes = append(notes, Note{Source: s.name, Text: "no object in this file"})
		}
		for _, r := range s.results {
			wrong = append(wrong, r.problems...)
		}
		results = append(results, s.results)
	}
	if follow {
		results = r.good()
	}
	snapshot, more, twice := assemble(results)
	return snapshot, append(notes, more...), append(append(problems, wrong...), twice...)
}

// assemble puts the objects of all files together. Of the same object in two places the first counts.
func assemble(files [][]result) (*Snapshot, []Note, Problems) {
	var notes []Note
	var problems Problems
	snapshot := &Snapshot{}
	ignored := map[string]int{}
	type key struct{ group, id string }
	places := make(map[key]*loaded, len(files))
	for _, results := range files {
		for i := range results {
			r := &results[i]
			notes = append(notes, r.notes...)
			for _, kind := range r.ignored {
				ignored[kind]++
			}
			for j := range r.objects {
				o := &r.objects[j]
				k := key{o.kind.group, o.id}
				if first, twice := places[k]; twice {
					p := o.doc.problem(o.line, "", "the same object is in "+place(first.doc.source, first.doc.number, first.line)+": remove one of them")
					p.Object = o.id
					problems = append(problems, p)
					continue
				}
				places[k] = o
				o.kind.append(snapshot, o.object)
			}
		}
	}
	for _, kind := range sortedKeys(ignored) {
		notes = append(notes, Note{Object: kind, Text: fmt.Sprintf("%s ignored: gatewright has no use for this kind",
			count(ignored[kind], "object"))})
	}
	return snapshot, notes, problems
}

func newKindTable() kindTable {
	table := kindTable{}
	for _, k := range kinds() {
		table[[2]string{k.group, k.kind}] = &loadedKind{
			kind:   k,
			schema: sync.OnceValues(func() (*schema, error) { return newSchema(&k) }),
		}
	}
	return table
}

func loadDocument(table kindTable, doc document) result {
	t, problems := decode(doc)
	if len(problems) > 0 {
		return result{problems: doc.unrendered(problems)}
	}
	l := loader{table: table, doc: doc, tree: t}
	switch top := t.value.(type) {
	case nil:
	case map[string]any:
		l.add(top, "")
	default:
		l.result.problems = Problems{doc.problem(t.line, "", "not an object: start with apiVersion and kind")}
	}
	return l.result
}

// sortedKinds gives a table's kinds in the order of their names.
func sortedKinds(table kindTable) []*loadedKind {
	list := slices.Collect(maps.Values(table))
	slices.SortFunc(list, func(a, b *loadedKind) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.kind.kind, b.kind.kind))
	})
	return list
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// count gives "1 object", "2 objects".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
