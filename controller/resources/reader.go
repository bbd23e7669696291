package resources

import "crypto/sha256"

// Reader loads the same files again and again, as a program does that follows their changes: the schemas are built
// once, and a document that hasn't changed since the last time isn't decoded and checked again. One goroutine at a
// time may use it.
type Reader struct {
	table kindTable
	// last holds the documents of the last Load.
	last map[documentKey]result
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
