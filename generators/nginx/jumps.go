package nginx

import (
	"fmt"

	"github.com/gatewright/gatewright/generators/model"
)

// Scopes of HTTPRoutes look prefixes up, a step for each number of segments. The steps of all scopes are one chain, so each
// scope jumps over those that it has nothing in: one team's deep prefixes cost no other team's requests.

// jumper links the steps of each scope.
type jumper struct {
	*router
	levels [][]*step
	// own are the steps of each scope, in order.
	own map[int][]*step
}

// jump links the steps by scope and returns the variables to ask for first.
func (r *router) jump(levels [][]*step) []string {
	link(levels) // for the names
	j := &jumper{router: r, levels: levels, own: map[int][]*step{}}
	for _, steps := range levels {
		for _, s := range steps {
			for _, st := range s.stages {
				j.own[st.scope] = append(j.own[st.scope], s)
			}
		}
	}
	begin := r.blocks.add(Map{Comment: "The rule of a request: where its scope begins to look.", Source: "$" + scopeVariable(0),
		Name: "gw_rule", Default: j.entry(1)})
	for i := range r.tables.Scopes {
		s := &r.tables.Scopes[i]
		if r.scopes[i] == "" {
			continue
		}
		first := j.entry(1)
		if s.Level == 0 && len(j.own[i]) > 0 {
			first = "$" + j.own[i][0].name
		}
		if s.Kind == model.HTTPRoute {
			first = j.checked(first)
		}
		if first != begin.Default {
			begin.entry(r.scopes[i], first, hostname(s.Hostname))
		}
	}
	for level := range levels {
		j.level(level)
	}
	return j.warm()
}

// entry is the token of where a level begins; there is nothing behind the last.
func (j *jumper) entry(level int) string {
	if level >= len(j.levels) {
		return `""`
	}
	return fmt.Sprintf("$gw_level_%d", level)
}

// level links the steps of one level.
func (j *jumper) level(level int) {
	behind := j.entry(level + 1)
	if level > 0 {
		begin := j.blocks.add(Map{Comment: "Where wider hostnames begin to look.", Source: "$" + scopeVariable(level),
			Name: j.entry(level)[1:], Default: behind})
		for i := range j.tables.Scopes {
			if s := &j.tables.Scopes[i]; s.Level == level && len(j.own[i]) > 0 {
				begin.entry(j.scopes[i], "$"+j.own[i][0].name, hostname(s.Hostname))
			}
		}
	}
	for _, s := range j.levels[level] {
		s.next = behind
		var after *block
		for _, st := range s.stages {
			next := j.after(s, st.scope)
			if next == nil {
				continue
			}
			if after == nil {
				after = j.blocks.add(Map{Comment: "Where a miss goes on.", Source: "$" + scopeVariable(level),
					Name: "gw_after_" + s.name[len("gw_rule_"):], Default: behind})
				s.next = "$" + after.Name
			}
			after.entry(j.scopes[st.scope], "$"+next.name, "")
		}
	}
}

// after is the step of a scope behind another one of its steps, or nil.
func (j *jumper) after(s *step, scope int) *step {
	own := j.own[scope]
	for i := range own[:len(own)-1] {
		if own[i] == s {
			return own[i+1]
		}
	}
	return nil
}

// checked is a token that finds nothing where the path is ambiguous (R36).
func (j *jumper) checked(first string) string {
	if first == `""` {
		return first
	}
	name := "gw_checked_" + first[len("$gw_"):]
	if j.checks[name] {
		return "$" + name
	}
	if j.checks == nil {
		j.checks = map[string]bool{}
	}
	j.checks[name] = true
	b := j.blocks.add(Map{Comment: "The same, unless the path is ambiguous.", Source: "$gw_ambiguous", Name: name, Default: first})
	b.entry("1", `""`, "")
	return "$" + name
}

const (
	// jumpNesting is how many variables ask for each other from one step of a scope to its next.
	jumpNesting = 3
	// jumpSteps is how many steps may follow each other before one is asked for first.
	jumpSteps = 10
)

// warm is what breaks chains of jumps that would be too deep for nginx, see warm. Only a scope that has many steps itself
// pays for them.
func (j *jumper) warm() []string {
	var scopes, rules []string
	depth := 0
	for level := len(j.levels) - 1; level >= 0; level-- {
		longest := 0
		for i, own := range j.own {
			if j.tables.Scopes[i].Level == level {
				longest = max(longest, len(own))
			}
		}
		need := jumpNesting*min(longest, jumpSteps) + 1
		if depth > 0 && depth+need > nesting {
			rules = append(rules, j.entry(level + 1)[1:])
			depth = 0
		}
		depth += need
		for n := jumpSteps; n < longest; n += jumpSteps {
			rules = append(rules, j.deep(level, n))
		}
	}
	for level := nesting; level < len(j.levels); level += nesting {
		scopes = append(scopes, scopeVariable(level))
	}
	return append(scopes, rules...)
}

// deep is a variable with the step of each scope that so many others stand behind.
func (j *jumper) deep(level, behind int) string {
	b := j.blocks.add(Map{Comment: "Scopes with many steps.", Source: "$" + scopeVariable(level),
		Name: fmt.Sprintf("gw_deep_%d_%d", level, behind)})
	for i := range j.tables.Scopes {
		if own := j.own[i]; j.tables.Scopes[i].Level == level && len(own) > behind {
			b.entry(j.scopes[i], "$"+own[len(own)-behind].name, "")
		}
	}
	return b.Name
}
