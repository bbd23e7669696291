package nginx

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tokenLimit is the most bytes that a token may have in the file, its quotes included: nginx reads files
// through a buffer of 4,096 bytes, and a token has to fit in what is left of it.
const tokenLimit = 4090

// dollar is a variable that holds a dollar: nginx has no escape for it.
const dollar = "${gw_dollar}"

// TooLongError says that a token doesn't fit in nginx's buffer.
type TooLongError struct {
	// Bytes is the length that the token would have.
	Bytes int
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("it takes %d bytes in nginx's configuration, which reads at most %d", e.Bytes, tokenLimit)
}

// Token writes text as one parameter that nginx takes literally, where the directive doesn't expand
// variables. The error names the byte that nginx can't read, or is a *TooLongError.
func Token(text string) (string, error) { return quote(text, "$") }

// Value writes text as one parameter of a directive that expands variables, so that none is expanded.
func Value(text string) (string, error) { return quote(text, dollar) }

// quote writes text in double quotes, with another text for each dollar.
func quote(text, forDollar string) (string, error) {
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\' || c == '"':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '$':
			b.WriteString(forDollar)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f:
			return "", fmt.Errorf("byte %d of %.40q is the control character %#02x, which nginx's configuration can't hold", i, text, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	if b.Len() > tokenLimit {
		return "", &TooLongError{b.Len()}
	}
	return b.String(), nil
}

// together puts quotes around text that is joined of tokens without theirs and of variables.
func together(parts ...string) (string, error) {
	token := `"` + strings.Join(parts, "") + `"`
	if len(token) > tokenLimit {
		return "", &TooLongError{len(token)}
	}
	return token, nil
}

// Key writes text as a key of a map that stands for itself, whatever nginx reads in keys.
func Key(text string) (string, error) {
	switch {
	case strings.HasPrefix(text, "~"), strings.HasPrefix(text, `\`),
		text == "default", text == "hostnames", text == "include", text == "volatile":
		text = `\` + text
	}
	return Token(text)
}

// Regex writes a regular expression, in PCRE, as a key of a map.
func Regex(pcre string) (string, error) { return Token("~" + pcre) }

// Comment makes text fit for a comment: it stays on one line, and shows only printable ASCII.
func Comment(text string) string {
	const most = 200
	clean := true
	for i := range len(text) {
		clean = clean && text[i] >= ' ' && text[i] < 0x7f
	}
	if clean && len(text) <= most {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if b.Len() >= most {
			b.WriteString("...")
			break
		}
		if r < ' ' || r >= 0x7f || r == utf8.RuneError {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// variable makes the part of a variable's name of a text: letters and digits stay, all others become "_".
func variable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, text)
}
