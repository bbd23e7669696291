package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"

	"github.com/gatewright/gatewright/generators/limits"
)

// Pattern is a regular expression that matches whole values.
type Pattern struct {
	text string
	pcre string
	size int
	// steps are for a value of limits.PlainValue bytes.
	steps int
	plain bool
	re    *regexp.Regexp
}

// Parse reads an expression in RE2 syntax. The error says what RE2 refuses, or which part of it PCRE would
// read otherwise.
func Parse(text string) (*Pattern, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		var se *syntax.Error
		if errors.As(err, &se) {
			return nil, fmt.Errorf("not a regular expression in RE2 syntax: %s: %q", se.Code, se.Expr)
		}
		return nil, fmt.Errorf("not a regular expression in RE2 syntax: %w", err)
	}
	var p printer
	if err := p.print(tree); err != nil {
		return nil, err
	}
	size := sizeOf(tree)
	if size > maxSize {
		return nil, fmt.Errorf("too large: about %d bytes once its repetitions are written out, and the proxies take %d", size, maxSize)
	}
	if depth := depthOf(tree); depth > maxDepth {
		return nil, fmt.Errorf("nested too deeply: %d groups in each other, and the proxies take %d", depth, maxDepth)
	}
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		// What \Q begins need not end, and would quote what is added here.
		re, err = regexp.Compile(`\A(?:` + text + `\E)\z`)
	}
	if err != nil {
		return nil, fmt.Errorf("not a regular expression in RE2 syntax: %w", err)
	}
	steps := stepsOf(tree, limits.PlainValue)
	return &Pattern{
		text: text, pcre: p.out.String(), size: size, re: re,
		plain: steps <= limits.PlainSteps, steps: int(min(steps, limits.PlainSteps)),
	}, nil
}

// String is the expression as it was written.
func (p *Pattern) String() string { return p.text }

// PCRE is the same expression for PCRE without UTF mode, to stand in a group: it has no captures, no
// characters outside printable ASCII and no literal newline, and its anchors hold at line ends too, so that
// several values can be matched in one subject with newlines between.
func (p *Pattern) PCRE() string { return p.pcre }

// Size is about how many bytes PCRE compiles the expression to, at most. Repeated groups are written out: (ab){100}
// counts as 100 groups.
func (p *Pattern) Size() int { return p.size }

// Match says whether the whole value matches.
func (p *Pattern) Match(value string) bool { return p.re.MatchString(value) }

// MarshalText writes a pattern as its expression.
func (p *Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Pattern) UnmarshalText(b []byte) error {
	q, err := Parse(string(b))
	if err == nil {
		*p = *q
	}
	return err
}

// printer writes a parsed expression in the part of the syntax that PCRE reads the same. Laziness is left
// out: it decides which match is found, not whether the whole value matches.
type printer struct{ out strings.Builder }

func (p *printer) print(re *syntax.Regexp) error {
	switch re.Op {
	case syntax.OpNoMatch:
		p.out.WriteString(`(?!)`)
	case syntax.OpEmptyMatch:
		p.out.WriteString(`(?:)`)
	case syntax.OpLiteral:
		return p.literal(re)
	case syntax.OpCharClass:
		return p.class(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		p.out.WriteString(`[^\n]`)
	case syntax.OpBeginLine, syntax.OpBeginText:
		p.out.WriteString(`(?m:^)`)
	case syntax.OpEndLine, syntax.OpEndText:
		p.out.WriteString(`(?m:$)`)
	case syntax.OpWordBoundary:
		p.out.WriteString(`\b`)
	case syntax.OpNoWordBoundary:
		p.out.WriteString(`\B`)
	case syntax.OpCapture:
		return p.group(re.Sub[0])
	case syntax.OpStar:
		return p.repeat(re, "*")
	case syntax.OpPlus:
		return p.repeat(re, "+")
	case syntax.OpQuest:
		return p.repeat(re, "?")
	case syntax.OpRepeat:
		switch {
		case re.Max < 0:
			return p.repeat(re, fmt.Sprintf("{%d,}", re.Min))
		case re.Max == re.Min:
			return p.repeat(re, fmt.Sprintf("{%d}", re.Min))
		}
		return p.repeat(re, fmt.Sprintf("{%d,%d}", re.Min, re.Max))
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if sub.Op == syntax.OpAlternate {
				if err := p.group(sub); err != nil {
					return err
				}
			} else if err := p.print(sub); err != nil {
				return err
			}
		}
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			if i > 0 {
				p.out.WriteByte('|')
			}
			if err := p.print(sub); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("the part %q has no equal in the proxy's own syntax", re)
	}
	return nil
}

func (p *printer) group(re *syntax.Regexp) error {
	p.out.WriteString("(?:")
	err := p.print(re)
	p.out.WriteByte(')')
	return err
}

