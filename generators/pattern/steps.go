package pattern

import (
	"fmt"
	"math"
	"regexp/syntax"
	"slices"
	"unicode"

	"github.com/gatewright/gatewright/generators/limits"
)

// PCRE backtracks: where a text could be matched in several ways, it tries one after the other. What that costs at
// most is reckoned here, in steps: a character looked at once is a step.

// stepsOf is the most steps that an expression takes for a value of n bytes.
func stepsOf(re *syntax.Regexp, n int) float64 {
	t := tracer{n: float64(n)}
	whole := t.whole(re)
	return whole.entry + t.n*whole.each
}

type tracer struct{ n float64 }

// trace is what a part of an expression can do, wherever it begins in a value.
type trace struct {
	// ways is how many times what follows may be tried: for each way to match the part behind which the next
	// character fits.
	ways float64
	// entry is how many steps all these ways take together, and each how many more for every character of the value.
	entry, each float64
	// first holds the characters that the part can begin with.
	first set
	// empty says that the part may match nothing.
	empty bool
}

// set is a set of bytes; the last element stands for all outside ASCII.
type set [unicode.MaxASCII + 2]bool

func (s *set) meets(other *set) bool {
	for i := range s {
		if s[i] && other[i] {
			return true
		}
	}
	return false
}

func (s *set) add(other *set) {
	for i := range s {
		s[i] = s[i] || other[i]
	}
}

// whole leaves a last `.*` out: whoever comes to it has matched, and never comes back.
func (t tracer) whole(re *syntax.Regexp) trace {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op != syntax.OpConcat {
		return t.part(re, &set{})
	}
	parts := re.Sub
	if last := parts[len(parts)-1]; last.Op == syntax.OpStar && everything(last.Sub[0]) {
		tail := t.part(last, &set{})
		all := t.concat(parts[:len(parts)-1], &tail.first)
		all.each++
		return all
	}
	return t.concat(parts, &set{})
}

// everything says whether an expression is any character of a value.
func everything(re *syntax.Regexp) bool {
	return re.Op == syntax.OpAnyChar || re.Op == syntax.OpAnyCharNotNL
}

// part traces a part of an expression; follow holds the characters that can come behind it.
func (t tracer) part(re *syntax.Regexp, follow *set) trace {
	switch re.Op {
	case syntax.OpLiteral:
		one := trace{ways: 1, entry: float64(len(re.Rune)), empty: len(re.Rune) == 0}
		if !one.empty {
			one.first = characters(re.Rune[:1], re.Flags&syntax.FoldCase != 0)
		}
		return one
	case syntax.OpCharClass:
		return trace{ways: 1, entry: 1, first: ranges(re.Rune)}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return trace{ways: 1, entry: 1, first: ranges([]rune{0, unicode.MaxRune})}
	case syntax.OpCapture:
		return t.part(re.Sub[0], follow)
	case syntax.OpConcat:
		return t.concat(re.Sub, follow)
	case syntax.OpAlternate:
		return t.alternate(re.Sub, follow)
	case syntax.OpQuest:
		return t.repeat(re.Sub[0], 0, 1, follow)
	case syntax.OpStar:
		return t.repeat(re.Sub[0], 0, math.Inf(1), follow)
	case syntax.OpPlus:
		return t.repeat(re.Sub[0], 1, math.Inf(1), follow)
	case syntax.OpRepeat:
		most := math.Inf(1)
		if re.Max >= 0 {
			most = float64(re.Max)
		}
		return t.repeat(re.Sub[0], float64(re.Min), most, follow)
	}
	// Anchors and the like.
	return trace{ways: 1, entry: 1, empty: true}
}

// concat traces parts one behind the other.
func (t tracer) concat(parts []*syntax.Regexp, follow *set) trace {
	all := trace{ways: 1, entry: 1, empty: true}
	behind := *follow
	for _, re := range slices.Backward(parts) {
		p := t.part(re, &behind)
		// All that is behind is tried again for each way of this part.
		all.entry = p.entry + p.ways*all.entry
		all.each = p.each + times(p.ways, all.each)
		all.ways *= p.ways
		all.empty = all.empty && p.empty
		if p.empty {
			behind.add(&p.first)
			all.first.add(&p.first)
		} else {
			behind, all.first = p.first, p.first
		}
	}
	return all
}

