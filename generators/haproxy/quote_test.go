package haproxy_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
	run "github.com/gatewright/gatewright/runtime/haproxy"
	"github.com/gatewright/gatewright/test/harness"
)

// hostiles are texts that mean something to HAProxy somewhere.
var hostiles = []string{
	"", " ", "plain", "default", "if", "unless", "or", "||", "!", "--", "-m", "-f", "/etc/passwd", "~", `\`, `\\`, `"`, `'`, `\"`, `\'`,
	`'\''`,
	"$", "$1", "$HOME", "${HOME}", "${", "$$", ";", "{}", "}", "{", "{ always_true }", "#", "# x", "a#b", "\t", "a\tb", "%[env(PATH)]", "%",
	"%%", "%00", "%[", "%{+Q}o",
	"|", "a|b", ";a;", "?a", "weights:2:x", "status:0:ok", "é", "a b  c", ", ", "a,b", "(", ")", "),map_str(x", `\n`, `\r\n`, `\x41`, "*",
	"*.example.com", "10s",
	"<%", "{{.}}", "0", "-", "::", "[a-z]", "(?<x>a)", "~x#y", "999999", "999999;x", "a/b", "x=",
}

// values are what may stand in a header, without blanks around.
func values() []string {
	var all []string
	for _, h := range hostiles {
		if h == strings.TrimSpace(h) && h != "" {
			all = append(all, h)
		}
	}
	for _, n := range []int{100, 255, 256, 257, 1000, 2000} {
		all = append(all, strings.Repeat("a", n), strings.Repeat("%", n), strings.Repeat("'", n))
	}
	// The longest that the limits allow.
	return append(all, strings.Repeat("b", haproxy.CapabilitiesOf(model.Version{Major: 3}).Limits.MatchValue))
}

// TestHostileValues matches and sets every hostile value, as it is and as a regular expression for itself, with
// a running HAProxy, all in one configuration.
func TestHostileValues(t *testing.T) {
	eachHAProxy(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("one", 1)
		var rules []*model.Rule
		for i, v := range values() {
			backend := to("one")
			backend.RequestHeaders = []model.HeaderChange{{Name: "x-number", Values: []string{itoa(i)}}, {Name: "x-set", Values: []string{v}}}
			backend.ResponseHeaders = []model.HeaderChange{{Name: "r-set", Values: []string{v}}}
			exact := model.ValueMatch{Name: "x-v", Value: v}
			rules = append(rules, w.rule(model.Match{Path: path("h.H", "M"), Headers: []model.ValueMatch{exact}}, backend))
			if len(v) < 300 && !strings.Contains(v, "é") {
				exact.Regex = regex(t, regexp.QuoteMeta(v))
				rules = append(rules, w.rule(model.Match{Path: path("h.H", "R"), Headers: []model.ValueMatch{exact}}, backend))
			}
		}
		w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}})
		start(t, b, w.model)
		client := harness.NewClient(t)
		for i, v := range values() {
			if strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				// grpc-go doesn't send such values; that HAProxy reads them is all there is to see.
				continue
			}
			calls := []string{"/h.H/M"}
			if len(v) < 300 {
				calls = append(calls, "/h.H/R")
			}
			for _, p := range calls {
				call := w.call(p)
				call.Metadata = metadata.MD{"x-v": {v}}
				r := client.Do(call)
				if r.Code != codes.OK {
					t.Errorf("%s %.40q: %v %s", p, v, r.Code, r.Message)
					continue
				}
				same(t, "x-number for "+v, r.Echo.Metadata["x-number"], itoa(i))
				same(t, "x-set", r.Echo.Metadata["x-set"], v)
				same(t, "r-set", r.Headers["r-set"], v)
			}
		}
	})
}

// TestHeaderNames matches every character that the capabilities allow in a header's name, and with several
// lines of one header.
func TestHeaderNames(t *testing.T) {
	eachHAProxy(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("one", 1)
		var rules []*model.Rule
		var names []string
		for _, c := range b.caps.Limits.MatchHeaderName {
			name := "x" + string(c) + "n"
			names = append(names, name)
			rules = append(rules, w.rule(model.Match{Path: path("h.H", "M"), Headers: []model.ValueMatch{{Name: name, Value: "1, 2"}}}, to("one")))
		}
		w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}})
		start(t, b, w.model)
		client := harness.NewClient(t)
		for _, name := range names {
			for _, values := range [][]string{{"1, 2"}, {"1", "2"}} {
				call := w.call("/h.H/M")
				call.Metadata = metadata.MD{name: values}
				if r := client.Do(call); r.Backend() != "ns/one" && strings.Trim(name, "xn-_.") == "" {
					t.Errorf("%s %q: %s %s", name, values, r.Backend(), r.Message)
				}
			}
		}
	})
}

// loads fails when a HAProxy refuses the lines in a frontend.
func loads(t *testing.T, lines string, files map[string]string) {
	t.Helper()
	dir := harness.TempDir(t)
	files["haproxy.cfg"] = "global\n    default-path config\ndefaults\n    mode http\n    timeout client 1s\nfrontend f\n    bind " +
		"127.0.0.1:1\n" + lines
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// All versions read words alike: the oldest stands for them, TestHostileValues runs on all.
	if err := run.Validate(context.Background(), "/usr/sbin/haproxy", dir); err != nil {
		t.Fatalf("%q: %v", lines, err)
	}
}

// seed gives a fuzz target the hostile texts.
func seed(f *testing.F) {
	for _, h := range hostiles {
		f.Add(h)
	}
}

func FuzzArg(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		word, err := haproxy.Arg(text)
		if bad := strings.ContainsAny(text, "\x00\r\n"); bad != (err != nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil {
			loads(t, fmt.Sprintf("    acl a path -m str -- %s\n    http-request deny if a\n", word), map[string]string{})
		}
	})
}

func FuzzLogFormat(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		word, err := haproxy.LogFormat(text)
		if bad := strings.ContainsAny(text, "\x00\r\n"); bad != (err != nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil {
			loads(t, fmt.Sprintf("    http-request set-header x %s if { path / }\n", word), map[string]string{})
		}
	})
}

func FuzzMapKey(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		if haproxy.MapKey(text) && (strings.ContainsAny(text, " \t\r\n\v\f\x00") || text[0] == '#') {
			t.Fatalf("%q is taken for a key", text)
		}
	})
}

func FuzzComment(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		if c := haproxy.Comment(text); strings.IndexFunc(c, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
			t.Fatalf("%q", c)
		}
	})
}

func FuzzLiteral(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		expression := haproxy.Literal(text)
		if strings.ContainsAny(expression, " \t\r\n\x00") {
			t.Fatalf("%q has a blank", expression)
		}
		if len(expression) < 8000 {
			loads(t, "    http-request set-var(txn.x) path,map_reg(m)\n", map[string]string{"m": "^" + expression + `\z` + " 1\n"})
		}
	})
}

func FuzzRegex(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := pattern.Parse(text)
		if err != nil {
			return
		}
		expression := haproxy.Regex(p)
		if strings.ContainsAny(expression, " \t\r\n\x00") {
			t.Fatalf("%q has a blank", expression)
		}
		if len(expression) < 8000 {
			loads(t, "    http-request set-var(txn.x) path,map_reg(m)\n", map[string]string{"m": "^" + expression + `\z` + " 1\n"})
		}
	})
}
