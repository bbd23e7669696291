package pattern_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/pattern"
)

// TestPlain: what people write is plain; what can match a text in many ways isn't.
func TestPlain(t *testing.T) {
	for _, c := range []struct {
		in    string
		plain bool
	}{
		{`abc`, true},
		{`.*`, true},
		{`.+`, true},
		{`canary-.*`, true},
		{`.*\.example\.com`, true},
		{`.*canary.*`, true},
		{`(.*\.)?example\.(com|org)`, true},
		{`(foo|bar)*`, true},
		{`(prod|staging|dev)-[a-z0-9]+-v[0-9]+`, true},
		{`[a-z0-9]+(-[a-z0-9]+)*`, true},
		{`v[0-9]{1,3}(\.[0-9]{1,3}){0,2}`, true},
		{`Bearer [A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`, true},
		{`(?i)chrome/[0-9]+.*`, true},
		{`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`, true},
		{`\bfoo\b.*`, true},
		{``, true},

		{`.*a.*a.*a.*a.*b`, false},
		{`.*a.*b`, false},
		{`(a*)*b`, false},
		{`(a|aa)+`, false},
		{`(a|a.)+b`, false},
		{`([a-z]+,?)*`, false},
		{`(([a-z])+.)+[A-Z]([a-z])+`, false},
		{strings.Repeat(`a?`, 30) + `b`, false},
		{strings.Repeat(`(a[ab]|[ac]a)`, 30), false},
		{`a{0,200}a{0,200}a{0,200}b`, false},
		{`(a{1,50}){1,20}b`, false},
		{`(.*,){11}P`, false},
		{`(|a)+b`, false},
		{`(\b|a)*b`, false},
		{`[^x]*[^y]*z`, false},
	} {
		p, err := pattern.Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if p.Plain() != c.plain {
			t.Errorf("%.60s: plain %t, %d steps", c.in, p.Plain(), p.Steps())
		}
		if got := strings.HasPrefix(pattern.Start(1, p), "(*LIMIT_MATCH=50000)"); got != c.plain {
			t.Errorf("%.60s begins with %s", c.in, pattern.Start(1, p))
		}
		if guarded := regexp.MustCompile(`\{1,4096\}`).MatchString(p.Value()); guarded == c.plain {
			t.Errorf("%.60s for one value: %.80s", c.in, p.Value())
		}
	}
}

// TestBudget: many expressions as people write them fit in one call, and 64 of any kind.
func TestBudget(t *testing.T) {
	p, err := pattern.Parse(`(prod|staging)-[a-z0-9]+\.example\.com`)
	if err != nil {
		t.Fatal(err)
	}
	if n := limits.CallSteps / p.Steps(); n < 1000 {
		t.Errorf("only %d ordinary expressions fit in a call", n)
	}
	if p, err = pattern.Parse(`(a*)*b`); err != nil {
		t.Fatal(err)
	}
	if n := limits.CallSteps / p.Steps(); n != limits.LongPatterns {
		t.Errorf("%d of the worst expressions fit in a call, want %d", n, limits.LongPatterns)
	}
	for n := 1; n < 200; n++ {
		if steps := 2 * limits.LongValue * n * limits.LongMatch(n); steps > limits.CallSteps {
			t.Errorf("%d expressions may take %d steps", n, steps)
		}
	}
}
