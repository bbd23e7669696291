package haproxy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

// step is a kind of lookup, in the order in which a scope makes them.
type step struct {
	order int
	key   matching.Key
	depth int
}

// keyOf is the key of a value in routes.map, with what follows the value in all keys of a scope. A path begins with a
// slash, so no path looks like another step's key.
func (s step) keyOf(value, scope string) string {
	switch s.key {
	case matching.KeyPath:
		return value + scope
	case matching.KeyService, matching.KeyMethod, matching.KeyPrefix:
		return string(s.key) + ":" + value + scope
	}
	if s.order == matching.OrderRegex {
		return "regex" + scope
	}
	return "any" + scope
}

// needs is what the entries of one step of one scope ask for.
type needs struct {
	step
	// http says that it is a step of HTTPRoutes.
	http bool
	// sets are the columns that conditions look at, by the set's id.
	sets map[string][]column
	// all says that an entry has everySet for its sets.
	all bool
	// asked is how many expressions that aren't plain a call may be asked.
	asked int
}

// merged says that the step finds the longest prefix of all.
func (n *needs) merged() bool { return n.http && n.key == matching.KeyPrefix }

func newNeeds(s step) needs { return needs{step: s, sets: map[string][]column{}} }

// routes writes the tables as map files.
type routes struct {
	tables  *matching.Tables
	targets []string
	sides   sides
	// scopes are the names of the scopes.
	scopes []string
	// stages and needs are by scope, in the order of its steps.
	stages [][]matching.Stage
	needs  [][]needs

	routes, matches, prefixes []entry
	// ids name the entries with conditions of HTTPRoutes: the lookup of a prefix doesn't tell which one it found.
	ids     generators.IDs
	regexes mapFile
	// shapes are the hashes of the expressions that are in regexes.
	shapes map[string]bool
	// sets are those of each entry with conditions, and methods is the id of the set of methodColumns.
	sets    map[*matching.Entry][]*set
	methods string
	// refused are rules that HAProxy can't be told.
	refused *generators.Refusals
}

// newRoutes works out the lines of all map files but those of the ports.
func newRoutes(t *matching.Tables, targets []string, side sides, refused *generators.Refusals) *routes {
	r := &routes{tables: t, targets: targets, sides: side, scopes: t.ScopeNames(), needs: make([][]needs, len(t.Scopes)),
		shapes: map[string]bool{}, sets: map[*matching.Entry][]*set{}, refused: refused}
	entries := r.findStages()
	r.findSets()
	r.routes = make([]entry, 0, entries)
	for i := range t.Scopes {
		s := &t.Scopes[i]
		if r.scopes[i] == "" {
			// No class leads to it.
			continue
		}
		for j := range r.stages[i] {
			stage := &r.stages[i][j]
			n := newNeeds(step{stage.Order, stage.Key, stage.Depth})
			n.asked, n.http = s.LongPatterns, s.Kind == model.HTTPRoute
			for k := range stage.Entries {
				r.entry(&n, r.scopes[i], &stage.Entries[k])
			}
			r.needs[i] = append(r.needs[i], n)
		}
	}
	return r
}

// findStages finds the stages of all scopes that classes lead to, and counts their entries.
func (r *routes) findStages() int {
	entries := 0
	r.stages = make([][]matching.Stage, len(r.scopes))
	for i := range r.scopes {
		s := &r.tables.Scopes[i]
		switch {
		case r.scopes[i] == "":
		case s.Kind == model.HTTPRoute:
			r.stages[i] = r.httpStages(s)
		default:
			r.stages[i] = s.Stages
		}
		for j := range r.stages[i] {
			entries += len(r.stages[i][j].Entries)
		}
	}
	return entries
}

// live says that the configuration is changed while it runs.
func (r *routes) live() bool { return r.sides != (sides{}) }

// entry adds what one value of a step's key finds: a target, or "?;SET;…;|TARGET" with the sets of columns to look at and
// the target if none of them holds. There may be no set, and "|TARGET" may be missing. Behind the value stand the scope
// and the side. Behind the sets of HTTPRoutes stands "#" and the name that the keys of their values begin with.
func (r *routes) entry(n *needs, scope string, e *matching.Entry) {
	list, sided := &r.routes, n.keyOf(e.Value, "|"+scope+r.sides.suffix)
	if n.merged() {
		list, sided = &r.prefixes, r.prefixKey(scope, e.Value)
	}
	if !MapKey(sided) {
		return
	}
	value := ""
	switch {
	case len(e.Candidates) == 1 && len(e.Candidates[0].Conditions) == 0:
		value = r.targets[e.Candidates[0].Rule]
	case n.http:
		id := r.ids.Of(sided)
		value = r.conditional(n, id, "#"+id, e)
	default:
		value = r.conditional(n, strings.TrimSuffix(sided, r.sides.suffix), "", e)
	}
	if value != "" {
		r.line(list, sided, value, r.sourceOf(e))
	}
}

