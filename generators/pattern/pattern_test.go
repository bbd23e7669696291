package pattern_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/pattern"
)

func TestPCRE(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`abc`, `abc`},
		{`foo\.v[12]`, `foo\.v[12]`},
		{`^a.*z$`, `(?m:^)a[^\n]*z(?m:$)`},
		{`(?P<x>a|b)c`, `(?:[ab])c`},
		{`(get|list)+`, `(?:(?:get|list))+`},
		{`(?i)Get`, `[Gg][Ee][Tt]`},
		{`(?i)[k-s]`, `[K-Sk-s]`},
		{`[^a-z]`, "[^\\na-z]"},
		{`\w{2,4}?`, `[0-9A-Z_a-z]{2,4}`},
		{`\Qa.b\E`, `a\.b`},
		{`\Qa.b`, `a\.b`},
		{`[ab]+\Q.)(`, `[ab]+\.\)\(`},
		{`\Q`, `(?:)`},
		{`\\Qa.b`, `\\Qa[^\n]b`},
		{`\s`, `[\x09\x0a\x0c\x0d ]`},
		{`a\zb`, `a(?m:$)b`},
		{`[^\x00-\x{10FFFF}]`, `(?!)`},
		{`(?s).`, `[^\n]`},
		{`"#; {}$'`, `"#; \{\}(?m:$)'`},
		{`a{3}|`, `a{3}|(?:)`},
	} {
		p, err := pattern.Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if p.PCRE() != c.want {
			t.Errorf("%s: got %s, want %s", c.in, p.PCRE(), c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`(`, "not a regular expression in RE2 syntax: missing closing ): \"(\""},
		{`(?=a)`, "invalid or unsupported Perl syntax: \"(?=\""},
		{`a++`, "invalid nested repetition operator: \"++\""},
		{`(a)\1`, "invalid escape sequence: \"\\\\1\""},
		{`\pL`, `it names the character 'ª' (U+00AA)`},
		{`é`, `it names the character 'é' (U+00E9)`},
		{`[a-é]`, `it names the character '\u0080' (U+0080)`},
		{"\xff", "invalid UTF-8"},
	} {
		_, err := pattern.Parse(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want an error with %q", c.in, err, c.want)
		}
	}
}

// TestMeansTheSameInPCRE holds RE2 against the real PCRE, the one in grep.
func TestMeansTheSameInPCRE(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	values := make([]string, 400)
	for i := range values {
		values[i] = randomValue(random)
	}
	subjects := strings.Join(values, "\n") + "\n"
	matched, patterns := 0, 0
	for patterns < 300 {
		p, err := pattern.Parse(randomPattern(random, 3))
		if err != nil {
			continue
		}
		patterns++
		got := inPCRE(t, p.PCRE(), subjects)
		for i, v := range values {
			if p.Match(v) != got[i+1] {
				t.Errorf("%q on %q: RE2 %t, PCRE %t (as %q)", p, v, p.Match(v), got[i+1], p.PCRE())
			}
			if got[i+1] {
				matched++
			}
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matches: the values don't come near the patterns", matched)
	}
}

// inPCRE says which lines an expression matches, from 1 on.
func inPCRE(t *testing.T, pcre, subjects string) map[int]bool {
	t.Helper()
	cmd := exec.Command("grep", "-anP", "--", "^(?:"+pcre+")$")
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdin = strings.NewReader(subjects)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 1) {
		t.Fatalf("grep -P %q: %v: %s", pcre, err, stderr.String())
	}
	got := map[int]bool{}
	for line := range strings.Lines(string(out)) {
		var n int
		if _, err := fmt.Sscanf(line, "%d:", &n); err != nil {
			t.Fatalf("grep printed %q", line)
		}
		got[n] = true
	}
	return got
}

func randomValue(r *rand.Rand) string {
	const alphabet = "aabbABkK01 .,-_;{}$\"'\\/#%[]^~\t"
	b := make([]byte, r.IntN(6))
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func randomPattern(r *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "A", "k", ".", `\.`, "[ab]", "[^a]", `\w`, `\W`, `\d`, `\s`, `\S`, "[[:alpha:]]", `\b`, `\B`, "^", "$", `\A`,
		`\z`,
		`\$`, "#", " ", `"`, `\\`, `\Q.*\E`, `[\]^-]`, "~", ";", `\{`, "", `[a-k]`, `\x61`, `(?i:K)`, `[^\n]`, `\t`}
	if depth == 0 || r.IntN(3) == 0 {
		return atoms[r.IntN(len(atoms))]
	}
	sub := func() string { return randomPattern(r, depth-1) }
	switch r.IntN(7) {
	case 0:
		return sub() + "|" + sub()
	case 1:
		return "(" + sub() + ")" + []string{"*", "+", "?", "{2}", "{1,2}", "*?", "{0,}"}[r.IntN(7)]
	case 2:
		return "(?i)" + sub()
	case 3:
		return "(?P<n>" + sub() + ")"
	}
	return sub() + sub()
}

// FuzzParse: whatever is accepted has one reading, printable in one line, that matches the same values.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`\Qa.b`, `a.*b`, `(?i)x[^y]{2,3}$`, `\pN`, `^$`, `[\x00-\x7f]`, "a\nb", `\C`, `(|a)*`} {
		f.Add(seed, "a b")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		p, err := pattern.Parse(text)
		if err != nil {
			return
		}
		for i := range len(p.PCRE()) {
			if c := p.PCRE()[i]; c < ' ' || c > '~' {
				t.Fatalf("%q became %q: not printable ASCII", text, p.PCRE())
			}
		}
		for i := range len(value) {
			if value[i] == '\n' || value[i] > '~' {
				return
			}
		}
		if strings.Contains(p.PCRE(), "(?!)") {
			return
		}
		again, err := regexp.Compile(`\A(?:` + p.PCRE() + `)\z`)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, p.PCRE(), err)
		}
		if again.MatchString(value) != p.Match(value) {
			t.Fatalf("%q became %q: they differ on %q", text, p.PCRE(), value)
		}
	})
}
