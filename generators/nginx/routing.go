package nginx

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
)

// router writes the maps that find the rule of a request: $gw_rule from $gw_scope, which each server{} sets.
type router struct {
	tables  *matching.Tables
	blocks  *blocks
	ids     *generators.IDs
	columns columns
	shapes  shapes
	// sources name the rules, rules and scopes are the ids that stand for them in maps.
	sources, rules, scopes []string
	// digits is the width of a candidate's position, all nines being none.
	digits int
	// warm are the variables that have to be asked for first.
	warm []string
	// checks are the variables that look whether the path is ambiguous.
	checks map[string]bool
	// refused are rules that nginx can't be told.
	refused *generators.Refusals
}

// nesting is how deep variables may ask for each other before one in the middle is asked for first, with room
// for what leads to a rule and for the conditions of one entry: nginx gives up at 100.
const nesting = 40

// step is a stage at one level: the stages of several scopes that look the same key up, in one map.
type step struct {
	order int
	key   matching.Key
	depth int
	// name is the variable that the step is asked by, next the token of what goes on after a miss.
	name, next string
	stages     []scopeStage
}

type scopeStage struct {
	scope int
	stage *matching.Stage
}

// render writes all maps of the router.
func (r *router) render() error {
	r.digits = r.positionDigits()
	levels := r.levels()
	if r.tables.HasHTTP() {
		r.warm = r.jump(levels)
	} else {
		first := link(levels)
		r.blocks.add(Map{Comment: "The rule of a call: the first one found.", Source: `""`, Name: "gw_rule", Default: first})
		r.warm = warm(levels)
	}
	for level, steps := range levels {
		if level > 0 {
			r.parents(level)
		}
		for _, s := range steps {
			if err := r.step(s, level); err != nil {
				return err
			}
		}
	}
	if err := r.shapes.render(r); err != nil {
		return err
	}
	return r.columns.render(r.blocks)
}

// levels merges the stages of all scopes into steps, by level and order.
func (r *router) levels() [][]*step {
	var levels [][]*step
	for i := range r.tables.Scopes {
		s := &r.tables.Scopes[i]
		if r.scopes[i] == "" {
			continue
		}
		for len(levels) <= s.Level {
			levels = append(levels, nil)
		}
		for j := range s.Stages {
			stage := &s.Stages[j]
			steps := levels[s.Level]
			k, found := slices.BinarySearchFunc(steps, stage.Order, func(s *step, order int) int { return cmp.Compare(s.order, order) })
			if !found {
				fresh := &step{order: stage.Order, key: stage.Key, depth: stage.Depth}
				steps = slices.Insert(steps, k, fresh)
				levels[s.Level] = steps
			}
			steps[k].stages = append(steps[k].stages, scopeStage{i, stage})
		}
	}
	return levels
}

// link names the variables of the steps, each of which goes on to the next. It returns the first one's token, for none the empty one.
func link(levels [][]*step) string {
	next := `""`
	for level, steps := range slices.Backward(levels) {
		for _, s := range slices.Backward(steps) {
			s.name, s.next = fmt.Sprintf("gw_rule_%d_%s", level, s.label()), next
			next = "$" + s.name
		}
	}
	return next
}

// label is what a step looks up, as the name of its variable has it.
func (s *step) label() string {
	switch {
	case s.key == matching.KeyPrefix:
		return "prefix_" + strconv.Itoa(s.depth)
	case s.key != matching.KeyNone:
		return string(s.key)
	case s.order == matching.OrderRegex:
		return "regex"
	}
	return "any"
}

// warm breaks chains that would be too deep for nginx: it caches what it asked for, so a chain whose end is
// known is as long as the rest of it. Few hostnames are nested so deep.
func warm(levels [][]*step) []string {
	var scopes, rules []string
	depth := 0
	for level := len(levels) - 1; level >= 0; level-- {
		for _, s := range slices.Backward(levels[level]) {
			// A miss may go through the choice among an entry's candidates.
			if depth += 2; depth >= nesting {
				rules = append(rules, s.name)
				depth = 0
			}
		}
	}
	for level := nesting; level < len(levels); level += nesting {
		scopes = append(scopes, scopeVariable(level))
	}
	return append(scopes, rules...)
}

