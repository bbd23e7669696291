package nginx_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	run "github.com/gatewright/gatewright/runtime/nginx"
	"github.com/gatewright/gatewright/test/harness"
)

// hostiles are texts that mean something to nginx somewhere.
var hostiles = []string{
	"", " ", "plain", "default", "hostnames", "include", "volatile", "Default", "~", "~*", "~^a$", `\`, `\\`, `\~x`, `"`, `'`, `\"`,
	"$", "$1", "$host", "${host}", "${", "$$", "cost $5", `\$x`, ";", "{}", "}", "{", "#", "# x", "a;b}", "\t", "a\tb", "%[x]", "%", "%00",
	"*", "*.example.com", ".example.com", "a.*", "\x80\xff", "é", "a b  c", ", ", "'\"'\"", `\n`, `\r\n`, "/*", "@gw_status", "10s", "unix:/x",
	`a\`, `$gw_dollar`, `${gw_dollar}`, "<%", "{{.}}", "\\x41", "0", "-", "::", "[a-z]", "(?<x>a)", "(?P<host>a)",
}

// values are what may stand in a header, without spaces around.
func values() []string {
	var all []string
	for _, h := range hostiles {
		if h == strings.TrimSpace(h) && h != "" {
			all = append(all, h)
		}
	}
	for _, n := range []int{100, 1000, 2000} {
		all = append(all, strings.Repeat("a", n), strings.Repeat("$", n), strings.Repeat(`\`, n), strings.Repeat(`"`, n))
	}
	// The longest that the limits allow.
	return append(all, strings.Repeat("b", nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 30}).Limits.MatchValue))
}

// TestHostileValues matches and sets every hostile value with a running nginx, all in one configuration.
func TestHostileValues(t *testing.T) {
	eachNginx(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("one", 1)
		var rules []*model.Rule
		for i, v := range values() {
			backend := to("one")
			backend.RequestHeaders = []model.HeaderChange{{Name: "x-number", Values: []string{itoa(i)}}, {Name: "x-set", Values: []string{v}}}
			backend.ResponseHeaders = []model.HeaderChange{{Name: "r-set", Values: []string{v}}}
			rules = append(rules, w.rule(model.Match{Path: path("h.H", "M"), Headers: []model.ValueMatch{{Name: "x-v", Value: v}}}, backend))
		}
		w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}})
		start(t, b, w.model)
		client := harness.NewClient(t)
		for i, v := range values() {
			call := w.call("/h.H/M")
			call.Metadata = metadata.MD{"x-v": {v}}
			r := client.Do(call)
			if strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				// grpc-go doesn't send such values; that nginx reads them is all there is to see.
				continue
			}
			if r.Code != codes.OK {
				t.Errorf("%.40q: %v %s", v, r.Code, r.Message)
				continue
			}
			same(t, "x-number for "+v, r.Echo.Metadata["x-number"], itoa(i))
			same(t, "x-set", r.Echo.Metadata["x-set"], v)
			same(t, "r-set", r.Headers["r-set"], v)
		}
	})
}

// TestTokensLoad gives every way of quoting every hostile text to nginx -t, all in one configuration.
func TestTokensLoad(t *testing.T) {
	var b strings.Builder
	b.WriteString("pid p; events {} http { geo $gw_dollar { default \"$\"; } map_hash_bucket_size 8192;\n")
	for i, text := range append(append(values(), strings.Repeat("c", 4088)), hostiles...) {
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
	dir := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bin := range binaries(t) {
		if err := run.Validate(context.Background(), bin.path, dir); err != nil {
			t.Error(err)
		}
	}
}

// seed gives a fuzz target the hostile texts.
func seed(f *testing.F) {
	for _, h := range hostiles {
		f.Add(h)
	}
}

func FuzzToken(f *testing.F) {
	seed(f)
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
	seed(f)
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
	seed(f)
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
	seed(f)
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
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range []byte(nginx.Comment(text)) {
			if c < ' ' || c > '~' {
				t.Errorf("a comment on %q has the byte %#02x", text, c)
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	seed(f)
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
