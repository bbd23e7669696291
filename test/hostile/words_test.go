package hostile

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// random makes the same things of the same seed.
type random struct {
	*rand.Rand
	// wild is how many of 100 things are such that they can't be served: what is refused hides what isn't.
	wild int
}

func newRandom(seed uint64) random {
	r := random{Rand: rand.New(rand.NewPCG(seed, 1))}
	r.wild = pick(r, []int{0, 0, 1, 5, 25})
	return r
}

// odd says that something is to be one that can't be served.
func (r random) odd() bool { return r.chance(r.wild) }

func pick[E any](r random, from []E) E { return from[r.IntN(len(from))] }

// chance is true p times of 100.
func (r random) chance(p int) bool { return r.IntN(100) < p }

// size is a number of things: mostly few, sometimes as many as the CRD allows.
func (r random) size(few, most int) int {
	if r.chance(3) {
		return most
	}
	return r.IntN(few + 1)
}

const (
	letters = "abcdefghijklmnopqrstuvwxyz"
	// tokens are the characters of a header's name.
	tokens = letters + "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
)

// breakers mean something to one of the proxies, or to what writes their files.
var breakers = []string{
	`"`, `\`, `$`, `{`, `}`, `;`, `#`, `'`, "`", "%", "~", "|", "&", "<", ">", "(", ")", "[", "]", "*", "?", "+", "^", "@", "!", "=", ",",
	":", "/",
	"%[env(PATH)]", "${request_id}", "$host", "$1", `\\`, `\"`, `\'`, `\n`, `\x00`, "\\\n", "};", "{{.}}", "{{end}}", "*/", "-->", "include",
	"default",
	"hostnames", "volatile", "~^", "~*.", "<<EOF", "$(id)", "%0a", "%%", "%s", "${gw_dollar}", "$gw_rule", "\\;", " ;", "a;b", "if", "--",
}

// unicodes are what isn't ASCII.
var unicodes = []string{"é", "日本", "\u2028", "\u0085", "\ufeff", "🦀", "\u212a", "ſ", "\ufffd", "\U0010ffff"}

// controls can't be in a header, and not in a configuration either.
var controls = []string{"\x01", "\x7f", "\x1b", "\n", "\r", "\r\n\r\n", "\t", "\v"}

// value is what the value of a header match may be: any text of up to 4,096 characters.
func (r random) value() string {
	if r.odd() {
		return pick(r, []string{
			strings.Repeat(pick(r, breakers), 4096)[:1+r.IntN(4096)], strings.Repeat(pick(r, unicodes), 1+r.IntN(1000)),
			"a" + pick(r, controls) + "b", strings.Repeat("v", 4050+r.IntN(47)),
		})
	}
	switch r.IntN(12) {
	case 0:
		return printable()
	case 1:
		text := strings.Repeat(pick(r, breakers), 1000)
		return text[:900+r.IntN(100)]
	case 2:
		return strings.Repeat(pick(r, unicodes), 1+r.IntN(200))
	case 3:
		return pick(r, []string{" ", "\t", "  "}) + "x" + pick(r, []string{" ", "\t", ""})
	case 4:
		return strings.Repeat(pick(r, []string{"v", "V", "vV"}), 4060)[:4000+r.IntN(61)]
	case 5, 6:
		return pick(r, breakers)
	}
	var b strings.Builder
	for range 1 + r.IntN(8) {
		b.WriteString(pick(r, breakers))
		b.WriteString(pick(r, []string{"", "a", " ", "0"}))
	}
	return b.String()
}

// printable is every printable byte.
func printable() string {
	var b strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		b.WriteByte(c)
	}
	return b.String()
}