// line adds a line to a map that is sorted later, unless HAProxy would cut it.
func (r *routes) line(list *[]entry, key, value string, source *model.Source) {
	if err := checkLine(key, value); err != nil {
		r.refused.Rule(source, err)
		return
	}
	*list = append(*list, entry{key, value, source})
}

// conditional is the value of an entry whose candidates have conditions; key is what the keys of its values begin with, and
// name says so in the value.
func (r *routes) conditional(n *needs, key, name string, e *matching.Entry) string {
	fallback := ""
	if last := &e.Candidates[len(e.Candidates)-1]; len(last.Conditions) == 0 {
		fallback = r.targets[last.Rule]
	}
	list := r.sets[e]
	if len(list) == 0 {
		return fallback
	}
	for _, s := range list {
		if !r.readable(s) {
			continue
		}
		n.sets[s.id] = s.columns
		if s.regex {
			r.expressions(n, key, s)
			continue
		}
		for _, m := range s.members {
			r.line(&r.matches, key+"|"+s.id+valuesOf(m.conditions)+r.sides.suffix, strconv.Itoa(m.position)+";"+m.target, m.source)
		}
	}
	value := "?" + setsText(list) + name
	n.all = n.all || strings.HasPrefix(value, "?;"+everySet)
	if fallback != "" {
		value += "|" + fallback
	}
	return value
}

// readable refuses the rules of a set with a column that HAProxy can't read.
func (r *routes) readable(s *set) bool {
	for _, c := range s.columns {
		if _, err := c.fetches(); err != nil {
			for _, m := range s.members {
				if slices.ContainsFunc(m.conditions, func(x matching.Condition) bool { return x.Subject == c.subject && x.Name == c.name }) {
					r.refused.Rule(m.source, err)
				}
			}
			return false
		}
	}
	return true
}

// expressions writes the regular expressions of a set, unless another entry has the same ones. The hash of what they are
// is what subjects begin with; the entry says which one is its own.
func (r *routes) expressions(n *needs, key string, s *set) {
	starts, bodies := make([]string, len(s.members)), make([]string, len(s.members))
	for i, m := range s.members {
		starts[i], bodies[i] = pattern.Start(n.asked, regexesOf(m.conditions)...), subjectRegex(s.columns, m.conditions)
	}
	sum := sha256.Sum256([]byte(s.name + "\n" + strings.Join(starts, "") + strings.Join(bodies, "\n")))
	hash := hex.EncodeToString(sum[:8])
	key += "|" + s.id
	r.line(&r.matches, key+r.sides.suffix, hash, s.members[0].source)
	for i, m := range s.members {
		index, expression := strconv.Itoa(i), starts[i]+"^"+hash+bodies[i]+`\z`
		if err := checkLine(expression, index); err != nil {
			r.refused.Rule(m.source, err)
			continue
		}
		if !r.shapes[hash] {
			if i == 0 {
				r.regexes.comment(m.source.String() + " and what looks at the same values alike")
			}
			r.regexes.add(expression, index)
		}
		r.line(&r.matches, key+"|"+index+r.sides.suffix, strconv.Itoa(m.position)+";"+m.target, m.source)
	}
	r.shapes[hash] = true
}

// subjectRegex is the expression for a subject's columns, a newline before each.
func subjectRegex(columns []column, conditions []matching.Condition) string {
	var b strings.Builder
	for _, col := range columns {
		b.WriteString(`\n`)
		i := slices.IndexFunc(conditions, func(c matching.Condition) bool {
			return c.Subject == col.subject && c.Name == col.name
		})
		switch {
		case i < 0:
			b.WriteString(`[^\n]*`)
		case conditions[i].Regex != nil:
			b.WriteString(Regex(conditions[i].Regex))
		default:
			b.WriteString(Literal(conditions[i].Value))
		}
	}
	return b.String()
}

// neverHolds says that a condition compares with the empty value, which counts as absent.
func neverHolds(conditions []matching.Condition) bool {
	return slices.ContainsFunc(conditions, func(c matching.Condition) bool { return c.Regex == nil && c.Value == "" })
}

func regexesOf(conditions []matching.Condition) []*pattern.Pattern {
	var list []*pattern.Pattern
	for i := range conditions {
		if conditions[i].Regex != nil {
			list = append(list, conditions[i].Regex)
		}
	}
	return list
}

func hasRegex(conditions []matching.Condition) bool {
	return slices.ContainsFunc(conditions, func(c matching.Condition) bool { return c.Regex != nil })
}
