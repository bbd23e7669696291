package haproxy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// lineLimit is the most bytes of a line of a map file. HAProxy cuts it at 16,383 without a word.
const lineLimit = 16000

// mapFile gathers the lines of a map file.
type mapFile struct{ data []byte }

func (m *mapFile) comment(text string) {
	m.data = append(m.data, "# "...)
	m.data = append(m.data, Comment(text)...)
	m.data = append(m.data, '\n')
}

func (m *mapFile) add(key, value string) {
	m.data = append(m.data, key...)
	m.data = append(m.data, ' ')
	m.data = append(m.data, value...)
	m.data = append(m.data, '\n')
}

// checkLine says that HAProxy would cut a line.
func checkLine(key, value string) error {
	if n := len(key) + 1 + len(value); n > lineLimit {
		return fmt.Errorf("it takes a line of %d bytes in a map of HAProxy, which reads at most %d: use fewer or shorter values in one match",
			n, lineLimit)
	}
	return nil
}

// entry is a line of a map file that is sorted before it is written, and the rule that it is from.
type entry struct {
	key, value string
	source     *model.Source
}

// sorted writes entries by key, with a comment wherever the rule changes.
func sorted(entries []entry) mapFile {
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	bytes := 0
	for i := range entries {
		bytes += len(entries[i].key) + len(entries[i].value)
	}
	m := mapFile{make([]byte, 0, bytes+perEntry*len(entries))}
	for i, e := range entries {
		if i == 0 || entries[i-1].source != e.source {
			m.comment(e.source.String())
		}
		m.add(e.key, e.value)
	}
	return m
}

// perEntry is about how many bytes an entry takes besides its key and value, with its comment.
const perEntry = 50

func (m *mapFile) file(path string) generators.File {
	return generators.File{Path: path, Data: m.data}
}
