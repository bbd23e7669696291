package nginx_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/test/generators/world"
)

// TestTokensLoad gives every way of quoting every hostile text to nginx -t, all in one configuration.
func TestTokensLoad(t *testing.T) {
	limits := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 30}).Limits
	var b strings.Builder
	b.WriteString("pid p; events {} http { geo $gw_dollar { default \"$\"; } map_hash_bucket_size 8192;\n")
	for i, text := range append(append(world.Values(limits.MatchValue), strings.Repeat("c", 4088)), world.Hostile...) {
		key, err := nginx.Key(text)
		if err != nil {
			t.Fatal(err)
		}
		value, err := nginx.Value(text)
		if err != nil {
			// Too long with its dollars written out; Token takes it.
			if value, err = nginx.Token("x"); err != nil {
				t.Fatal(err)
			}
		}
		token, err := nginx.Token(text)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "map $uri $m%d { %s %s; } geo $g%d { default %s; } # %s\n", i, key, value, i, token, nginx.Comment(text))
	}
	b.WriteString("}\n")
	dir := world.Write(t, []generators.File{{Path: "nginx.conf", Data: []byte(b.String())}})
	for _, p := range world.Proxies(t, "nginx") {
		if err := p.Validate(context.Background(), p.Binary, dir); err != nil {
			t.Error(err)
		}
	}
}

func FuzzToken(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := nginx.Token(text)
		if err != nil {
			return
		}
		if got := read(t, token); got != text {
			t.Errorf("%q is read as %q", token, got)
		}
	})
}

func FuzzValue(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := nginx.Value(text)
		if err != nil {
			return
		}
		const dollar = "${gw_dollar}"
		got := read(t, token)
		if strings.Contains(strings.ReplaceAll(got, dollar, ""), "$") {
			t.Errorf("%q expands a variable", token)
		}
		if got := strings.ReplaceAll(got, dollar, "$"); !strings.Contains(text, dollar) && got != text {
			t.Errorf("%q is read as %q", token, got)
		}
	})
}

func FuzzKey(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := nginx.Key(text)
		if err != nil {
			return
		}
		got := read(t, token)
		switch got {
		case "default", "hostnames", "include", "volatile":
			t.Errorf("%q is a parameter of map", token)
		}
		if strings.HasPrefix(got, "~") {
			t.Errorf("%q is a regular expression", token)
		}
		if got = strings.TrimPrefix(got, `\`); got != text {
			t.Errorf("%q is read as %q", token, got)
		}
	})
}

func FuzzRegex(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := nginx.Regex(text)
		if err != nil {
			return
		}
		if got := read(t, token); got != "~"+text {
			t.Errorf("%q is read as %q", token, got)
		}
	})
}

func FuzzComment(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range []byte(nginx.Comment(text)) {
			if c < ' ' || c > '~' {
				t.Errorf("a comment on %q has the byte %#02x", text, c)
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		encoded := answers.Encode(text)
		var b strings.Builder
		for i := 0; i < len(encoded); i++ {
			c := encoded[i]
			if c < ' ' || c > '~' {
				t.Fatalf("%q has the byte %#02x", encoded, c)
			}
			if c == '%' {
				if _, err := fmt.Sscanf(encoded[i+1:i+3], "%02X", &c); err != nil {
					t.Fatalf("%q: %v", encoded, err)
				}
				i += 2
			}
			b.WriteByte(c)
		}
		if b.String() != text {
			t.Errorf("%q decodes to %q, not %q", encoded, b.String(), text)
		}
	})
}

// read reads one token in double quotes as nginx does, and fails when it isn't one.
func read(t *testing.T, token string) string {
	t.Helper()
	if len(token) < 2 || len(token) > 4090 || token[0] != '"' {
		t.Fatalf("%q is not a token", token)
	}
	var b strings.Builder
	for i := 1; i < len(token); i++ {
		c := token[i]
		switch {
		case c == '"':
			if i != len(token)-1 {
				t.Fatalf("%q ends at %d", token, i)
			}
			return b.String()
		case c == '\\':
			i++
			switch token[i] {
			case '"', '\'', '\\':
				b.WriteByte(token[i])
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case 'n':
				b.WriteByte('\n')
			default:
				b.WriteString(token[i-1 : i+1])
			}
		case c < ' ' || c == 0x7f:
			t.Fatalf("%q has a control character", token)
		default:
			b.WriteByte(c)
		}
	}
	t.Fatalf("%q doesn't end", token)
	return ""
}
