package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// pageRuleRoutes have everything that a rule may have, for calls of gRPC-Web.
const pageRuleRoutes = `apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: short}
spec: {timeout: 300ms}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCRetryPolicy
metadata: {name: twice}
spec: {retries: 2, retryOn: [unavailable], backoff: 1ms, budget: {percent: 100, perSecond: 10000}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: https, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: certificate}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  name: pages
  annotations: {gatewright.io/grpc-web: enabled, gatewright.io/grpc-web-origins: "https://shop.example.com"}
spec:
  parentRefs: [{name: gw}]
  hostnames: [web.example.com]
  rules:
  - matches: [{method: {service: acme.v1.Changed}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: "1"}], add: [{name: x-added, value: b}], remove: [x-gone]}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-told, value: "2"}], add: [{name: x-more, value: d}], remove: [x-hidden]}}
    backendRefs:
    - name: main
      port: 50051
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-backend, value: main}]}}]
  - matches: [{method: {service: acme.v1.Short}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: short}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Twice}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCRetryPolicy, name: twice}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Copied}}]
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 50051}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: secure, port: 443}}}
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Session}}]
    backendRefs: [{name: many, port: 50051}, {name: other, port: 50051}]
    sessionPersistence: {type: Header, header: {name: X-Session}}
  - matches: [{method: {service: acme.v1.Cookie}}]
    backendRefs: [{name: many, port: 50051}]
    sessionPersistence: {cookie: {name: session}}
  - matches: [{method: {service: acme.v1.Secure}}]
    backendRefs: [{name: secure, port: 443}]
  - matches: [{method: {service: acme.v1.Stranger}}]
    backendRefs: [{name: stranger, port: 443}]
  - matches: [{method: {service: acme.v1.Weights}}]
    backendRefs: [{name: main, port: 50051, weight: 3}, {name: other, port: 50051, weight: 1}, {name: shadow, port: 50051, weight: 0}]
`

// echo is what the backend said of the first message; zero when there is none.
func (r pageReply) echo() (e harness.Echo) {
	if len(r.messages) > 0 {
		_ = json.Unmarshal(r.messages[0], &e) // What is no Echo has no backend.
	}
	return e
}

// TestGRPCWebRules: calls of gRPC-Web get the filters, policies, mirrors, sessions, weights and TLS of their rules as calls of gRPC do.
func TestGRPCWebRules(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		got := &copies{begun: map[string]int{}, messages: map[string]int{}}
		backends := harness.NewBackends(t)
		backends.OnCall(func(e *harness.Echo, ended bool) {
			if ended {
				got.add(e.Backend, e.Messages, e.Metadata)
			}
		})
		authority, pair := harness.Issue(t, secureName)
		other, _ := harness.Issue(t, secureName)
		at := backends.Address("secure", 0)
		backends.ListenTLS("default/secure:443", at, 1443, harness.TLSOptions{Protocol: "grpc", Pair: pair})
		manifests := []string{pageRuleRoutes, services("main", "other", "shadow", "many"),
			harness.Secret("default", "certificate", harness.Certificate(t, "*.example.com")),
			harness.ConfigMap("default", "good", string(authority)), harness.ConfigMap("default", "other", string(other))}
		for service, trusts := range map[string]string{"secure": "good", "stranger": "other"} {
			manifests = append(manifests, harness.Service("default", service, 443), harness.Endpoints("default", service, "p443", at, 1443),
				policyOf(secured{service: service, authority: trusts, hostname: secureName}))
		}
		s := harness.Serve(t, p, harness.Load(t, "", manifests...), harness.Options{Backends: backends,
			Endpoints: map[string][]bool{"default/many": {true, true, true, true, true}}})
		for _, way := range []pageCall{{text: false, http2: true}, {text: true, http2: false}} {
			way.listener, way.host, way.origin = "https", "web.example.com", pageOrigin
			t.Run(fmt.Sprintf("text %t", way.text), func(t *testing.T) {
				w := &pageRules{t: t, s: s, got: got, way: way}
				w.headers()
				w.policies()
				w.secure()
				w.copies()
				w.weights()
				if way.text {
					return
				}
				t.Run("sessions", func(t *testing.T) { sessionsStay(t, 6, w.session) })
				t.Run("cookies", func(t *testing.T) { sessionsStay(t, 5, w.cookie) })
			})
		}
		if len(got.leaked) > 0 {
			t.Errorf("headers of the bridge came to backends: %v", got.leaked)
		}
	})
}

// pageRules are calls of the rules in one way.
type pageRules struct {
	t   *testing.T
	s   *harness.Served
	got *copies
	way pageCall
}

// call makes one, which a page must be able to read.
func (w *pageRules) call(service string, headers ...string) pageReply {
	w.t.Helper()
	c := w.way
	c.service, c.headers = service, headers
	r := c.do(w.t, w.s)
	readable(w.t, service, r, pageOrigin)
	return r
}

