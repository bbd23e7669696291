package haproxy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// copies is how many candidates of shorter prefixes the entries of one scope may repeat: each is a line of matches.map.
const copies = 200_000

// httpStages are the stages of a scope of HTTPRoutes with all prefixes in one, of depth 0: one lookup finds the longest.
// An entry has the candidates of its shorter prefixes too, so that a miss needs no other lookup.
func (r *routes) httpStages(s *matching.Scope) []matching.Stage {
	var stages []matching.Stage
	var all []matching.Entry
	for i := range s.Stages {
		st := &s.Stages[i]
		if st.Key == matching.KeyPrefix || st.Order == matching.OrderRest {
			all = append(all, st.Entries...)
		} else {
			stages = append(stages, *st)
		}
	}
	if len(all) == 0 {
		return stages
	}
	slices.SortFunc(all, func(a, b matching.Entry) int { return strings.Compare(a.Value, b.Value) })
	byValue, kept, copied := map[string]*matching.Entry{}, all[:0:0], &copied{routes: r, by: map[int]int{}, out: map[int]bool{}}
	for i := range all {
		e := &all[i]
		if e.Candidates = copied.left(e.Candidates); len(e.Candidates) == 0 {
			continue
		}
		if shorter := shorterPrefix(byValue, e.Value); shorter != nil && !closed(e.Candidates) {
			next := copied.left(shorter.Candidates)
			copied.count(e.Candidates, next)
			e.Candidates = merged(e.Candidates, next)
		}
		byValue[e.Value] = e
		kept = append(kept, *e)
	}
	return append(stages, matching.Stage{Order: matching.OrderRest, Key: matching.KeyPrefix, Entries: kept})
}

// copied are the candidates that entries of one scope repeat. A copy counts for the younger one of the two rules that make
// it; where there are too many, the youngest rules are refused, whosever entry is the one too many (R42).
type copied struct {
	*routes
	lines int
	// by has the lines of each rule, out the rules that are refused.
	by  map[int]int
	out map[int]bool
}

// left are the candidates without those of rules that are refused.
func (c *copied) left(list []matching.Candidate) []matching.Candidate {
	if len(c.out) == 0 {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(x matching.Candidate) bool { return c.out[x.Rule] })
}

// count takes copies of candidates into an entry in.
func (c *copied) count(entry, next []matching.Candidate) {
	oldest := entry[0].Rule
	for _, x := range entry[1:] {
		if c.younger(oldest, x.Rule) {
			oldest = x.Rule
		}
	}
	for _, x := range next {
		by := x.Rule
		if c.younger(oldest, by) {
			by = oldest
		}
		c.by[by]++
	}
	for c.lines += len(next); c.lines > copies; {
		youngest := -1
		for rule := range c.by {
			if youngest < 0 || c.younger(rule, youngest) {
				youngest = rule
			}
		}
		c.refused.Rule(&c.tables.Rules[youngest].Source, fmt.Errorf("rules with conditions under nested prefixes take more "+
			"than %d lines of a map together, and the youngest go first: give fewer of them conditions", copies))
		c.lines -= c.by[youngest]
		c.out[youngest] = true
		delete(c.by, youngest)
	}
}

// younger compares two rules by the ages of their routes, and by their places in one.
func (c *copied) younger(a, b int) bool {
	x, y := &c.tables.Rules[a].Source, &c.tables.Rules[b].Source
	return cmp.Or(ageOf(x).Compare(ageOf(y)), cmp.Compare(x.Rule, y.Rule)) > 0
}

func ageOf(s *model.Source) model.Age {
	return model.Age{Created: s.Created, Namespace: s.Namespace, Name: s.Name}
}

// sourceOf is the first rule of an entry.
func (r *routes) sourceOf(e *matching.Entry) *model.Source {
	return &r.tables.Rules[e.Candidates[0].Rule].Source
}

// shorterPrefix is the entry of the longest prefix that a prefix has, or nil.
func shorterPrefix(entries map[string]*matching.Entry, prefix string) *matching.Entry {
	for prefix != "" {
		prefix = prefix[:strings.LastIndexByte(prefix, '/')]
		if e := entries[prefix]; e != nil {
			return e
		}
	}
	return nil
}

// closed says that the last candidate has no conditions.
func closed(list []matching.Candidate) bool { return len(list[len(list)-1].Conditions) == 0 }

// merged is candidates with those that come next, without any whose conditions are there already.
func merged(first, next []matching.Candidate) []matching.Candidate {
	seen := make(map[string]bool, len(first))
	for i := range first {
		seen[conditionsKey(first[i].Conditions)] = true
	}
	list := slices.Clip(first)
	for _, c := range next {
		if !seen[conditionsKey(c.Conditions)] {
			list = append(list, c)
		}
	}
	return list
}

// conditionsKey is the same for the same conditions only.
func conditionsKey(conditions []matching.Condition) string {
	var b strings.Builder
	for i := range conditions {
		c := &conditions[i]
		value := c.Value
		if c.Regex != nil {
			value = c.Regex.String()
		}
		fmt.Fprintf(&b, "%s %q %t %q\n", c.Subject, c.Name, c.Regex != nil, value)
	}
	return b.String()
}

// prefixKey is the key of a prefix in prefixes.map: the longest key that a lookup begins with is found, so the scope and
// the side stand in front, and a slash behind.
func (r *routes) prefixKey(scope, prefix string) string {
	return scope + r.sides.suffix + "|" + prefix + "/"
}
