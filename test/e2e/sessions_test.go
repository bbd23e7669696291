package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/test/harness"
)

// sessionRoutes keep sessions by a cookie, by a header over two Services, and where copies of the calls are made.
const sessionRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: sessions}
spec:
  parentRefs: [{name: gw}]
  hostnames: [grpc.example.com]
  rules:
  - matches: [{method: {service: acme.v1.Cookie}}]
    backendRefs: [{name: main, port: 50051}]
    sessionPersistence: {cookie: {name: "se$sion"}}
  - matches: [{method: {service: acme.v1.Shared}}]
    backendRefs: [{name: main, port: 50051}, {name: other, port: 50051}]
    sessionPersistence: {type: Header, header: {name: X-Session}}
  - matches: [{method: {service: acme.v1.Copied}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 50051}}}]
    backendRefs: [{name: main, port: 50051}]
    sessionPersistence: {type: Header, header: {name: X-Session}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: web}]
  rules:
  - backendRefs: [{name: web-main, port: 50051}]
    sessionPersistence: {absoluteTimeout: 1h, cookie: {lifetimeType: Permanent, path: /app}}
`

var sessionEndpoints = map[string][]bool{"default/main": {true, true, true, true, true, true}, "default/other": {true, true},
	"default/web-main": {true, true, true, true}}

func sessionManifests(t *testing.T) *resources.Snapshot {
	return harness.Load(t, "", strings.Join([]string{read(t, "gateway.yaml"), webGateway, sessionRoutes,
		services("main", "other", "shadow", "web-main")}, "---\n"))
}

// TestSessions: calls of a session come to one endpoint for as long as it is there, and sessions are spread.
func TestSessions(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, sessionManifests(t), harness.Options{Endpoints: sessionEndpoints})
		t.Run("cookie", func(t *testing.T) {
			sessionsStay(t, 6, func(token string) (string, string) { return cookieCall(t, s, token) })
		})
		for service, endpoints := range map[string]int{"Shared": 8, "Copied": 6} {
			t.Run("header "+service, func(t *testing.T) {
				sessionsStay(t, endpoints, func(token string) (string, string) { return headerCall(t, s, service, token) })
			})
		}
		t.Run("web", func(t *testing.T) {
			sessionsStay(t, 4, func(token string) (string, string) { return webCall(t, s, token) })
		})
		t.Run("fewer endpoints", func(t *testing.T) { sessionsMove(t, s) })
	})
}

// sessionsStay makes calls of many sessions. do makes one with a token, "" for none, and returns the endpoint and the token that
// was told.
func sessionsStay(t *testing.T, endpoints int, do func(token string) (endpoint, told string)) {
	t.Helper()
	const sessions, calls = 60, 4
	seen := map[string]int{}
	for range sessions {
		at, token := do("")
		if token == "" {
			t.Fatal("a new session isn't told")
		}
		seen[at]++
		for range calls {
			again, told := do(token)
			if again != at || told != "" {
				t.Fatalf("session %s went from %s to %s, and was told %q", token, at, again, told)
			}
		}
	}
	// One of a few endpoints gets none of 60 sessions once in 50,000 times, and in eight once in 400.
	if len(seen) < endpoints-1 {
		t.Errorf("%d sessions are at %v, want %d endpoints", sessions, seen, endpoints)
	}
	// What isn't a token begins a session.
	if _, told := do(`"<b>"`); told == "" {
		t.Error("what isn't a token was taken for one")
	}
	if a, told := do("user-17"); told != "" {
		t.Errorf("a token of the client's own was replaced by %q", told)
	} else if b, _ := do("user-17"); b != a {
		t.Errorf("a session of the client's own went from %s to %s", a, b)
	}
}

var sessionCookie = regexp.MustCompile(`^se\$sion=([0-9a-f-]{32,36}); Path=/; HttpOnly$`)

func cookieCall(t *testing.T, s *harness.Served, token string) (endpoint, told string) {
	t.Helper()
	c := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1.Cookie/Get"}.at(t, s)
	if token != "" {
		c.Metadata = metadata.Pairs("cookie", "a=b; xse$sion=1; se$sion="+token)
	}
	r := s.Client.Do(c)
	if r.Echo.Endpoint == "" {
		t.Fatalf("%s: %s", r.Code, r.Message)
	}
	for _, line := range r.Headers.Get("set-cookie") {
		m := sessionCookie.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("set-cookie: %s", line)
		}
		told = m[1]
	}
	return r.Echo.Endpoint, told
}

func headerCall(t *testing.T, s *harness.Served, service, token string) (endpoint, told string) {
	t.Helper()
	c := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1." + service + "/Get"}.at(t, s)
	c.Metadata = metadata.Pairs("x-gw-session", "forged")
	if token != "" {
		c.Metadata.Append("x-session", token)
	}
	r := s.Client.Do(c)
	if r.Echo.Endpoint == "" {
		t.Fatalf("%s: %s", r.Code, r.Message)
	}
	if service == "Copied" && len(r.Echo.Metadata.Get("x-gw-session")) > 0 {
		t.Fatalf("the endpoint got x-gw-session %q", r.Echo.Metadata.Get("x-gw-session"))
	}
	return r.Echo.Endpoint, strings.Join(r.Headers.Get("x-session"), ", ")
}

func webCall(t *testing.T, s *harness.Served, token string) (endpoint, told string) {
	t.Helper()
	r := s.Request("web/http", "web.example.com", "/app/x")
	if token != "" {
		r.Headers = harness.Fields{"cookie", webCookie + "=" + token}
	}
	reply := s.HTTP.Do(r)
	if reply.Status != 200 || reply.Echo.Endpoint == "" {
		t.Fatal(reply.String())
	}
	for _, line := range reply.Headers.Values("set-cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil || c.Name != webCookie || c.Path != "/app" || c.MaxAge != 3600 || !c.HttpOnly || c.Secure {
			t.Fatalf("set-cookie: %s", line)
		}
		told = c.Value
	}
	return reply.Echo.Endpoint, told
}

// webCookie is the name that a cookie without one has.
const webCookie = "gatewright-session"

// sessionsMove: of an endpoint that goes only its own sessions go to others.
func sessionsMove(t *testing.T, s *harness.Served) {
	before := map[string]string{}
	for i := range 60 {
		token := fmt.Sprint("session-", i)
		before[token], _ = cookieCall(t, s, token)
	}
	fewer := map[string][]bool{}
	for name, running := range sessionEndpoints {
		fewer[name] = running
	}
	fewer["default/main"] = fewer["default/main"][:5]
	s.Reload(sessionManifests(t), harness.Options{Endpoints: fewer})
	moved, had := 0, map[string]int{}
	for token, at := range before {
		had[at]++
		if now, _ := cookieCall(t, s, token); now != at {
			moved++
		}
	}
	most := 0
	for _, n := range had {
		most = max(most, n)
	}
	if moved == 0 || moved > 2*most {
		t.Errorf("%d of 60 sessions moved, and no endpoint had more than %d", moved, most)
	}
}
