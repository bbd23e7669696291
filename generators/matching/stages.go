package matching

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// place says in which stage a match is looked up, and under which value. Stages are tried in the order of
// their number: it follows rankOf, so that what an earlier stage finds always goes before what a later one
// finds.
type place struct {
	order int
	key   Key
	depth int
	value string
}

// The orders of stages. Prefixes stand before OrderRest, the deepest first. Two have no key: OrderRegex is for what has
// regular expressions for the path, OrderRest for what looks at no path.
const (
	OrderPath = iota
	OrderService
	OrderRegex
	OrderMethod
	OrderRest = 1 << 30
)

func placeOf(m *model.Match) place {
	p := &m.Path
	switch p.Kind {
	case model.ExactPath:
		return place{OrderPath, KeyPath, 0, p.Value}
	case model.ServicePath:
		return place{OrderService, KeyService, 0, p.Service}
	case model.MethodPath:
		return place{OrderMethod, KeyMethod, 0, p.Method}
	case model.RegexPath:
		return place{OrderRegex, KeyNone, 0, ""}
	case model.SegmentsPath:
		if p.ServiceRegex != nil {
			return place{OrderRegex, KeyNone, 0, ""}
		}
	case model.PrefixPath:
		if depth := strings.Count(p.Value, "/"); depth > 0 {
			return place{OrderRest - depth, KeyPrefix, depth, p.Value}
		}
	}
	return place{OrderRest, KeyNone, 0, ""}
}

// placed is one match of one rule with its place.
type placed struct {
	place
	ref
}

// slot gathers the candidates of one place.
type slot struct {
	candidates []Candidate
	// closed says that the last candidate has no conditions.
	closed bool
	// seen holds the conditions of the candidates, once there are two.
	seen map[string]bool
}

// repeats says whether an earlier candidate has the same conditions: this one can't win.
func (s *slot) repeats(conditions []Condition) bool {
	if len(s.candidates) == 0 || len(conditions) == 0 {
		return false
	}
	if s.seen == nil {
		s.seen = map[string]bool{conditionsText(s.candidates[0].Conditions): true}
	}
	text := conditionsText(conditions)
	if s.seen[text] {
		return true
	}
	s.seen[text] = true
	return false
}

// stages parts the matches of a scope into stages.
func (c *compiler) stages(refs []ref) []Stage {
	list := make([]placed, len(refs))
	for i, r := range refs {
		list[i] = placed{placeOf(&c.tables.Rules[r.rule].Matches[r.match]), r}
	}
	slices.SortFunc(list, func(a, b placed) int {
		if order := cmp.Or(cmp.Compare(a.order, b.order), strings.Compare(a.value, b.value)); order != 0 {
			return order
		}
		return c.compare(a.ref, b.ref)
	})
	var stages []Stage
	// One allocation for the candidates of all entries.
	room := make([]Candidate, 0, len(list))
	for i := 0; i < len(list); {
		at := &list[i].place
		s := slot{candidates: room[len(room):]}
		same := i
		for ; same < len(list) && list[same].order == at.order && list[same].value == at.value; same++ {
			c.add(&s, list[same].ref)
		}
		if i == 0 || list[i-1].order != at.order {
			stages = append(stages, Stage{Order: at.order, Key: at.key, Depth: at.depth})
		}
		n := len(s.candidates)
		room = room[:len(room)+n]
		stage := &stages[len(stages)-1]
		stage.Entries = append(stage.Entries, Entry{Value: at.value, Candidates: s.candidates[:n:n]})
		i = same
	}
	return stages
}

// add adds the next match by precedence to its slot, unless it can't win.
func (c *compiler) add(s *slot, r ref) {
	if s.closed {
		return
	}
	conditions := conditionsOf(&c.tables.Rules[r.rule].Matches[r.match])
	if s.repeats(conditions) {
		return
	}
	s.candidates = append(s.candidates, Candidate{Rule: r.rule, Match: r.match, Conditions: conditions})
	s.closed = len(conditions) == 0
}

// conditionsOf returns what a lookup by placeOf leaves to check.
func conditionsOf(m *model.Match) []Condition {
	var cs []Condition
	switch p := &m.Path; p.Kind {
	case model.RegexPath:
		cs = append(cs, Condition{Subject: SubjectPath, Regex: p.Regex})
	case model.SegmentsPath:
		if p.MethodRegex != nil {
			cs = append(cs, Condition{Subject: SubjectMethod, Regex: p.MethodRegex})
		}
		if p.ServiceRegex != nil {
			cs = append(cs, Condition{Subject: SubjectService, Regex: p.ServiceRegex})
		}
	}
	if m.Method != "" {
		cs = append(cs, Condition{Subject: SubjectHTTPMethod, Value: m.Method})
	}
	for _, h := range m.Headers {
		cs = append(cs, Condition{Subject: SubjectHeader, Name: h.Name, Value: h.Value, Regex: h.Regex})
	}
	for _, q := range m.Query {
		cs = append(cs, Condition{Subject: SubjectQuery, Name: q.Name, Value: q.Value, Regex: q.Regex})
	}
	if len(cs) < 2 {
		return cs
	}
	slices.SortFunc(cs, func(a, b Condition) int {
		return cmp.Or(strings.Compare(string(a.Subject), string(b.Subject)), strings.Compare(a.Name, b.Name))
	})
	return cs
}

// conditionsText is the same for the same conditions only.
func conditionsText(cs []Condition) string {
	var b strings.Builder
	for _, c := range cs {
		value := c.Value
		if c.Regex != nil {
			value = c.Regex.String()
		}
		fmt.Fprintf(&b, "%s %q %t %q\n", c.Subject, c.Name, c.Regex != nil, value)
	}
	return b.String()
}
