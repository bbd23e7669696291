package nginx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
)

// column is something of a request that is compared with exact values. nginx hashes the keys of a map without
// regard to case, and keys of a user's choice may be long; so each column finds the short id of its value
// first, compared byte by byte, and all other maps have keys of ids.
type column struct {
	// raw is the variable with the request's own value, id the one with that value's id, without dollars.
	raw, id string
	// alias is what raw stands for, where that has a long name; "" where it is the request's own.
	alias string
	// query says that raw is a query parameter, which may be encoded.
	query bool
	// what is for a comment.
	what   string
	ids    *generators.IDs
	values []string
	known  map[string]bool
}

// idOf returns the id of a value, which the column finds from now on.
func (c *column) idOf(value string) string {
	if !c.known[value] {
		c.known[value] = true
		c.values = append(c.values, value)
	}
	return c.ids.Of(value)
}

// columns are those in use.
type columns struct {
	ids    *generators.IDs
	byName map[string]*column
	list   []*column
}

// longName is from how many bytes on the name of a header is too long for the names of variables: nginx hashes
// those, and several stand in one token.
const longName = 64

// of returns the column of a subject; name is the header's, or the number of segments of a prefix.
func (cs *columns) of(subject matching.Subject, name string) (*column, error) {
	key := string(subject) + " " + name
	if c, ok := cs.byName[key]; ok {
		return c, nil
	}
	c := &column{what: strings.TrimSpace(key), ids: cs.ids, known: map[string]bool{}}
	switch subject {
	case matching.SubjectPath, matching.SubjectService, matching.SubjectMethod:
		c.raw = "gw_" + string(subject)
		c.id = c.raw + "_id"
	case subjectPrefix:
		c.raw = "gw_prefix_" + name
		c.id = c.raw + "_id"
	case matching.SubjectHTTPMethod:
		c.raw, c.id = "request_method", "gw_http_method_id"
	case matching.SubjectHeader:
		for i := range len(name) {
			if r := name[i]; (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
				return nil, fmt.Errorf("header %q: nginx can only match headers whose names have no other characters than letters, digits and \"-\"",
					name)
			}
		}
		c.raw = "http_" + variable(name)
		c.id = "gw_" + c.raw + "_id"
		if len(name) > longName {
			c.alias, c.raw = c.raw, "gw_http_"+hashOf(name)
			c.id = c.raw + "_id"
		}
	case matching.SubjectQuery:
		c.raw, c.query = "gw_query_"+hashOf(name), true
		c.id = c.raw + "_id"
	default:
		return nil, fmt.Errorf("conditions on %s %q aren't rendered for nginx", subject, name)
	}
	if cs.byName == nil {
		cs.byName = map[string]*column{}
	}
	cs.byName[key] = c
	cs.list = append(cs.list, c)
	return c, nil
}

// subjectPrefix is the first segments of the path: a stage's key, never a condition's subject.
const subjectPrefix matching.Subject = "prefix"

// render writes the two maps of each column that has values.
func (cs *columns) render(bs *blocks) error {
	slices.SortFunc(cs.list, func(a, b *column) int { return strings.Compare(a.id, b.id) })
	for _, c := range cs.list {
		slices.Sort(c.values)
		if c.alias != "" {
			bs.add(Map{Comment: "A long name.", Source: "$" + c.alias, Name: c.raw, Default: "$" + c.alias})
		}
		if c.query {
			if err := queryParameter(c, bs); err != nil {
				return err
			}
		}
		if len(c.values) == 0 {
			continue
		}
		id := c.id
		if c.query {
			var err error
			if id, err = c.encoded(bs); err != nil {
				return err
			}
		}
		found := bs.add(Map{Comment: "The ids of values of the " + c.what + ", found without regard to case,", Source: "$" + c.raw,
			Name: id + "_found"})
		if err := c.found(found, bs); err != nil {
			return err
		}
		exact := bs.add(Map{Comment: "and the one that is the same byte for byte.", Source: `"$` + c.raw + `\n\n$` + id + `_found"`,
			Name: id})
		// No id's line is empty, so the last empty one ends the request's own value, whatever is in that. The time
		// that this takes grows with the length of both, not with their product.
		pattern, err := Regex(`(?s)^(?>(.*)\n\n)(?:.*?\n)?([0-9a-f]++) \1(?:\n|\z)`)
		if err != nil {
			return err
		}
		exact.entry(pattern, "$2", "")
	}
	return nil
}

// found adds an entry for each value. Values that differ by case only share one.
func (c *column) found(b *block, bs *blocks) error {
	// first finds the place of the first value of those that differ by case only, others those of the rest of them.
	first, others := make(map[string]int, len(c.values)), map[int][]int{}
	for n, v := range c.values {
		folded := foldASCII(v)
		if m, ok := first[folded]; ok {
			others[m] = append(others[m], n)
		} else {
			first[folded] = n
		}
	}
	repeated := map[int]bool{}
	for _, all := range others {
		for _, n := range all {
			repeated[n] = true
		}
	}
	for n, v := range c.values {
		if repeated[n] {
			continue
		}
		key, err := bs.key(v)
		if err != nil {
			return fmt.Errorf("%s %.60q: %w", c.what, v, err)
		}
		lines := []string{c.ids.Of(v) + " " + v}
		for _, m := range others[n] {
			lines = append(lines, c.ids.Of(c.values[m])+" "+c.values[m])
		}
		value, err := c.lines(lines, bs)
		if err != nil {
			return fmt.Errorf("%s %.60q: %w", c.what, v, err)
		}
		b.entry(key, value, "")
	}
	return nil
}

// lines joins the lines of one entry; when they are too long for one token, each becomes a variable.
func (c *column) lines(lines []string, bs *blocks) (string, error) {
	joined, err := bs.value(strings.Join(lines, "\n"))
	if _, long := err.(*TooLongError); !long || len(lines) == 1 {
		return joined, err
	}
	parts := make([]string, len(lines))
	for i, line := range lines {
		name, err := bs.hoist(line)
		if err != nil {
			return "", err
		}
		parts[i] = "${" + name + "}"
	}
	return bs.join(parts), nil
}

// joinedParts is how many variables stand in one token.
const joinedParts = 100

// join is a token for parts on lines of their own, with variables for the parts of parts where there are many.
func (bs *blocks) join(parts []string) string {
	for len(parts) > joinedParts {
		var fewer []string
		for some := range slices.Chunk(parts, joinedParts) {
			joined := `"` + strings.Join(some, `\n`) + `"`
			b := bs.add(Map{
				Comment: "Some of many values that differ by case only.", Source: `""`, Name: "gw_join_" + bs.ids.Of(joined), Default: joined,
			})
			fewer = append(fewer, "${"+b.Name+"}")
		}
		parts = fewer
	}
	return `"` + strings.Join(parts, `\n`) + `"`
}

// foldASCII is how nginx compares keys.
func foldASCII(s string) string {
	i := 0
	for i < len(s) && (s[i] < 'A' || s[i] > 'Z') {
		i++
	}
	if i == len(s) {
		return s
	}
	folded := []byte(s)
	for ; i < len(folded); i++ {
		if 'A' <= folded[i] && folded[i] <= 'Z' {
			folded[i] += 'a' - 'A'
		}
	}
	return string(folded)
}
