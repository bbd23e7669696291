package pattern_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/pattern"
)

// decoded is a query parameter's value as R35 has it: decoded, and absent when it is empty, can't be decoded, or has a
// control character.
func decoded(raw string) (string, bool) {
	value, err := url.QueryUnescape(raw)
	absent := strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
	return value, err == nil && value != "" && !absent
}

// encode writes a value in one of the many ways in which it may come, and sometimes in none.
func encode(r *rand.Rand, value string) string {
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case c == ' ' && r.IntN(2) == 0:
			b.WriteByte('+')
		case strings.IndexByte(" %+&\t", c) >= 0, r.IntN(3) == 0:
			fmt.Fprintf(&b, []string{"%%%02x", "%%%02X"}[r.IntN(2)], c)
		default:
			b.WriteByte(c)
		}
	}
	if r.IntN(10) == 0 {
		b.WriteString([]string{"%", "%4", "%zz", "%0a", "%7F", "+"}[r.IntN(6)])
	}
	return b.String()
}

// TestEncoded: an expression for values as they arrive matches those that are matched once they are decoded.
func TestEncoded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]string, 600)
	for i := range values {
		values[i] = encode(random, randomValue(random))
	}
	subjects := strings.Join(values, "\n") + "\n"
	matched := 0
	for patterns := 0; patterns < 150; {
		p, err := pattern.Parse(randomPattern(random, 3))
		if err != nil {
			continue
		}
		text, size, err := p.Encoded()
		if err != nil || size == 0 {
			t.Fatalf("%s: %d, %v", p, size, err)
		}
		patterns++
		got := inPCRE(t, text, subjects)
		for i, raw := range values {
			value, present := decoded(raw)
			if want := present && p.Match(value); want != got[i+1] {
				t.Errorf("%q on %q, which is %q: want %t as %q", p, raw, value, want, text)
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

func TestEncodedText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 3))
	for range 300 {
		want := randomValue(random) + []string{"", "é", "%"}[random.IntN(3)]
		var values []string
		for range 20 {
			values = append(values, encode(random, want), encode(random, randomValue(random)))
		}
		got := inPCRE(t, pattern.EncodedText(want), strings.Join(values, "\n")+"\n")
		for i, raw := range values {
			if value, present := decoded(raw); present && (value == want) != got[i+1] || !present && value != "" && got[i+1] {
				t.Errorf("%q for %q: got %t as %q", raw, want, got[i+1], pattern.EncodedText(want))
			}
		}
	}
}

func TestEncodedTooLarge(t *testing.T) {
	p, err := pattern.Parse(`([a-f]|[g-z]x){500}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Encoded(); err == nil || !strings.Contains(err.Error(), "too large for a query parameter") {
		t.Errorf("got %v", err)
	}
}
