package haproxy

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/gatewright/gatewright/generators/pattern"
)

// Arg writes text as one word of the configuration that HAProxy takes literally. The error names the byte that
// a line can't hold.
func Arg(text string) (string, error) {
	if i := strings.IndexAny(text, "\x00\r\n"); i >= 0 {
		return "", fmt.Errorf("byte %d of %.40q is the control character %#02x, which HAProxy's configuration can't hold", i, text, text[i])
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'", nil
}

// LogFormat writes text as one word where HAProxy expands a log-format string, so that nothing is expanded.
func LogFormat(text string) (string, error) {
	if text == "" {
		// A rule takes no empty word.
		return "%[str()]", nil
	}
	return Arg(strings.ReplaceAll(text, "%", "%%"))
}

// MapKey says whether a key can stand in a map file as it is: the first blank ends it, and a line that begins
// with "#" is a comment. No path or host of a request has such characters, so what it refuses matches nothing.
func MapKey(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return false
		}
	}
	return key != "" && key[0] != '#'
}

// Value writes a header's value as a part of a map's key: in base64, for it may have blanks.
func Value(value string) string { return base64.StdEncoding.EncodeToString([]byte(value)) }

// Regex writes a pattern for one value as a part of a key of a map_reg file.
func Regex(p *pattern.Pattern) string { return strings.ReplaceAll(p.Value(), " ", `\x20`) }

// Literal writes text as a regular expression for itself, as a part of a key of a map_reg file.
func Literal(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteString(regexp.QuoteMeta(string(rune(c))))
		}
	}
	return b.String()
}

// Comment makes text fit for a comment: it stays on one line, and shows only printable ASCII.
func Comment(text string) string {
	const most = 200
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, text)
	if len(clean) > most {
		clean = clean[:most] + "..."
	}
	return clean
}

// sectionName makes the name of a section: HAProxy takes letters, digits and "-_.:". Names of Kubernetes
// objects have no colon, so a slash becomes one.
func sectionName(parts ...string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-_.:", r):
			return r
		case r == '/':
			return ':'
		}
		return '_'
	}, strings.Join(parts, ":"))
}
