package pattern

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"

	"github.com/gatewright/gatewright/generators/limits"
)

// A value of a query parameter arrives encoded: as itself, as "%" and two digits, a space as "+" too. A proxy that can't
// decode matches it as it arrives, with an expression for all the ways to write what it asks for.

// Encoded is Value for the value of a query parameter as it arrives. It matches no value that can't be decoded or holds
// the code of a control character. The error says that the proxies wouldn't take it.
func (p *Pattern) Encoded() (text string, size int, err error) {
	tree, err := syntax.Parse(p.text, syntax.Perl)
	if err != nil {
		return "", 0, err
	}
	var e encoder
	e.print(tree)
	guard := decodable
	if !p.plain {
		guard += longGuard
	}
	if e.size > maxSize {
		return "", 0, fmt.Errorf("too large for a query parameter: about %d bytes once all ways to encode it are written out, and the "+
			"proxies take %d", e.size, maxSize)
	}
	return `(?>` + guard + `(?:` + e.out.String() + `)(?![^\n]))`, e.size, nil
}

// EncodedText is an expression for all ways in which a query parameter may come that is a text once it is decoded.
func EncodedText(text string) string {
	var b strings.Builder
	for i := range len(text) {
		var s set
		if c := text[i]; c <= unicode.MaxASCII {
			s[c] = true
			b.WriteString(atomOf(&s).text)
		} else {
			fmt.Fprintf(&b, `(?:\x%02x|%s)`, c, codesText(map[int]uint16{int(c >> 4): 1 << (c & 15)}))
		}
	}
	return b.String()
}

// decodable looks ahead: nothing but codes behind each "%", and none of a control character.
const decodable = `(?=(?:[^%\n]++|%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e]|[89A-Fa-f][0-9A-Fa-f]))++(?![^\n]))`

// encoder writes a parsed expression, as printer does, for values as they arrive. What printer refuses never comes here.
type encoder struct {
	out  strings.Builder
	size int
}

// atom is one character of a decoded value: raw is the class of those that may stand for themselves, codes the expression
// for codes; either may be "".
type atom struct{ raw, codes, text string }

func (e *encoder) write(text string) {
	e.out.WriteString(text)
	e.size += textSize(text)
}

func (e *encoder) print(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpNoMatch:
		e.write(`(?!)`)
	case syntax.OpEmptyMatch:
		e.write(`(?:)`)
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			s := characters([]rune{r}, re.Flags&syntax.FoldCase != 0)
			e.write(atomOf(&s).text)
		}
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		e.write(e.atom(re).text)
	case syntax.OpBeginLine, syntax.OpBeginText:
		e.write(`(?m:^)`)
	case syntax.OpEndLine, syntax.OpEndText:
		e.write(`(?m:$)`)
	case syntax.OpWordBoundary:
		e.write(`(?:` + wordBefore + `(?!` + wordAfter + `)|(?!` + wordBefore + `)` + `(?=` + wordAfter + `))`)
	case syntax.OpNoWordBoundary:
		e.write(`(?:` + wordBefore + `(?=` + wordAfter + `)|(?!` + wordBefore + `)` + `(?!` + wordAfter + `))`)
	case syntax.OpCapture:
		e.group(re.Sub[0])
	case syntax.OpStar:
		e.repeat(re.Sub[0], 0, -1)
	case syntax.OpPlus:
		e.repeat(re.Sub[0], 1, -1)
	case syntax.OpQuest:
		e.repeat(re.Sub[0], 0, 1)
	case syntax.OpRepeat:
		e.repeat(re.Sub[0], re.Min, re.Max)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if sub.Op == syntax.OpAlternate {
				e.group(sub)
			} else {
				e.print(sub)
			}
		}
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			if i > 0 {
				e.write(`|`)
			}
			e.print(sub)
		}
	}
}

func (e *encoder) group(re *syntax.Regexp) {
	e.write(`(?:`)
	e.print(re)
	e.write(`)`)
}

// repeat writes a part that comes least to most times, or without end where most is negative. Runs of one character are
// written so that PCRE goes over those without codes at once.
func (e *encoder) repeat(sub *syntax.Regexp, least, most int) {
	if most < 0 && single(sub) {
		a := e.atom(sub)
		switch {
		case least > 1:
			e.times(sub, least, least)
		case least == 1:
			e.write(a.text)
		}
		switch {
		case a.raw == "":
			e.write(`(?:` + a.codes + `)*`)
		case a.codes == "":
			e.write(a.raw + `*`)
		default:
			e.write(a.raw + `*(?:` + a.codes + a.raw + `*)*`)
		}
		return
	}
	e.times(sub, least, most)
}

