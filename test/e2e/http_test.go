package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// httpGroups are the tests of TestHTTP.
var httpGroups = []struct {
	name string
	test func(*testing.T, *harness.Served)
}{
	{"redirects", func(t *testing.T, s *harness.Served) { exchangeAll(t, s, redirects) }},
	{"redirects without a host", testHostless},
	{"rewrites", func(t *testing.T, s *harness.Served) { exchangeAll(t, s, rewrites) }},
	{"headers", func(t *testing.T, s *harness.Served) { exchangeAll(t, s, modifiers) }},
	{"forwarded", func(t *testing.T, s *harness.Served) { exchangeAll(t, s, forwarded) }},
	{"cors", func(t *testing.T, s *harness.Served) { exchangeAll(t, s, cors) }},
	{"names", func(t *testing.T, s *harness.Served) { exchangeAll(t, s, names) }},
	{"answers", func(t *testing.T, s *harness.Served) { exchangeAll(t, s, ownAnswers) }},
	{"calls", testCallsBeside},
	{"failures", testFailures},
	{"timeouts", testTimeouts},
	{"retries", testRetries},
	{"events", testEvents},
	{"bodies", testBodies},
	{"web sockets", testWebSockets},
}

// TestHTTP is what an HTTPRoute asks for, done by every proxy in every version of HTTP that it speaks (R35 to R39).
func TestHTTP(t *testing.T) {
	pair := harness.Secret("default", "certificate", harness.Certificate(t, "*.example.com", "*.http.example.com", "*.grpc.example.com"))
	names := []string{"plain", "two", "retried", "empty", "refusing", "calls", "refusing-calls"}
	list := []string{withProtocol(harness.Service("default", "h2c", 80), "kubernetes.io/h2c"),
		withProtocol(harness.Service("default", "ws", 80), "kubernetes.io/ws")}
	for _, name := range names {
		list = append(list, harness.Service("default", name, 80))
	}
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "http.yaml"), pair, strings.Join(list, "---\n")), harness.Options{
			Endpoints: map[string][]bool{"default/two": {true, true}, "default/empty": nil, "default/refusing": {false},
				"default/refusing-calls": {false}},
		})
		for _, g := range httpGroups {
			t.Run(g.name, func(t *testing.T) { g.test(t, s) })
		}
	})
}

// TestTrustedProxies: what proxies in front say of where a request came from is kept, and what others say isn't.
func TestTrustedProxies(t *testing.T) {
	const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: any}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: any, port: 50051}]}]
`
	list := []exchange{
		{host: "a.example.com", target: "/", backend: "any", headers: harness.Fields{"x-forwarded-for", "1.2.3.4", "x-forwarded-proto", "https",
			"x-forwarded-host", "b.example.com"}, sees: map[string]string{"x-forwarded-for": "1.2.3.4, 127.0.0.1", "x-forwarded-proto": "https",
			"x-forwarded-host": "b.example.com"}},
		{host: "a.example.com", target: "/", backend: "any", sees: map[string]string{"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
			"x-forwarded-host": "a.example.com"}},
	}
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml"), services("any"), route), harness.Options{
			Generator: generators.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}})
		exchangeAll(t, s, list)
	})
}

// TestOwnHeaders: conditions see the headers that a client sent, also where endpoints get the proxy's own in their place.
func TestOwnHeaders(t *testing.T) {
	const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: any}
spec:
  parentRefs: [{name: gw}]
  rules:
  - {matches: [{headers: [{name: X-Forwarded-Proto, value: https}]}], backendRefs: [{name: secure, port: 50051}]}
  - {matches: [{headers: [{type: RegularExpression, name: CDN-Loop, value: ".+"}]}], backendRefs: [{name: looped, port: 50051}]}
  - {backendRefs: [{name: any, port: 50051}]}
`
	own := map[string]string{"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "a.example.com"}
	list := []exchange{
		{host: "a.example.com", target: "/", backend: "secure", headers: harness.Fields{"x-forwarded-proto", "https"}, sees: own},
		{host: "a.example.com", target: "/", backend: "looped", headers: harness.Fields{"cdn-loop", "elsewhere"}, sees: own},
		{host: "a.example.com", target: "/", backend: "any", headers: harness.Fields{"x-forwarded-proto", "http"}, sees: own},
		{host: "a.example.com", target: "/", backend: "any", sees: own},
	}
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		exchangeAll(t, harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml"), services("any", "secure", "looped"), route),
			harness.Options{}), list)
	})
}