// alternate traces branches. Where each begins with other characters, one of them is gone into.
func (t tracer) alternate(branches []*syntax.Regexp, follow *set) trace {
	all := trace{entry: float64(len(branches))}
	one, apart := 0.0, true
	for _, re := range branches {
		b := t.part(re, follow)
		apart = apart && !b.empty && !all.first.meets(&b.first)
		one = max(one, b.ways)
		all.ways += b.ways
		all.entry += b.entry
		all.each += b.each
		all.empty = all.empty || b.empty
		all.first.add(&b.first)
	}
	if apart {
		all.ways = one
	}
	return all
}

// repeat traces a part that comes least to most times. It can be left in one way where another round begins with
// other characters than what follows, and in as many as there are rounds where not.
func (t tracer) repeat(re *syntax.Regexp, least, most float64, follow *set) trace {
	again := *follow
	inner := t.part(re, follow)
	if most > 1 {
		again.add(&inner.first)
		inner = t.part(re, &again)
	}
	rounds := min(most, t.n)
	all := trace{ways: 1, first: inner.first, empty: least == 0 || inner.empty}
	exits := 1.0
	if least != most && (inner.empty || inner.first.meets(follow)) {
		exits = rounds - min(least, rounds) + 1
	}
	switch {
	case inner.ways <= 1 && !inner.empty:
		// Each round takes a character at least.
		all.ways, all.entry, all.each = exits, inner.entry+1, 2*(inner.entry+inner.each)
	case rounds <= 1:
		all.ways, all.entry, all.each = inner.ways+exits-1, inner.entry+1, inner.each
	default:
		all.ways = math.Pow(max(inner.ways, 2), rounds)
		all.entry, all.each = all.ways*inner.entry, times(all.ways, inner.each)
	}
	return all
}

// times is a product in which nothing stays nothing, however often.
func times(ways, steps float64) float64 {
	if steps == 0 {
		return 0
	}
	return ways * steps
}

// characters are the bytes that some characters are.
func characters(list []rune, fold bool) set {
	var s set
	for _, r := range list {
		s.rune(r)
		for f := unicode.SimpleFold(r); fold && f != r; f = unicode.SimpleFold(f) {
			s.rune(f)
		}
	}
	return s
}

func (s *set) rune(r rune) { s[min(int(r), len(s)-1)] = true }

// ranges are the bytes of a class.
func ranges(list []rune) set {
	var s set
	for i := 0; i+1 < len(list); i += 2 {
		for r := list[i]; r <= min(list[i+1], unicode.MaxASCII); r++ {
			s.rune(r)
		}
		s.rune(list[i+1])
	}
	return s
}

// Plain says whether an expression is read in about one go, however long the value is. Any other may try its value in
// many ways.
func (p *Pattern) Plain() bool { return p.plain }

// Steps is the most steps that PCRE takes for one value: limits.CallSteps are for all expressions that a call is
// asked.
func (p *Pattern) Steps() int {
	if p.plain {
		return p.steps
	}
	return limits.LongSteps
}

// Value is the expression for one value among several that have newlines between, or for a value by itself. It
// doesn't match an absent or empty one, and one that isn't plain no value of more than limits.LongValue bytes. It is
// left in one way only: a value that matches isn't tried again for what is behind it.
func (p *Pattern) Value() string {
	guard := `(?=[^\n])`
	if !p.plain {
		guard = longGuard
	}
	return `(?>` + guard + `(?:` + p.pcre + `)(?![^\n]))`
}

var (
	longGuard  = fmt.Sprintf(`(?=[^\n]{1,%d}+(?![^\n]))`, limits.LongValue)
	plainStart = fmt.Sprintf("(*LIMIT_MATCH=%d)", limits.PlainMatch)
)

// Start is what the whole of a rendered expression begins with: where PCRE gives up. Each of the patterns may be a part
// of it; a call may be asked so many that aren't plain.
func Start(asked int, patterns ...*Pattern) string {
	for _, p := range patterns {
		if !p.plain {
			return fmt.Sprintf("(*LIMIT_MATCH=%d)", limits.LongMatch(asked))
		}
	}
	return plainStart
}