func (e *encoder) times(sub *syntax.Regexp, least, most int) {
	before := e.size
	e.group(sub)
	one := e.size - before
	switch {
	case most < 0:
		fmt.Fprintf(&e.out, "{%d,}", least)
	case most == least:
		fmt.Fprintf(&e.out, "{%d}", least)
	default:
		fmt.Fprintf(&e.out, "{%d,%d}", least, most)
	}
	e.size = min(before+one*(max(least, most, 1)+1)+countSize, 8*maxSize)
}

// atom is that of a single character, a class or any.
func (e *encoder) atom(re *syntax.Regexp) atom {
	var s set
	switch re.Op {
	case syntax.OpLiteral:
		s = characters(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCharClass:
		s = ranges(re.Rune)
		if _, rest := split(re.Rune); foldedOnly(rest) {
			s[len(s)-1] = false
		}
	default:
		s = ranges([]rune{0, unicode.MaxRune})
	}
	return atomOf(&s)
}

// atomOf writes a set of characters. A value as it arrives has no "&", and a "%" or a "+" in it stands for something else.
func atomOf(s *set) atom {
	raw, codes := set{}, map[int]uint16{}
	for c := ' '; c < unicode.MaxASCII; c++ {
		if !s[c] {
			continue
		}
		codes[int(c>>4)] |= 1 << (c & 15)
		switch c {
		case '%', '+', '&':
		case ' ':
			raw['+'] = true
		default:
			raw[c] = true
		}
	}
	others := s[len(s)-1]
	if others {
		for high := 8; high < 16; high++ {
			codes[high] = 1<<16 - 1
		}
	}
	a := atom{raw: classText(&raw, others), codes: codesText(codes)}
	switch {
	case a.raw == "" && a.codes == "":
		a.text = `(?!)`
	case a.raw == "":
		a.text = `(?:` + a.codes + `)`
	default:
		a.text = `(?:` + a.raw + `|` + a.codes + `)`
	}
	return a
}

// classText writes a class of printable characters, with all outside ASCII or without; "" for none.
func classText(s *set, others bool) string {
	var list []rune
	for c := rune(' '); c < unicode.MaxASCII; c++ {
		if !s[c] {
			continue
		}
		if n := len(list); n > 0 && list[n-1] == c-1 {
			list[n-1] = c
		} else {
			list = append(list, c, c)
		}
	}
	var p printer
	switch {
	case others:
		list = append(list, unicode.MaxASCII+1, unicode.MaxRune)
	case len(list) == 0:
		return ""
	case len(list) == 2 && list[0] == list[1]:
		p.char(list[0])
		return p.out.String()
	}
	if err := p.class(list); err != nil {
		return `(?!)` // It has all characters outside ASCII or none.
	}
	return p.out.String()
}

// codesText writes "%" and two digits: by the first digit the set of the second.
func codesText(codes map[int]uint16) string {
	var firsts []uint16
	var seconds []uint16
	for high := range 16 {
		low := codes[high]
		if low == 0 {
			continue
		}
		at := -1
		for i, s := range seconds {
			if s == low {
				at = i
			}
		}
		if at < 0 {
			at = len(seconds)
			firsts, seconds = append(firsts, 0), append(seconds, low)
		}
		firsts[at] |= 1 << high
	}
	if len(seconds) == 0 {
		return ""
	}
	parts := make([]string, len(seconds))
	for i := range seconds {
		parts[i] = digits(firsts[i]) + digits(seconds[i])
	}
	if len(parts) == 1 {
		return `%` + parts[0]
	}
	return `%(?:` + strings.Join(parts, `|`) + `)`
}

// digits writes a set of hexadecimal digits.
func digits(set uint16) string {
	var b strings.Builder
	n := 0
	for d := range 16 {
		if set&(1<<d) == 0 {
			continue
		}
		if d < 10 {
			fmt.Fprintf(&b, "%d", d)
			n++
		} else {
			fmt.Fprintf(&b, "%c%c", 'A'+d-10, 'a'+d-10)
			n += 2
		}
	}
	switch {
	case set == 1<<16-1:
		return `[0-9A-Fa-f]`
	case n == 1:
		return b.String()
	}
	return `[` + b.String() + `]`
}

// Whether a letter, a digit or "_" ends before a place, and begins at it. A "%" always begins a code.
const (
	wordCodes  = `%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff])`
	wordBefore = `(?:(?<=[0-9A-Z_a-z])(?<!%[0-9A-Fa-f][0-9A-Fa-f])|(?<=` + wordCodes + `))`
	wordAfter  = `(?:[0-9A-Z_a-z]|` + wordCodes + `)`
)

// textSize is about how many bytes PCRE compiles an expression to, at most.
func textSize(text string) int {
	size := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[':
			size += classSize
			for i++; i < len(text) && text[i] != ']'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '(':
			size += groupSize
		case '|':
			size += branchSize
		default:
			size += charSize
		}
	}
	return size
}

// EncodedSteps is Steps for a value as it arrives: each character may take three.
func (p *Pattern) EncodedSteps() int { return min(3*p.Steps(), limits.CallSteps) }