func (p *printer) repeat(re *syntax.Regexp, times string) error {
	sub := re.Sub[0]
	var err error
	if single(sub) {
		err = p.print(sub)
	} else {
		err = p.group(sub)
	}
	p.out.WriteString(times)
	return err
}

// single says whether an expression is one character, which is repeated without a group.
func single(re *syntax.Regexp) bool {
	return re.Op == syntax.OpCharClass || re.Op == syntax.OpAnyChar || re.Op == syntax.OpAnyCharNotNL ||
		re.Op == syntax.OpLiteral && len(re.Rune) == 1 && re.Flags&syntax.FoldCase == 0
}

func (p *printer) literal(re *syntax.Regexp) error {
	for _, r := range re.Rune {
		if r > unicode.MaxASCII {
			return outsideASCII(r)
		}
		if re.Flags&syntax.FoldCase != 0 && unicode.IsLetter(r) {
			lower, upper := unicode.ToLower(r), unicode.ToUpper(r)
			p.out.WriteString("[" + string(upper) + string(lower) + "]")
			continue
		}
		p.char(r)
	}
	return nil
}

// char writes one ASCII character so that it stands for itself, in a class and outside.
func (p *printer) char(r rune) {
	switch {
	case r < ' ' || r == unicode.MaxASCII:
		fmt.Fprintf(&p.out, `\x%02x`, r)
	case strings.ContainsRune(`\.+*?()|[]{}^$-#&~/ `, r):
		if strings.ContainsRune(` /#&~-`, r) {
			// Harmless outside a class, and `\/` and `\ ` only hinder the reader.
			p.out.WriteRune(r)
			return
		}
		p.out.WriteByte('\\')
		p.out.WriteRune(r)
	default:
		p.out.WriteRune(r)
	}
}

// class writes a character class. Values are bytes to the proxy: characters outside ASCII are refused, but
// for a class that has all of them, such as [^a]: it matches any other byte.
func (p *printer) class(ranges []rune) error {
	ascii, rest := split(ranges)
	switch {
	case len(rest) == 0, foldedOnly(rest):
		if len(ascii) == 0 {
			p.out.WriteString(`(?!)`)
			return nil
		}
		p.out.WriteByte('[')
	case len(rest) == 2 && rest[0] == unicode.MaxASCII+1 && rest[1] == unicode.MaxRune:
		// A newline is never in a value, and is what stands between values.
		ascii, _ = split(negate(append([]rune{'\n', '\n'}, ascii...)))
		p.out.WriteString(`[^\n`)
	default:
		return outsideASCII(rest[0])
	}
	for i := 0; i < len(ascii); i += 2 {
		p.classChar(ascii[i])
		if ascii[i+1] > ascii[i] {
			if ascii[i+1] > ascii[i]+1 {
				p.out.WriteByte('-')
			}
			p.classChar(ascii[i+1])
		}
	}
	p.out.WriteByte(']')
	return nil
}

func (p *printer) classChar(r rune) {
	switch {
	case r < ' ' || r == unicode.MaxASCII:
		fmt.Fprintf(&p.out, `\x%02x`, r)
	case strings.ContainsRune(`\[]^-`, r):
		p.out.WriteByte('\\')
		p.out.WriteRune(r)
	default:
		p.out.WriteRune(r)
	}
}

// split parts sorted ranges at the end of ASCII.
func split(ranges []rune) (ascii, rest []rune) {
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if lo <= unicode.MaxASCII {
			ascii = append(ascii, lo, min(hi, unicode.MaxASCII))
		}
		if hi > unicode.MaxASCII {
			rest = append(rest, max(lo, unicode.MaxASCII+1), hi)
		}
	}
	return ascii, rest
}

// negate returns the ASCII characters that the ranges leave out.
func negate(ranges []rune) []rune {
	var in [unicode.MaxASCII + 1]bool
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			in[r] = true
		}
	}
	var out []rune
	for r := rune(0); r <= unicode.MaxASCII; r++ {
		if in[r] {
			continue
		}
		if n := len(out); n > 0 && out[n-1] == r-1 {
			out[n-1] = r
		} else {
			out = append(out, r, r)
		}
	}
	return out
}

// foldedOnly says whether the ranges are nothing but what folding case adds to ASCII letters: the long s and
// the Kelvin sign, which no ASCII value has.
func foldedOnly(ranges []rune) bool {
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] != ranges[i+1] || ranges[i] != 'ſ' && ranges[i] != '\u212A' {
			return false
		}
	}
	return true
}

func outsideASCII(r rune) error {
	return fmt.Errorf("it names the character %q (%U): the proxies match bytes, and only ASCII reads the same", r, r)
}
