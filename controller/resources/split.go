package resources

import (
	"bytes"
	"encoding/json"
)

// maxDocuments is the most documents that one file may have: each of them may be a problem to tell.
const maxDocuments = 100_000

// document is one YAML or JSON document of a source.
type document struct {
	source string
	number int // from 1
	line   int // of the first byte of data, from 1
	data   []byte
}

// split cuts the content of a file at its document markers, so that documents are parsed in parallel. A line that
// starts with "---" or "..." is a marker wherever it stands, for YAML allows no other meaning there. Documents that hold
// nothing but comments and directives aren't counted. ok is false when there are more than maxDocuments.
func split(name string, data []byte) (docs []document, ok bool) {
	start, startLine, line := 0, 1, 1
	add := func(end int) {
		if text := data[start:end]; !blank(text) {
			docs = append(docs, splitJSON(document{source: name, number: len(docs) + 1, line: startLine, data: text})...)
		}
	}
	for pos := 0; pos < len(data) && len(docs) <= maxDocuments; line++ {
		next := len(data)
		if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		if marker(data[pos:next]) {
			add(pos)
			// What follows a marker on its line belongs to the next document.
			start, startLine = pos+3, line
		}
		pos = next
	}
	if len(docs) <= maxDocuments {
		add(len(data))
	}
	return docs, len(docs) <= maxDocuments
}

// marker says whether a line ends a document or starts one.
func marker(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return false
	}
	return len(line) == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\n' || line[3] == '\r'
}

// blank says whether a document holds only empty lines, comments and directives.
func blank(data []byte) bool {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if bytes.HasPrefix(line, []byte("%")) {
			continue
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// splitJSON cuts a document that is a row of JSON values, as "kubectl get -o json" of several calls makes. A document
// that isn't JSON is left as it is: YAML may start with a brace too.
func splitJSON(d document) []document {
	text := bytes.TrimSpace(d.data)
	if len(text) == 0 || text[0] != '{' {
		return []document{d}
	}
	var docs []document
	decoder := json.NewDecoder(bytes.NewReader(d.data))
	line, counted := d.line, 0
	for decoder.More() && d.number+len(docs) <= maxDocuments+1 {
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return []document{d}
		}
		begin := int(decoder.InputOffset()) - len(value)
		line += bytes.Count(d.data[counted:begin], []byte("\n"))
		counted = begin
		docs = append(docs, document{source: d.source, number: d.number + len(docs), line: line, data: value})
	}
	return docs
}
