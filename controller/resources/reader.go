package resources

import (
	"crypto/sha256"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Reader loads the same files again and again, as a program does that follows their changes: the schemas are built
// once, a file that hasn't changed isn't read again, and a document that hasn't changed isn't decoded and checked again. One goroutine at a
// time may use it.
type Reader struct {
	table kindTable
	// read holds the texts of files that haven't changed for a while.
	read readings
	// last holds the documents of the last Load.
	last map[documentKey]result
	// good holds what each file was when it was good the last time, for Follow.
	good map[string][]result
}

// documentKey tells a document's content and place, for messages name the place.
type documentKey struct {
	source       string
	number, line int
	hash         [sha256.Size]byte
}

// NewReader returns a Reader that has read nothing yet.
func NewReader() *Reader { return &Reader{table: newKindTable()} }

// documents works out what every document holds.
func (r *Reader) documents(docs []document) []result {
	keys := make([]documentKey, len(docs))
	results := make([]result, len(docs))
	parallel(len(docs), func(i int) {
		keys[i] = documentKey{docs[i].source, docs[i].number, docs[i].line, sha256.Sum256(docs[i].data)}
		known, ok := r.last[keys[i]]
		if !ok {
			known = loadDocument(r.table, docs[i])
		}
		results[i] = known
	})
	r.last = make(map[documentKey]result, len(docs))
	for i := range docs {
		r.last[keys[i]] = results[i]
	}
	return results
}

// keepGood puts the last good results of files with problems in place of what they hold now, and remembers the files
// that are good.
func (r *Reader) keepGood(sources []source, docs []document, results []result, problems Problems) []result {
	bad := map[string]bool{}
	for _, p := range problems {
		bad[p.Source] = true
	}
	now := map[string][]result{}
	for i, d := range docs {
		if !bad[d.source] || len(results[i].problems) == 0 {
			now[d.source] = append(now[d.source], results[i])
		}
	}
	good := map[string][]result{}
	var out []result
	for _, s := range sources {
		before, known := r.good[s.name]
		if bad[s.name] && known {
			now[s.name] = before
		}
		if known || !bad[s.name] {
			good[s.name] = now[s.name]
		}
		out = append(out, now[s.name]...)
	}
	for _, name := range slices.Sorted(maps.Keys(r.good)) {
		if _, there := good[name]; !there && unreadable(name, bad) {
			good[name] = r.good[name]
			out = append(out, good[name]...)
		}
	}
	r.good = good
	return out
}

// unreadable says whether a file that isn't there any more is one of those, or in one of the folders, that can't be
// read.
func unreadable(name string, bad map[string]bool) bool {
	for path := range bad {
		if name == path || strings.HasPrefix(name, strings.TrimSuffix(path, string(filepath.Separator))+string(filepath.Separator)) {
			return true
		}
	}
	return false
}
