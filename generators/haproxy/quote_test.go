package haproxy_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// TestHeaderNames matches every character that the capabilities allow in a header's name, and with several
// lines of one header.
func TestHeaderNames(t *testing.T) {
	world.Each(t, "haproxy", func(t *testing.T, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("one", 1)
		var rules []*model.Rule
		var names []string
		for _, c := range p.Capabilities.Limits.MatchHeaderName {
			name := "x" + string(c) + "n"
			names = append(names, name)
			m := model.Match{Path: world.Path("h.H", "M"), Headers: []model.ValueMatch{{Name: name, Value: "1, 2"}}}
			rules = append(rules, w.Rule(m, world.To("one")))
		}
		w.Serve(model.Scope{Rules: rules})
		w.Start(p)
		client := harness.NewClient(t)
		for _, name := range names {
			for _, values := range [][]string{{"1, 2"}, {"1", "2"}} {
				call := w.Call("/h.H/M")
				call.Metadata = metadata.MD{name: values}
				if r := client.Do(call); r.Backend() != "ns/one" && strings.Trim(name, "xn-_.") == "" {
					t.Errorf("%s %q: %s %s", name, values, r.Backend(), r.Message)
				}
			}
		}
	})
}

// loaded are lines of a frontend, and expressions of the map that they use, that a HAProxy has to take.
type loaded struct{ lines, expressions string }

// add keeps what is made of a seed, for one start of HAProxy takes all of them. What fuzzing finds is tried by itself.
func (l *loaded) add(t *testing.T, lines, expression string) {
	t.Helper()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		(&loaded{lines, expression}).check(t)
		return
	}
	l.lines, l.expressions = l.lines+lines, l.expressions+expression
}

// check fails when a HAProxy refuses what was kept.
func (l *loaded) check(t harness.T) {
	t.Helper()
	dir := harness.TempDir(t)
	config := "global\n    default-path config\ndefaults\n    mode http\n    timeout client 1s\nfrontend f\n    bind 127.0.0.1:1\n" + l.lines
	for name, text := range map[string]string{"haproxy.cfg": config, "m": l.expressions} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatalf("%v", err)
		}
	}
	// All versions read words alike: the oldest stands for them, TestHostileValues runs on all.
	if out, err := exec.Command("/usr/sbin/haproxy", "-c", "-f", filepath.Join(dir, "haproxy.cfg")).CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s: %v\n%s", l.lines, l.expressions, err, out)
	}
}

func FuzzArg(f *testing.F) {
	world.Seed(f)
	var all loaded
	f.Fuzz(func(t *testing.T, text string) {
		word, err := haproxy.Arg(text)
		if bad := strings.ContainsAny(text, "\x00\r\n"); bad != (err != nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil {
			all.add(t, fmt.Sprintf("    acl a path -m str -- %s\n    http-request deny if a\n", word), "")
		}
	})
	all.check(f)
}

func FuzzLogFormat(f *testing.F) {
	world.Seed(f)
	var all loaded
	f.Fuzz(func(t *testing.T, text string) {
		word, err := haproxy.LogFormat(text)
		if bad := strings.ContainsAny(text, "\x00\r\n"); bad != (err != nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil {
			all.add(t, fmt.Sprintf("    http-request set-header x %s if { path / }\n", word), "")
		}
	})
	all.check(f)
}

func FuzzMapKey(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		if haproxy.MapKey(text) && (strings.ContainsAny(text, " \t\r\n\v\f\x00") || text[0] == '#') {
			t.Fatalf("%q is taken for a key", text)
		}
	})
}

func FuzzComment(f *testing.F) {
	world.Seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		if c := haproxy.Comment(text); strings.IndexFunc(c, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
			t.Fatalf("%q", c)
		}
	})
}

func FuzzLiteral(f *testing.F) {
	world.Seed(f)
	var all loaded
	f.Fuzz(func(t *testing.T, text string) {
		expression := haproxy.Literal(text)
		if strings.ContainsAny(expression, " \t\r\n\x00") {
			t.Fatalf("%q has a blank", expression)
		}
		if len(expression) < 8000 {
			all.add(t, "    http-request set-var(txn.x) path,map_reg(m)\n", "^"+expression+`\z`+" 1\n")
		}
	})
	all.check(f)
}

func FuzzRegex(f *testing.F) {
	world.Seed(f)
	var all loaded
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
			all.add(t, "    http-request set-var(txn.x) path,map_reg(m)\n", "^"+expression+`\z`+" 1\n")
		}
	})
	all.check(f)
}
