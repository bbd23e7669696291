package nginx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/pattern"
)

// Lengths, in bytes, of what of a shape stands in one token.
const (
	// inline is the most that one condition may take; a longer one gets a map of its own.
	inline = 200
	// small is the most bytes that PCRE may compile one condition to, to stand beside others: it takes 64 KiB for all.
	small = 1000
	// joined is the most that the conditions of a candidate may take together.
	joined = 2000
	// columnBytes is the most that the columns of a shape may take.
	columnBytes = 1800
)

// shape is the candidates of an entry that have regular expressions, in order. Entries with the same ones at
// the same positions share a map.
type shape struct {
	// name is the variable that holds the position of the first match.
	name  string
	lines []shapeLine
}

type shapeLine struct {
	position   string
	conditions []matching.Condition
	// asked is how many expressions that aren't plain a call may be asked.
	asked int
}

// start is what the expression of a line begins with.
func (l *shapeLine) start() string {
	var list []*pattern.Pattern
	for _, c := range l.conditions {
		if c.Regex != nil {
			list = append(list, c.Regex)
		}
	}
	return pattern.Start(l.asked, list...)
}

// text is the same for the same shapes only.
func (s *shape) text() string {
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(l.start() + l.position)
		for _, c := range l.conditions {
			if c.Regex != nil {
				fmt.Fprintf(&b, " %s %q ~ %q", c.Subject, c.Name, c.Regex)
			} else {
				fmt.Fprintf(&b, " %s %q = %q", c.Subject, c.Name, c.Value)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shapes are all shapes, with the long regular expressions that have maps of their own.
type shapes struct {
	names map[string]string
	list  []*shape
	long  map[string]string
	tests []longTest
}

type longTest struct{ name, raw, pattern string }

// split parts candidates into shapes, as few as can be: the variables of a shape stand in one token, and so do the
// patterns for them.
func (ss *shapes) split(lines []shapeLine, r *router) ([]*shape, error) {
	var all []*shape
	var seen map[string]bool
	bytes := 0
	for _, l := range lines {
		columns := map[string]int{}
		for _, c := range l.conditions {
			col, err := r.columns.of(c.Subject, c.Name)
			if err != nil {
				return nil, err
			}
			columns[col.raw] = len("$gw__id") + len(col.raw) + len(`[^\\n]*\\n`)
		}
		more := 0
		for name, n := range columns {
			if !seen[name] {
				more += n
			}
		}
		if len(all) == 0 || bytes+more > columnBytes {
			all, seen, bytes = append(all, &shape{}), map[string]bool{}, 0
		}
		for name, n := range columns {
			if !seen[name] {
				seen[name] = true
				bytes += n
			}
		}
		last := all[len(all)-1]
		last.lines = append(last.lines, l)
	}
	return all, nil
}

// of returns the variable that holds the position of a shape's first match.
func (ss *shapes) of(s *shape, r *router) string {
	text := s.text()
	if name, ok := ss.names[text]; ok {
		return name
	}
	if ss.names == nil {
		ss.names = map[string]string{}
	}
	name := "gw_shape_" + r.ids.Of(text)
	ss.names[text] = name
	s.name = name
	ss.list = append(ss.list, s)
	return name
}

// render writes a map for each shape: the values of its columns with newlines between, and for each candidate
// a regular expression over all of them.
func (ss *shapes) render(r *router) error {
	behind := len(r.blocks.list)
	for _, s := range ss.list {
		pieces, order, err := ss.pieces(s, r)
		if err != nil {
			return err
		}
		b := r.blocks.add(Map{
			Comment: "The first candidate whose regular expressions match.",
			Source:  `"$` + strings.Join(order, `\n$`) + `"`,
			Name:    s.name, Default: r.nowhere(),
		})
		for j, l := range s.lines {
			parts := make([]string, len(order))
			for k, variable := range order {
				parts[k] = `[^\n]*`
				if p, ok := pieces[j][variable]; ok {
					parts[k] = p
				}
			}
			token, err := Regex(l.start() + `^` + strings.Join(parts, `\n`) + `\z`)
			if err != nil {
				return err
			}
			b.entry(token, l.position, "")
		}
	}
	for _, t := range ss.tests {
		b := r.blocks.add(Map{Comment: "A long regular expression.", Source: "$" + t.raw, Name: t.name})
		b.entry(t.pattern, "1", "")
	}
	r.blocks.sortFrom(behind)
	return nil
}

// pieces returns for each line of a shape the pattern of each variable that it looks at, and the variables.
func (ss *shapes) pieces(s *shape, r *router) ([]map[string]string, []string, error) {
	all := make([]map[string]string, len(s.lines))
	var order []string
	for j, l := range s.lines {
		total := 0
		for _, c := range l.conditions {
			if c.Regex != nil {
				text, _, err := valueOf(&c)
				if err != nil {
					return nil, nil, err
				}
				total += min(tokenBytes(text), 2*inline)
			}
		}
		all[j] = map[string]string{}
		for _, c := range l.conditions {
			variable, piece, err := ss.piece(c, l.asked, total > joined, r)
			if err != nil {
				return nil, nil, err
			}
			all[j][variable] = piece
			if !slices.Contains(order, variable) {
				order = append(order, variable)
			}
		}
	}
	slices.Sort(order)
	return all, order, nil
}

// valueOf is the expression of a condition for the value of its column, and its size.
func valueOf(c *matching.Condition) (text string, size int, err error) {
	if c.Subject != matching.SubjectQuery {
		return c.Regex.Value(), c.Regex.Size(), nil
	}
	if text, size, err = c.Regex.Encoded(); err != nil {
		return "", 0, fmt.Errorf("query parameter %q: the regular expression %.60q: %w", c.Name, c.Regex, err)
	}
	return text, size, nil
}

// tokenBytes is how long a text is in a token: quote writes some bytes as two.
func tokenBytes(text string) int {
	return len(text) + strings.Count(text, `\`) + strings.Count(text, `"`)
}

// piece returns the variable that a condition looks at and the pattern for it.
func (ss *shapes) piece(c matching.Condition, asked int, crowded bool, r *router) (variable, piece string, err error) {
	col, err := r.columns.of(c.Subject, c.Name)
	if err != nil {
		return "", "", err
	}
	if c.Regex == nil {
		return col.id, col.idOf(c.Value), nil
	}
	piece, size, err := valueOf(&c)
	if err != nil {
		return "", "", err
	}
	if len(piece) <= inline && size <= small && !crowded {
		return col.raw, piece, nil
	}
	token, err := Regex(pattern.Start(asked, c.Regex) + `^` + piece + `\z`)
	if err != nil {
		return "", "", fmt.Errorf("%s %q: the regular expression %.60q: %w", c.Subject, c.Name, c.Regex, err)
	}
	key := col.raw + " " + token
	name, ok := ss.long[key]
	if !ok {
		name = "gw_regex_" + r.ids.Of(key)
		if ss.long == nil {
			ss.long = map[string]string{}
		}
		ss.long[key] = name
		ss.tests = append(ss.tests, longTest{name, col.raw, token})
	}
	return name, "1", nil
}
