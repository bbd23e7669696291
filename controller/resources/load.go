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

// Load is the function Load, with what earlier calls have worked out.
func (r *Reader) Load(filenames []string, stdin io.Reader) (*Snapshot, []Note, error) {
	snapshot, notes, problems := r.load(r.readFiles(filenames, stdin), false)
	if len(problems) > 0 {
		return nil, notes, problems
	}
	return snapshot, notes, nil
}

// Follow is Load for a program that goes on when something is wrong: a bad file costs only itself (R31). It counts as
// it was when it was good the last time; one that never was counts with its documents that are. What can't be read
// stays as it was. The snapshot is never nil.
func (r *Reader) Follow(filenames []string) (*Snapshot, []Note, Problems) {
	return r.load(r.readFiles(filenames, nil), true)
}

func (r *Reader) readFiles(filenames []string, stdin io.Reader) *files {
	input := &files{seen: map[string]bool{}, before: r.read, now: readings{}}
	for _, name := range filenames {
		input.add(name, stdin)
	}
	r.read = input.now
	return input
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

// load reads sources: documents in parallel, then all results in the input's order.
func (r *Reader) load(input *files, follow bool) (*Snapshot, []Note, Problems) {
	notes, problems := input.notes, input.problems
	var docs []document
	for _, s := range input.sources {
		found, ok := split(s)
		switch {
		case !ok:
			problems = append(problems, Problem{Source: s.name, Text: fmt.Sprintf("more than %d documents: split the file", maxDocuments)})
			continue
		case len(found) == 0:
			notes = append(notes, Note{Source: s.name, Text: "no object in this file"})
		}
		docs = append(docs, found...)
	}
	results := r.documents(docs)
	for _, r := range results {
		problems = append(problems, r.problems...)
	}
	if follow {
		results = r.keepGood(input.sources, docs, results, problems)
	}
	snapshot, more, twice := assemble(results)
	return snapshot, append(notes, more...), append(problems, twice...)
}

// assemble puts the objects of all documents together. Of the same object in two places the first counts.
func assemble(results []result) (*Snapshot, []Note, Problems) {
	var notes []Note
	var problems Problems
	snapshot := &Snapshot{}
	ignored := map[string]int{}
	places := map[string]string{}
	for _, r := range results {
		notes = append(notes, r.notes...)
		for _, kind := range r.ignored {
			ignored[kind]++
		}
		for _, o := range r.objects {
			at := place(o.doc.source, o.doc.number, o.line)
			if first, twice := places[o.id+o.kind.group]; twice {
				p := o.doc.problem(o.line, "", "the same object is in "+first+": remove one of them")
				p.Object = o.id
				problems = append(problems, p)
				continue
			}
			places[o.id+o.kind.group] = at
			o.kind.append(snapshot, o.object)
		}
	}
	for _, kind := range sortedKeys(ignored) {
		notes = append(notes, Note{Object: kind, Text: fmt.Sprintf("%s ignored: gatewright has no use for this kind", count(ignored[kind], "object"))})
	}
	return snapshot, notes, problems
}

func newKindTable() kindTable {
	table := kindTable{}
	for _, k := range kinds() {
		table[[2]string{k.group, k.kind}] = &loadedKind{
			kind:   k,
			schema: sync.OnceValues(func() (*schema, error) { return newSchema(k.resource) }),
		}
	}
	return table
}

func loadDocument(table kindTable, doc document) result {
	t, problems := decode(doc)
	if len(problems) > 0 {
		return result{problems: problems}
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