// setValue is what a filter may set: printable bytes, with single spaces and tabs between.
func (r random) setValue() string {
	switch r.IntN(8) {
	case 0:
		return printable()
	case 1:
		return strings.Repeat(pick(r, []string{`"`, `\`, `$`, `{`, `;`, `#`, `'`, `%`, `$host`, `${request_id}`, `%[env(PATH)]`}),
			4096)[:4000+r.IntN(97)]
	case 2:
		return "a\tb c" + pick(r, []string{"$", `\`, `"`})
	case 3:
		return strings.Repeat(`\ "`, 1365) + "$"
	}
	words := make([]string, 1+r.IntN(5))
	for i := range words {
		if words[i] = strings.Join(strings.Fields(pick(r, breakers)), ""); words[i] == "" {
			words[i] = "x"
		}
		words[i] = strings.Map(func(c rune) rune {
			if c < '!' || c > '~' {
				return 'x'
			}
			return c
		}, words[i])
	}
	return strings.Join(words, " ")
}

// headerName is a name of token characters, often one that another has too, or nearly.
func (r random) headerName() string {
	if r.odd() {
		return pick(r, []string{
			strings.Repeat(pick(r, []string{"x", "X", "-", "$", "a-b", "'"}), 256)[:200+r.IntN(57)], "host", "te", "content-type", "Upgrade",
			"grpc-status",
		})
	}
	switch r.IntN(8) {
	case 0:
		return strings.Repeat(pick(r, []string{"x", "X", "-", "$", "a-b", "'"}), 256)[:20+r.IntN(60)]
	case 1:
		return tokens[r.IntN(30):][:46]
	case 2:
		var b strings.Builder
		for range 1 + r.IntN(46) {
			b.WriteByte(tokens[r.IntN(len(tokens))])
		}
		return b.String()
	case 3:
		return "x-" + strings.Repeat("n", 30+r.IntN(15))
	}
	return pick(r, []string{"x-a", "X-A", "x_a", "x.a", "x$a", "x-a-b", "x-a_b", "default", "~x", "$host", "'x", "x%", "user-agent",
		"cookie", "grpc-timeout"})
}

// matchedName is the name of a header to match: letters, digits and "-" alone, unless it is odd.
func (r random) matchedName() string {
	if r.odd() {
		return r.headerName()
	}
	switch r.IntN(6) {
	case 0:
		return strings.Repeat(pick(r, []string{"x", "X", "a-b", "-", "x-9"}), 256)[:1+r.IntN(256)]
	case 1:
		return pick(r, []string{"x-a", "X-A", "x-a-b", "default", "user-agent", "content-type", "cookie", "grpc-timeout", "id-found", "x-id"})
	}
	return fmt.Sprintf("x-%d", r.IntN(pick(r, []int{20, 20, 20, 2000})))
}

// brokenRemoved are texts that no header has as its name, which the CRD allows in remove.
var brokenRemoved = []string{"", "a b", "x;y", "é", "x\ny", `"`, "a:b", strings.Repeat("r", 5000)}

// refusedExpressions are no RE2, or mean something else to a proxy, or are too much for one.
var refusedExpressions = []string{
	"a**", "(?=a)", `(a)\1`, "[", "(", `\pL`, "é", "*", "[^é]", strings.Repeat("(", 400) + "a" + strings.Repeat(")", 400),
	strings.Repeat("(ab){1000}", 100),
	strings.Repeat("(a{30}){30}", 300), strings.Repeat("a", 5000), strings.Repeat("(?i)abc", 500), "(" + strings.Repeat("[^x]", 1000) + "){3}",
}

var someExpressions = []string{
	".*", "a|b", "(?i)AbC", "[a-z]+", `\w+\.\d{1,3}`, "(a*)*b", "((((a+)+)+)+)+$", "(?i:[a-f]+x|y)", "^a$", `\Qa.b\E`, "[^a]", "(?s).+",
	"x{1000}", "(ab){1000}",
	"(?U)a+?b", "(?P<host>a)(?P<request_id>b)", `"`, `\$host`, "$", `\{`, ";", "#", `\\`, "[\"\\\\$;{}#']+", "(?m)^a$", `\bx\b`, "(?i)k",
	"(?i)s", "[[:^alpha:]]",
	`\z`, `\A`, "(?:)", "", "a{1,2}", "()", "(|a)+", "[a-\x7f]", "\x01", " ", `\/`, "~", "!~", "}{", "(a|ab)(c|bcd)(d*)", "[b-a]?",
	"(x{5}){5}",
}

// expression is a regular expression, or what only looks like one.
func (r random) expression(most int) string {
	text := ""
	if r.odd() {
		text = pick(r, refusedExpressions)
		return text[:min(len(text), most)]
	}
	switch r.IntN(12) {
	case 0:
		n := 1 + r.IntN(100)
		text = strings.Repeat("(", n) + "a" + strings.Repeat(")", n)
	case 1:
		text = strings.Repeat(pick(r, []string{"(ab){100}", "[ab]{1000}c", "(?i)abc", "(a|b)*", `\w{999}x`, "(a{30}){3}"}), 1+r.IntN(5))
	case 2:
		words := make([]string, 1+r.IntN(150))
		for i := range words {
			words[i] = fmt.Sprintf("w%d", i)
		}
		text = strings.Join(words, "|")
	case 3:
		text = strings.Repeat("a", 1+r.IntN(most-40))
	case 4:
		text = strings.Repeat(pick(r, []string{`\.`, "[a]", `\"`, `\\`, "(a)", "a*", "a|", "[^x]", "$", "."}), 1+r.IntN(100))
	case 5, 6:
		for range 1 + r.IntN(5) {
			text += pick(r, someExpressions)
		}
	default:
		text = pick(r, someExpressions)
	}
	if len(text) > most {
		text = text[:most]
	}
	if text == "" {
		return "a?"
	}
	return text
}

// serviceName is the name of a gRPC service.
func (r random) serviceName() string {
	switch r.IntN(6) {
	case 0:
		return strings.Repeat(pick(r, []string{"a.", "A_.", "_."}), 520)[:1000+r.IntN(24)] + "x"
	case 1:
		return "." + pick(r, []string{"a", "a.B"})
	}
	return pick(r, []string{"a.B", "A.b", "a.b", "a", "A", "default", "hostnames", "volatile", "include", "_", "a_b.C", "a.b_C"})
}

func (r random) methodName() string {
	if r.chance(15) {
		return strings.Repeat(pick(r, []string{"m", "M", "_"}), 900+r.IntN(125))
	}
	return pick(r, []string{"Get", "get", "GET", "default", "volatile", "_", "a", "G1"})
}

// hostname is a pattern for hosts: they meet, and some are as long and as deep as can be.
func (r random) hostname() string {
	switch r.IntN(12) {
	case 0:
		label := strings.Repeat(pick(r, []string{"a", "b", "0", "a-b"}), 63)[:63]
		return strings.Join([]string{label, label, label, label[:55]}, ".") + ".com"
	case 1:
		return strings.Repeat("a.", 1+r.IntN(125)) + "b"
	case 2:
		return "*." + strings.Repeat("a.", 1+r.IntN(124)) + "b"
	}
	return pick(r, []string{"a.b", "*.b", "*.a.b", "a.a.b", "b.a.a.b", "*.a.a.b", "default", "1.2", "example.com", "*.example.com",
		"xn--a.example.com", "*.com", "include"})
}