// scopeVariable is the scope that decides at a level.
func scopeVariable(level int) string {
	if level == 0 {
		return "gw_scope"
	}
	return "gw_scope_" + strconv.Itoa(level)
}

// parents leads the scopes of the level before to their parents; scopes of higher levels wait.
func (r *router) parents(level int) {
	before := scopeVariable(level - 1)
	b := r.blocks.add(Map{
		Comment: "Wider hostnames: where scopes that found no rule go on.",
		Source:  "$" + before, Name: scopeVariable(level), Default: "$" + before,
	})
	for i := range r.tables.Scopes {
		s := &r.tables.Scopes[i]
		if s.Level != level-1 || r.scopes[i] == "" {
			continue
		}
		parent := `""`
		if s.Parent >= 0 {
			parent = r.scopes[s.Parent]
		}
		b.entry(r.scopes[i], parent, hostname(s.Hostname))
	}
}

// keyColumn is the column that a step looks up; nil for KeyNone.
func (r *router) keyColumn(s *step) (*column, error) {
	switch s.key {
	case matching.KeyNone:
		return nil, nil
	case matching.KeyPath:
		return r.columns.of(matching.SubjectPath, "")
	case matching.KeyService:
		return r.columns.of(matching.SubjectService, "")
	case matching.KeyMethod:
		return r.columns.of(matching.SubjectMethod, "")
	case matching.KeyPrefix:
		return r.columns.of(subjectPrefix, strconv.Itoa(s.depth))
	}
	return nil, fmt.Errorf("stages with the key %q aren't rendered for nginx", s.key)
}

// step writes the map of one step, and those for its entries with conditions.
func (r *router) step(s *step, level int) error {
	col, err := r.keyColumn(s)
	if err != nil {
		return err
	}
	source, what := "$"+scopeVariable(level), "any path"
	if col != nil {
		source, what = `"$`+scopeVariable(level)+`:$`+col.id+`"`, col.what
	}
	main := r.blocks.add(Map{Comment: "Rules by " + what + ".", Source: source, Name: s.name, Default: s.next})
	behind := len(r.blocks.list)
	defer func() { r.blocks.sortFrom(behind) }()
	chooser := chooser{router: r, name: s.name, source: source, next: s.next, blocks: map[string]*block{}}
	for _, st := range s.stages {
		for i := range st.stage.Entries {
			e := &st.stage.Entries[i]
			key := r.scopes[st.scope]
			if col != nil {
				key += ":" + col.idOf(e.Value)
			}
			if len(e.Candidates[0].Conditions) == 0 {
				rule := e.Candidates[0].Rule
				main.entry(key, r.rules[rule], r.about(rule, st.scope, e.Value))
				continue
			}
			variable, err := chooser.add(key, &r.tables.Scopes[st.scope], e)
			if err != nil {
				return fmt.Errorf("%s: %w", r.tables.Rules[e.Candidates[0].Rule].Source, err)
			}
			main.entry(key, variable, fmt.Sprintf("%s: first of %d", r.about(e.Candidates[0].Rule, st.scope, e.Value), len(e.Candidates)))
		}
	}
	return nil
}

// about is the comment behind a rule: which one it is, and for what.
func (r *router) about(rule, scope int, value string) string {
	return strings.TrimSpace(r.sources[rule] + ", " + hostname(r.tables.Scopes[scope].Hostname) + " " + value)
}

// positionDigits is how many digits the positions of candidates take: hardly ever more than three.
func (r *router) positionDigits() int {
	most := 0
	for i := range r.tables.Scopes {
		for _, stage := range r.tables.Scopes[i].Stages {
			for _, e := range stage.Entries {
				most = max(most, len(e.Candidates))
			}
		}
	}
	return max(3, len(strconv.Itoa(most+1)))
}

// prefixes are the depths of all prefix stages, in order.
func (r *router) prefixes() []int {
	depths := map[int]bool{}
	for i := range r.tables.Scopes {
		for _, stage := range r.tables.Scopes[i].Stages {
			if stage.Key == matching.KeyPrefix {
				depths[stage.Depth] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(depths))
}

// hostname is a hostname for comments.
func hostname(h string) string {
	if h == "" {
		return "*"
	}
	return h
}
