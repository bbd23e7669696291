package hostile

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

const liveGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, port: 80, protocol: HTTP}]
`

// rule is a GRPCRoute of one rule: a header to match, which may be "", and filters.
func rule(name, header, kind, value, filters, service string) string {
	match := ""
	if header != "" {
		match = fmt.Sprintf("matches: [{headers: [{name: %s, type: %s, value: %s}]}]", header, kind, strconv.Quote(value))
	} else {
		match = fmt.Sprintf("matches: [{method: {service: %s}}]", value)
	}
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: %s}
spec:
  parentRefs: [{name: gw}]
  rules:
  - %s
    filters: [%s]
    backendRefs: [{name: %s, port: 50051}]
`, name, match, filters, service)
}

func eachProxy(t *testing.T, manifests []string, test func(*testing.T, *harness.Served)) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			test(t, harness.Serve(t, p, harness.Load(t, "", strings.Join(manifests, "---\n")), harness.Options{}))
		})
	}
}

// TestBytes matches each printable byte literally, and no other in its place.
func TestBytes(t *testing.T) {
	manifests := []string{liveGateway, harness.Service("default", "one", 50051), harness.Service("default", "all", 50051),
		rule("all", "x-all", "Exact", printable(), "", "all")}
	for c := byte('!'); c <= '~'; c++ {
		manifests = append(manifests, rule(fmt.Sprintf("b%d", c), fmt.Sprintf("x-%d", c), "Exact", "a"+string(c)+" b", "", "one"))
	}
	eachProxy(t, manifests, func(t *testing.T, s *harness.Served) {
		ask := func(name, value string) string {
			call := s.Call("gw/http")
			call.Authority, call.Path, call.Metadata = "a.b", "/s.A/Get", metadata.Pairs(name, value)
			return s.Client.Do(call).Backend()
		}
		all := printable()
		if got := ask("x-all", all); got != "all" {
			t.Errorf("all printable bytes: %s answers", got)
		}
		for i := range all {
			c := all[i]
			other := all[:i] + string(next(c)) + all[i+1:]
			if got := ask("x-all", other); got != "Unimplemented" {
				t.Errorf("byte %q changed: %s answers", c, got)
			}
			name := fmt.Sprintf("x-%d", c)
			if got := ask(name, "a"+string(c)+" b"); got != "one" {
				t.Errorf("byte %q: %s answers", c, got)
			}
			if got := ask(name, "a"+string(next(c))+" b"); got != "Unimplemented" {
				t.Errorf("byte %q for %q: %s answers", next(c), c, got)
			}
		}
	})
}

// next is another printable byte: the other case of a letter.
func next(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return c ^ 0x20
	case c == '~':
		return '!'
	}
	return c + 1
}

// TestLongValues are set and added byte for byte, up to what the CRD allows.
func TestLongValues(t *testing.T) {
	var values []string
	for _, text := range []string{`"`, `\`, `$`, `{`, `}`, `;`, `#`, `'`, `%`, `%[env(PATH)]`, `${request_id}`, `$host`, "a\tb c ", "x"} {
		values = append(values, strings.TrimSpace(strings.Repeat(text, 4096)[:4096]))
	}
	values = append(values, printable())
	manifests := []string{liveGateway, harness.Service("default", "s", 50051)}
	for i, v := range values {
		set := fmt.Sprintf("{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: %[1]s}], add: [{name: x-add, "+
			"value: %[1]s}]}},"+
			"{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: y-set, value: %[1]s}], add: [{name: y-add, value: %[1]s}]}}",
			strconv.Quote(v))
		manifests = append(manifests, rule(fmt.Sprintf("v%d", i), "", "", fmt.Sprintf("s.V%d", i), set, "s"))
	}
	eachProxy(t, manifests, func(t *testing.T, s *harness.Served) {
		for i, v := range values {
			call := s.Call("gw/http")
			call.Authority, call.Path = "a.b", fmt.Sprintf("/s.V%d/Get", i)
			call.Metadata = metadata.Pairs("x-set", "before", "x-add", "before")
			r := s.Client.Do(call)
			if refused := s.Condition("GRPCRoute", fmt.Sprintf("default/v%d", i), "Accepted", "UnsupportedValue"); refused != nil {
				if r.Code != codes.Internal && r.Code != codes.Unimplemented {
					t.Errorf("%.20q is refused, and answered by %s", v, r.Backend())
				}
				t.Logf("%.20q (%d bytes): %.200s", v, len(v), refused.Message)
				continue
			}
			got := []string{join(r.Echo.Metadata["x-set"]), join(r.Echo.Metadata["x-add"]), join(r.Headers.Get("y-set")),
				join(r.Headers.Get("y-add"))}
			for k, want := range []string{v, "before|" + v, v, v} {
				if got[k] != want && !(k == 1 && got[k] == "before, "+v) {
					t.Errorf("%.20q (%d bytes): header %d is %.60q… (%d bytes), %s %s", v, len(v), k, got[k], len(got[k]), r.Code, r.Message)
				}
			}
		}
	})
}