// status checks how a call has ended.
func (w *pageRules) status(what string, r pageReply, code codes.Code) {
	w.t.Helper()
	if got := r.trailers.Get("grpc-status"); got != fmt.Sprint(int(code)) {
		w.t.Errorf("%s: grpc-status %q, want %d: trailers %v, %v", what, got, code, r.trailers, &r.HTTPReply)
	}
}

// headers are changed in both directions; what a rule sets of a response is in that of an error too.
func (w *pageRules) headers() {
	ask := []string{harness.AskHeader, "x-hidden=3", harness.AskHeader, "x-told=4", harness.AskHeader, "x-more=c", "x-gone", "g", "x-added", "a"}
	r := w.call("Changed", ask...)
	w.status("headers", r, codes.OK)
	md := r.echo().Metadata
	for name, want := range map[string][]string{"x-set": {"1"}, "x-added": {"a", "b"}, "x-gone": nil, "x-backend": {"main"}, "x-grpc-web": nil} {
		if got := strings.Split(strings.Join(md.Get(name), ","), ","); !slices.Equal(got, strings.Split(strings.Join(want, ","), ",")) {
			w.t.Errorf("the Service gets %s %q, want %q", name, md.Get(name), want)
		}
	}
	for _, r := range []pageReply{r, w.call("Changed", append(ask, harness.AskStatus, "7:no")...)} {
		for name, want := range map[string]string{"x-hidden": "", "x-told": "2", "x-more": "c,d"} {
			if got := strings.ReplaceAll(strings.Join(r.Headers.Values(name), ","), " ", ""); got != want {
				w.t.Errorf("the page gets %s %q, want %q", name, got, want)
			}
		}
	}
}

// policies end calls in time and send them again.
func (w *pageRules) policies() {
	start := time.Now()
	w.status("silent", w.call("Short", harness.AskDelay, "5s"), codes.DeadlineExceeded)
	w.status("quiet", w.call("Short", harness.AskHeader, "x-h=1", harness.AskMode, harness.ModeServerStream, harness.AskCount, "1",
		harness.AskDelay, "5s"), codes.DeadlineExceeded)
	if took := time.Since(start); took < 2*290*time.Millisecond || took > 6*time.Second {
		w.t.Errorf("two calls took %s, want 300ms each", took)
	}
	w.status("in time", w.call("Short"), codes.OK)
	for _, c := range []struct {
		status codes.Code
		starts int
	}{{codes.Unavailable, 3}, {codes.NotFound, 1}, {codes.OK, 1}} {
		w.got.take()
		for range 5 {
			w.status("sent again", w.call("Twice", harness.AskStatus, fmt.Sprint(int(c.status))), c.status)
		}
		w.got.await(w.t, map[string]int{"main": 5 * c.starts})
	}
}

// secure: the bridge verifies the endpoint.
func (w *pageRules) secure() {
	r := w.call("Secure")
	w.status("by TLS", r, codes.OK)
	if got := r.echo().Backend; got != "default/secure:443" {
		w.t.Errorf("by TLS %q answers", got)
	}
	w.status("another authority", w.call("Stranger"), codes.Unavailable)
}

// copies: mirrors get calls of gRPC, in cleartext and by TLS.
func (w *pageRules) copies() {
	w.got.take()
	for range 10 {
		w.status("copied", w.call("Copied"), codes.OK)
	}
	w.got.await(w.t, map[string]int{"main": 10, "shadow": 10, "secure": 10})
	if _, messages := w.got.take(); messages["shadow"] != 10 || messages["secure"] != 10 {
		w.t.Errorf("ten calls with a message each came to the mirrors as %v", messages)
	}
}

func (w *pageRules) weights() {
	w.got.take()
	for range 80 {
		w.status("weights", w.call("Weights"), codes.OK)
	}
	// With 3 of 4 calls to it, fewer than 40 of 80 come to "main" once in 10 million times.
	if begun, _ := w.got.take(); begun["main"] < 40 || begun["other"] < 4 || begun["main"]+begun["other"] != 80 {
		w.t.Errorf("80 calls came to %v", begun)
	}
}

// session makes a call of a session by a header, which the page may read.
func (w *pageRules) session(token string) (endpoint, told string) {
	w.t.Helper()
	var headers []string
	if token != "" {
		headers = []string{"x-session", token}
	}
	r := w.call("Session", headers...)
	return r.echo().Endpoint, r.Headers.Get("x-session")
}

// cookie makes a call of a session by a cookie, as a page on the same origin does.
func (w *pageRules) cookie(token string) (endpoint, told string) {
	w.t.Helper()
	var headers []string
	if token != "" {
		headers = []string{"cookie", "session=" + token}
	}
	r := w.call("Cookie", headers...)
	if line := r.Headers.Get("set-cookie"); line != "" {
		told, _, _ = strings.Cut(strings.TrimPrefix(line, "session="), ";")
	}
	return r.echo().Endpoint, told
}
