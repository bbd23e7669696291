package haproxy

import (
	"reflect"
	"strings"
	"testing"
)

// lines reads a list as a worker tells it: entries by ";", each "PAIR:LINE NAME …".
func lines(text string) []listEntry {
	var list []listEntry
	for part := range strings.SplitSeq(text, ";") {
		if words := strings.Fields(part); len(words) > 0 {
			list = append(list, readListEntry(words))
		}
	}
	return list
}

func TestListDifference(t *testing.T) {
	for name, c := range map[string]struct {
		running, want  string
		added, removed string
		misplaced      string
	}{
		"nothing":                         {running: "d:1 !*; p:2 a b", want: "d !*;p a b"},
		"a name":                          {running: "d:1 !*; p:2 a", want: "d !*;p a b", added: "p:0 b"},
		"a key pair":                      {running: "d:1 !*; p:2 a", want: "d !*;p a;q b", added: "q:0 b"},
		"another key pair":                {running: "d:1 !*; p:2 a b", want: "d !*;q a b", added: "q:0 a b", removed: "p:2 a b"},
		"a name fewer":                    {running: "d:1 !*; p:2 a b c", want: "d !*;p a c", added: "p:0 a c", removed: "p:2 a b c"},
		"a name fewer of two key pairs":   {running: "p:1 a b; q:2 a b", want: "p a;q a", added: "p:0 a; q:0 a", removed: "p:1 a b; q:2 a b"},
		"names in other lines":            {running: "p:1 a; p:4 b", want: "p a b"},
		"a name twice":                    {running: "p:1 a", want: "p a;p a b;q a", added: "p:0 b; q:0 a"},
		"a key pair that has to be first": {running: "q:1 a", want: "p a;q a", added: "p:0 a", misplaced: "a"},
	} {
		want := readList(strings.ReplaceAll(c.want, ";", "\n"))
		running := lines(c.running)
		added, removed := listDifference(running, want)
		if !reflect.DeepEqual(added, lines(c.added)) || !reflect.DeepEqual(removed, lines(c.removed)) {
			t.Errorf("%s: added %v, removed %v", name, added, removed)
		}
		if got := misplaced(running, removed, added, want); got != c.misplaced {
			t.Errorf("%s: misplaced %q, want %q", name, got, c.misplaced)
		}
	}
}
