package haproxy

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// set is the candidates of an entry that look at the same columns: those with exact conditions only are found by one
// lookup with all their values, those with regular expressions by expressions over all columns.
type set struct {
	columns []column
	regex   bool
	members []member
	// name tells the set's columns from those of all others; id stands for it in maps, whose lines have a limit.
	name, id string
}

type member struct {
	conditions []matching.Condition
	position   int
	target     string
	source     *model.Source
}

// most is how many columns the expressions of one set may look at: each is in every expression of the set, and the values
// of all of them stand in one text.
const most = 48

// setsOf parts the candidates of an entry with conditions that can hold, in their order.
func (r *routes) setsOf(e *matching.Entry) []*set {
	var list []*set
	byName := map[string]*set{}
	var last *set // of those with regular expressions
	for i := range e.Candidates {
		c := &e.Candidates[i]
		if len(c.Conditions) == 0 || neverHolds(c.Conditions) {
			continue
		}
		m := member{c.Conditions, i, r.targets[c.Rule], &r.tables.Rules[c.Rule].Source}
		regex := hasRegex(c.Conditions)
		columns := columnsOf(c.Conditions, regex)
		name := setName(columns, regex)
		s := byName[name]
		if s == nil && regex && last != nil {
			if both := union(last.columns, columns); len(both) <= most {
				s, last.columns = last, both
			}
		}
		if s == nil {
			s = &set{columns: columns, regex: regex}
			list = append(list, s)
		}
		if regex {
			last = s
		}
		byName[name] = s
		s.members = append(s.members, m)
	}
	return list
}

// columnsOf are the columns of conditions; regular expressions look at values as they are.
func columnsOf(conditions []matching.Condition, regex bool) []column {
	columns := make([]column, len(conditions))
	for i := range conditions {
		columns[i] = columnOf(&conditions[i])
		columns[i].digest = columns[i].digest && !regex
	}
	if regex {
		slices.SortFunc(columns, compareColumns)
	}
	return columns
}

// union is the columns of two sorted lists, sorted.
func union(a, b []column) []column {
	all := slices.Concat(a, b)
	slices.SortFunc(all, compareColumns)
	return slices.Compact(all)
}

// setName tells lists of columns apart; no column has a slash.
func setName(columns []column, regex bool) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.String()
	}
	kind := "="
	if regex {
		kind = "~"
	}
	return kind + strings.Join(names, "/")
}

// findSets finds the sets of all entries with conditions and gives each an id. That of a set with expressions begins
// with "~".
func (r *routes) findSets() {
	ids := map[string]string{setName(methodColumns, false): ""}
	for i := range r.stages {
		for j := range r.stages[i] {
			entries := r.stages[i][j].Entries
			for k := range entries {
				e := &entries[k]
				if len(e.Candidates) == 1 && len(e.Candidates[0].Conditions) == 0 {
					continue
				}
				list := r.setsOf(e)
				r.sets[e] = list
				for _, s := range list {
					s.name = setName(s.columns, s.regex)
					ids[s.name] = ""
				}
			}
		}
	}
	var names generators.IDs
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		ids[name] = names.Of(name)
		if name[0] == '~' {
			ids[name] = "~" + ids[name]
		}
	}
	for _, list := range r.sets {
		for _, s := range list {
			s.id = ids[s.name]
		}
	}
	r.methods = ids[setName(methodColumns, false)]
}

// methodColumns are the columns of matches for a method: a configuration that is changed while it runs always asks for them.
var methodColumns = []column{{subject: matching.SubjectHTTPMethod}}

// everySet stands for all sets that the step of an entry knows. An entry has too many of its own for a line.
const everySet = "*"

// setsBytes is the most that the sets of an entry take in a line.
const setsBytes = 2000

// setsText lists the sets of an entry, with a semicolon before and behind each.
func setsText(list []*set) string {
	var b strings.Builder
	b.WriteByte(';')
	for _, s := range list {
		if b.Len() > setsBytes {
			return ";" + everySet + ";"
		}
		b.WriteString(s.id + ";")
	}
	return b.String()
}