func withProtocol(service, appProtocol string) string {
	return strings.ReplaceAll(service, "port:", "appProtocol: "+appProtocol+", port:")
}

// exchange is a request and what is to come of it.
type exchange struct {
	// listener is "gw/http" when it is "".
	listener             string
	method, host, target string
	headers              harness.Fields
	body                 []byte
	// status is the answer's; 200 when it is 0. or is another one that is right too.
	status, or int
	// backend answers; "" is the proxy itself.
	backend string
	// sees is what the backend is asked: "target", "host", "proto", or a header's name; "" is none. says are headers of the answer, one
	// value or another with " or " between.
	sees, says map[string]string
	// text stands in the body.
	text string
	// breaks are proxies that may break the answer off, by their name, with the version of HTTP where they do.
	breaks map[string]string
	// needs is what a proxy must have; a proxy without refuses the route, which its status says.
	needs model.Feature
}

// exchangeAll does all exchanges of a table in each version of HTTP.
func exchangeAll(t *testing.T, s *harness.Served, list []exchange) {
	t.Helper()
	for _, x := range list {
		if !s.Proxy.Capabilities.Has(x.needs) {
			continue
		}
		if x.listener == "" {
			x.listener = "gw/http"
		}
		if x.status == 0 {
			x.status = 200
		}
		r := s.Request(x.listener, x.host, x.target)
		r.Method, r.Headers, r.Body = x.method, x.headers, x.body
		for _, r := range versions(s, r) {
			reply := s.HTTP.Do(r)
			if reply.Err != nil && x.breaks[s.Proxy.Name] == map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[r.HTTP2] {
				continue
			}
			for _, wrong := range x.wrong(&reply) {
				t.Errorf("%s%s, %s: %s\ngot %v", r.Host, r.Target, describe(r), wrong, &reply)
			}
		}
	}
}

// versions are a request in each version of HTTP that its listener speaks.
func versions(s *harness.Served, r harness.HTTPRequest) []harness.HTTPRequest {
	r2 := r
	r2.HTTP2 = true
	http1, http2 := s.Versions(r.Address)
	switch {
	case !http1:
		return []harness.HTTPRequest{r2}
	case !http2:
		return []harness.HTTPRequest{r}
	}
	return []harness.HTTPRequest{r, r2}
}

func describe(r harness.HTTPRequest) string {
	text := map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[r.HTTP2]
	if r.TLS {
		text += " by TLS"
	}
	return text + fmt.Sprintf(" %q", []string(r.Headers))
}

// wrong says what isn't as it should be.
func (x *exchange) wrong(r *harness.HTTPReply) (wrong []string) {
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if r.Err != nil || r.Status != x.status && r.Status != x.or {
		note("status %d, want %d", r.Status, x.status)
	}
	if r.Echo.Service() != x.backend && (x.method != "HEAD" || r.Backend() != x.backend) {
		note("backend %q answers, want %q", r.Echo.Service(), x.backend)
	}
	if !strings.Contains(string(r.Body), x.text) {
		note("the body hasn't %q", x.text)
	}
	for name, want := range x.sees {
		got := map[string]string{"target": r.Echo.Target, "host": r.Echo.Host, "proto": r.Echo.Proto}[name]
		if got == "" {
			got = strings.Join(elements(r.Echo.Headers[name]), ", ")
		}
		if got != want {
			note("the backend sees %s %q, want %q", name, got, want)
		}
	}
	for name, want := range x.says {
		got := elements(r.Headers.Values(name))
		if name == "vary" {
			want, got = strings.ToLower(want), strings.Split(strings.ToLower(strings.Join(got, " ")), " ")
			slices.Sort(got)
		}
		if got := strings.Join(got, ", "); !slices.Contains(strings.Split(want, " or "), got) {
			note("the answer has %s %q, want %q", name, got, want)
		}
	}
	return wrong
}

// elements are the values of a header, whether in lines of their own or in one.
func elements(lines []string) []string {
	var all []string
	for _, line := range lines {
		for e := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(e))
		}
	}
	return slices.DeleteFunc(all, func(e string) bool { return e == "" })
}
