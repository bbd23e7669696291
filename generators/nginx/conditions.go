package nginx

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/matching"
)

// chooser writes the maps that choose among the candidates of the entries of one step. The candidates of an
// entry are numbered; the lowest one that holds wins:
//   - those with exact conditions only are hashed: one lookup for each distinct tuple of columns,
//   - those with regular expressions are a shape, asked in order,
//   - the lowest of these positions finds the rule.
//
// So a call costs what the distinct tuples of its entry cost, however many candidates there are.
type chooser struct {
	router *router
	// name is the step's variable, source what it looks up, next where a miss goes on.
	name, source, next string

	// blocks are by what they look up, which names them too.
	blocks map[string]*block
}

// block returns the map with a source, a new one at its first call.
func (c *chooser) block(kind, comment, source, otherwise string) *block {
	b := c.blocks[source]
	if b == nil {
		name := c.name + "_" + kind + "_" + c.router.ids.Of(source)
		b = c.router.blocks.add(Map{Comment: comment, Source: source, Name: name, Default: otherwise})
		c.blocks[source] = b
	}
	return b
}

// with is the token of what the step looks up and more.
func (c *chooser) with(more string) string {
	return `"` + strings.Trim(c.source, `"`) + ":" + more + `"`
}

// add takes an entry of a scope with conditions in and returns the variable that holds its rule.
func (c *chooser) add(key string, scope *matching.Scope, e *matching.Entry) (string, error) {
	var positions []string
	var lines []shapeLine
	seen, asked := map[string]bool{}, map[string]bool{}
	for i := range e.Candidates {
		candidate := &e.Candidates[i]
		if len(candidate.Conditions) == 0 || !possible(candidate.Conditions) || !c.router.readable(candidate) {
			continue
		}
		if !exact(candidate.Conditions) {
			lines = append(lines, shapeLine{c.router.position(i), candidate.Conditions, scope.LongPatterns})
			continue
		}
		tuple, values, err := c.tuple(candidate.Conditions)
		if err != nil {
			return "", err
		}
		if !asked[tuple.Name] {
			asked[tuple.Name] = true
			positions = append(positions, tuple.Name)
		}
		if full := tuple.Name + ":" + values; !seen[full] {
			seen[full] = true
			tuple.entry(key+":"+values, c.router.position(i), "")
		}
	}
	shapes, err := c.router.shapes.split(lines, c.router)
	if err != nil {
		return "", err
	}
	for _, s := range shapes {
		positions = append(positions, c.router.shapes.of(s, c.router))
	}
	plan := c.plan(positions)
	for i := range e.Candidates {
		candidate := &e.Candidates[i]
		position := c.router.position(i)
		if len(candidate.Conditions) == 0 {
			position = c.router.nowhere()
		}
		plan.entry(key+":"+position, c.router.rules[candidate.Rule], c.router.sources[candidate.Rule])
	}
	return "$" + plan.Name, nil
}

// tuple returns the map that looks a tuple of columns up, and the key of these values in it.
func (c *chooser) tuple(conditions []matching.Condition) (*block, string, error) {
	var variables, ids []string
	for i := range conditions {
		col, err := c.router.columns.of(conditions[i].Subject, conditions[i].Name)
		if err != nil {
			return nil, "", err
		}
		variables = append(variables, "$"+col.id)
		ids = append(ids, col.idOf(conditions[i].Value))
	}
	b := c.block("exact", "The first candidate with exactly these values.", c.with(strings.Join(variables, ":")), c.router.nowhere())
	return b, strings.Join(ids, ":"), nil
}

// plan returns the map from an entry and the lowest of some positions to the rule.
func (c *chooser) plan(positions []string) *block {
	lowest := c.router.nowhere()
	if len(positions) > 0 {
		lowest = "$" + c.lowest(positions)
	}
	return c.block("among", "The rule of the first candidate that holds.", c.with(lowest), c.next)
}

// lowest returns the variable that holds the lowest of positions. It compares them as a tournament does: nginx
// gives up on variables that ask for each other 100 deep.
func (c *chooser) lowest(positions []string) string {
	if len(positions) == 1 {
		return positions[0]
	}
	half := (len(positions) + 1) / 2
	return c.minimum("$"+c.lowest(positions[:half]), "$"+c.lowest(positions[half:]))
}

// minimum returns the variable that holds the lower one of two positions: numbers of one width, which a
// regular expression compares at the first digit that differs.
func (c *chooser) minimum(a, b string) string {
	m := c.block("lower", "The lower one of two positions.", `"`+a+" "+b+`"`, b)
	if m.entries == 0 {
		m.entry(`"~^([0-9]*)(?:0[0-9]* \\1[1-9]|1[0-9]* \\1[2-9]|2[0-9]* \\1[3-9]|3[0-9]* \\1[4-9]|4[0-9]* \\1[5-9]|5[0-9]* \\1[6-9]|6[0-9]* \\1[7-9]|7[0-9]* \\1[89]|8[0-9]* \\1[9])"`, a, "")
	}
	return m.Name
}

// readable refuses a candidate's rule for a column that nginx can't read, and returns false then.
func (r *router) readable(c *matching.Candidate) bool {
	for i := range c.Conditions {
		_, err := r.columns.of(c.Conditions[i].Subject, c.Conditions[i].Name)
		if err == nil {
			err = encodable(&c.Conditions[i])
		}
		if err != nil {
			r.refused.Rule(&r.tables.Rules[c.Rule].Source, err)
			return false
		}
	}
	return true
}

// position writes a candidate's position with leading zeros.
func (r *router) position(i int) string {
	number := strconv.Itoa(i)
	return strings.Repeat("0", r.digits-len(number)) + number
}

// nowhere is the position of no candidate; it comes after all others.
func (r *router) nowhere() string { return strings.Repeat("9", r.digits) }

// exact says whether no condition has a regular expression.
func exact(conditions []matching.Condition) bool {
	return !slices.ContainsFunc(conditions, func(c matching.Condition) bool { return c.Regex != nil })
}

// possible says whether the conditions can hold in nginx, to which an empty value is absent.
func possible(conditions []matching.Condition) bool {
	return !slices.ContainsFunc(conditions, func(c matching.Condition) bool { return c.Regex == nil && c.Value == "" })
}