func join(values []string) string { return strings.Join(values, "|") }

// TestMessages are those of long objects and of names that mean something in a message.
func TestMessages(t *testing.T) {
	name := strings.Repeat("long-name.", 25) + "xyz"
	odd := `100% "é" $host; {日本}`
	manifests := []string{liveGateway, harness.Service("default", "s", 50051),
		rule(name, "", "", "s.A", "", "missing"),
		strings.Replace(rule("odd", "", "", "s.B", "", "@@"), "@@", strconv.Quote(odd), 1)}
	eachProxy(t, manifests, func(t *testing.T, s *harness.Served) {
		for path, want := range map[string]string{"/s.A/Get": name, "/s.B/Get": odd} {
			call := s.Call("gw/http")
			call.Authority, call.Path = "a.b", path
			r := s.Client.Do(call)
			if r.Code != codes.Unavailable || !r.FromServer() || !strings.Contains(r.Message, want) {
				t.Errorf("%s: %s %q, want %q in it", path, r.Code, r.Message, want)
			}
		}
	})
}

// slow is how long a call may take that an expression is made to hang on.
const slow = 5 * time.Second

// TestSlowExpressions are those that take a backtracking engine for ever: the proxies give up on them, and the
// client gets a gRPC status.
func TestSlowExpressions(t *testing.T) {
	expressions := map[string]string{
		"x-a": "(a*)*b", "x-b": "(foo|bar)*", "x-c": ".*a.*a.*a.*a.*b", "x-d": "([a-z]+,?)*", "x-e": "(([a-z])+.)+[A-Z]([a-z])+",
	}
	manifests := []string{liveGateway, harness.Service("default", "s", 50051)}
	for name, expression := range expressions {
		manifests = append(manifests, rule(name, name, "RegularExpression", expression, "", "s"))
	}
	a := strings.Repeat("a", 4000)
	eachProxy(t, manifests, func(t *testing.T, s *harness.Served) {
		for _, c := range []struct{ name, value, want string }{
			{"x-a", a, "Unimplemented"}, {"x-a", "aab", "s"}, {"x-c", a, "Unimplemented"}, {"x-e", a, "Unimplemented"},
			{"x-b", strings.Repeat("foobar", 600), "s"}, {"x-b", strings.Repeat("foobar", 600) + "x", "Unimplemented"},
			{"x-d", strings.Repeat("abc,", 1000), "s"}, {"x-d", strings.Repeat("abc,", 1000) + "!", "Unimplemented"},
		} {
			call := s.Call("gw/http")
			call.Authority, call.Path, call.Metadata = "a.b", "/s.A/Get", metadata.Pairs(c.name, c.value)
			start := time.Now()
			r := s.Client.Do(call)
			took := time.Since(start)
			if r.Backend() != c.want || !r.FromServer() || took > slow {
				t.Errorf("%s on %d bytes: %s answers (%s) after %v, want %s", expressions[c.name], len(c.value), r.Backend(), r.Message, took, c.want)
			}
			t.Logf("%s on %d bytes: %s after %v", expressions[c.name], len(c.value), r.Backend(), took.Round(time.Millisecond))
		}
	})
}
