package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/textproto"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

const pageRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: http, protocol: HTTP, port: 80}
  - {name: https, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: certificate}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  name: pages
  annotations:
    gatewright.io/grpc-web: enabled
    gatewright.io/grpc-web-origins: https://shop.example.com, https://*.pages.example.com
spec:
  parentRefs: [{name: gw}]
  hostnames: [web.example.com, both.example.com]
  rules:
  - matches: [{method: {service: acme.v1.Shared}}]
    backendRefs: [{name: main, port: 50051}, {name: other, port: 50051}]
  - matches: [{method: {service: acme.v1.Idle}}]
    backendRefs: [{name: idle, port: 50051}]
  - matches: [{method: {service: acme.v1.Refusing}}]
    backendRefs: [{name: refusing, port: 50051}]
  - matches: [{method: {service: acme.v1.Echo}}]
    backendRefs: [{name: main, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: plain}
spec:
  parentRefs: [{name: gw, sectionName: https}]
  hostnames: [plain.example.com]
  rules:
  - backendRefs: [{name: main, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: beside}
spec:
  parentRefs: [{name: gw, sectionName: https}]
  hostnames: [both.example.com, plain.example.com]
  rules:
  - backendRefs: [{name: site, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  name: misspelt
  annotations: {gatewright.io/grpc-web: "yes"}
spec:
  parentRefs: [{name: gw, sectionName: https}]
  hostnames: [misspelt.example.com]
  rules:
  - backendRefs: [{name: main, port: 50051}]
`

// The origins of a page that may ask, of one with a wildcard, and of one that may not.
const (
	pageOrigin  = "https://shop.example.com"
	wildOrigin  = "https://a.pages.example.com"
	otherOrigin = "https://evil.example"
)

// pageCall is a call of gRPC-Web as a page makes it.
type pageCall struct {
	listener, host, service, origin string
	text, http2                     bool
	headers                         harness.Fields
}

// pageReply is what the page gets to see.
type pageReply struct {
	harness.HTTPReply
	messages [][]byte
	trailers textproto.MIMEHeader
}

func (c pageCall) do(t *testing.T, s *harness.Served) pageReply {
	t.Helper()
	r := s.Request("gw/"+c.listener, c.host, "/acme.v1."+c.service+"/Get")
	kind, body := "application/grpc-web+proto", []byte("\x00\x00\x00\x00\x02hi")
	if c.text {
		kind, body = "application/grpc-web-text", []byte(base64.StdEncoding.EncodeToString(body))
	}
	r.Method, r.HTTP2, r.Body = "POST", c.http2, body
	r.Headers = append(harness.Fields{"content-type", kind, "x-grpc-web", "1", "origin", c.origin}, c.headers...)
	out := pageReply{HTTPReply: s.HTTP.Do(r), trailers: textproto.MIMEHeader{}}
	if err := out.read(); err != nil {
		t.Errorf("%+v: %v: %v", c, err, &out.HTTPReply)
	}
	return out
}

// read takes a response apart.
func (r *pageReply) read() error {
	for _, name := range []string{"grpc-status", "grpc-message"} {
		if v := r.Headers.Get(name); v != "" {
			r.trailers.Set(name, v)
		}
	}
	body := r.Body
	if strings.HasPrefix(r.Headers.Get("content-type"), "application/grpc-web-text") {
		var err error
		if body, err = decodeParts(string(body)); err != nil {
			return err
		}
	}
	for len(body) > 0 {
		if len(body) < 5 || len(body)-5 < int(binary.BigEndian.Uint32(body[1:5])) {
			return fmt.Errorf("the body ends within a message: %q", body)
		}
		n := 5 + int(binary.BigEndian.Uint32(body[1:5]))
		if body[0]&0x80 == 0 {
			r.messages = append(r.messages, body[5:n])
		} else {
			for line := range strings.SplitSeq(strings.TrimSpace(string(body[5:n])), "\r\n") {
				name, value, _ := strings.Cut(line, ":")
				r.trailers.Add(name, strings.TrimSpace(value))
			}
		}
		body = body[n:]
	}
	return nil
}

// decodeParts decodes base64, each part of which may be padded by itself.
func decodeParts(text string) (out []byte, err error) {
	for len(text) >= 4 && err == nil {
		out, err = base64.StdEncoding.AppendDecode(out, []byte(text[:4]))
		text = text[4:]
	}
	if err == nil && text != "" {
		err = fmt.Errorf("%q is left", text)
	}
	return out, err
}

// TestGRPCWeb: pages of origins that a GRPCRoute names call its Services, unary and streams, and read every status.
func TestGRPCWeb(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		pair := harness.Secret("default", "certificate", harness.Certificate(t, "*.example.com"))
		s := harness.Serve(t, p, harness.Load(t, "", pageRoutes, pair, services("main", "other", "idle", "refusing", "site")), harness.Options{
			CrossServing: "share", Endpoints: map[string][]bool{"default/idle": {}, "default/refusing": {false}}})
		listeners := []string{"https"}
		if p.Capabilities.Has(model.FeatureHTTP1Shared) {
			listeners = append(listeners, "http")
		} else {
			wantCondition(t, s, "GRPCRoute", "default/pages", "Accepted", "Accepted", "no browser speaks HTTP/2 in cleartext")
		}
		for _, listener := range listeners {
			for _, text := range []bool{false, true} {
				for _, http2 := range []bool{false, true} {
					c := pageCall{listener: listener, host: "web.example.com", origin: pageOrigin, text: text, http2: http2}
					t.Run(fmt.Sprintf("%s text %t http2 %t", listener, text, http2), func(t *testing.T) { pageCalls(t, s, c) })
				}
			}
		}
		t.Run("weights", func(t *testing.T) { pageWeights(t, s) })
		t.Run("preflight", func(t *testing.T) { pagePreflights(t, s) })
		t.Run("hostile", func(t *testing.T) { hostilePages(t, s) })
		t.Run("gRPC", func(t *testing.T) {
			check(t, s, []call{{listener: "gw/https", authority: "web.example.com", path: "/acme.v1.Echo/Get", want: "main"}})
		})
		wantCondition(t, s, "GRPCRoute", "default/misspelt", "Accepted", "UnsupportedValue", "gatewright.io/grpc-web")
	})
}

// pageCalls are those of one way to call.
func pageCalls(t *testing.T, s *harness.Served, c pageCall) {
	c.service = "Echo"
	unary := c.do(t, s)
	if len(unary.messages) != 1 || !strings.Contains(string(unary.messages[0]), `"default/main:50051"`) ||
		unary.trailers.Get("grpc-status") != "0" {
		t.Errorf("unary: %d messages, trailers %v, %v", len(unary.messages), unary.trailers, &unary.HTTPReply)
	}
	readable(t, "unary", unary, c.origin)
	c.headers = harness.Fields{harness.AskMode, harness.ModeServerStream, harness.AskCount, "50", harness.AskTrailer, "x-end=1"}
	stream := c.do(t, s)
	if len(stream.messages) != 50 || stream.trailers.Get("grpc-status") != "0" || stream.trailers.Get("x-end") != "1" {
		t.Errorf("a stream: %d messages, trailers %v", len(stream.messages), stream.trailers)
	}
	c.headers = harness.Fields{harness.AskStatus, "5:not here"}
	failed := c.do(t, s)
	if len(failed.messages) != 0 || failed.trailers.Get("grpc-status") != "5" || failed.trailers.Get("grpc-message") != "not here" {
		t.Errorf("an error: %d messages, trailers %v", len(failed.messages), failed.trailers)
	}
	readable(t, "an error", failed, c.origin)
	c.headers = nil
	for _, service := range []string{"Idle", "Refusing"} {
		c.service = service
		got := c.do(t, s)
		if got.trailers.Get("grpc-status") != "14" || got.trailers.Get("grpc-message") == "" {
			t.Errorf("%s: trailers %v, %v", service, got.trailers, &got.HTTPReply)
		}
		readable(t, service, got, c.origin)
	}
	c.service = "Unknown"
	if got := c.do(t, s); got.trailers.Get("grpc-status") != "12" {
		t.Errorf("no rule: trailers %v, %v", got.trailers, &got.HTTPReply)
	}
	c.service, c.origin = "Echo", wildOrigin
	readable(t, "a wildcard", c.do(t, s), wildOrigin)
	c.origin = otherOrigin
	readable(t, "another origin", c.do(t, s), "")
}

// readable fails unless a page of an origin may read the answer; with "" unless it may not.
func readable(t *testing.T, what string, r pageReply, origin string) {
	t.Helper()
	if got := r.Headers.Get("access-control-allow-origin"); got != origin {
		t.Errorf("%s: may be read by %q, want %q", what, got, origin)
	}
	if got := r.Headers.Get("access-control-expose-headers"); (got == "*") != (origin != "") {
		t.Errorf("%s: headers to be read are %q", what, got)
	}
	if got := r.Headers.Get("vary"); !strings.Contains(strings.ToLower(got), "origin") {
		t.Errorf("%s: vary is %q", what, got)
	}
}

func pageWeights(t *testing.T, s *harness.Served) {
	got := map[string]int{}
	for range 60 {
		r := pageCall{listener: "https", host: "web.example.com", service: "Shared", origin: pageOrigin}.do(t, s)
		for _, name := range []string{"main", "other"} {
			if len(r.messages) == 1 && strings.Contains(string(r.messages[0]), `"default/`+name+`:50051"`) {
				got[name]++
			}
		}
	}
	if got["main"]+got["other"] != 60 || got["main"] < 10 || got["other"] < 10 {
		t.Errorf("calls came to %v", got)
	}
}

// pagePreflights: what a browser asks before a call is answered for the rule, and reaches the GRPCRoute of a host that has an HTTPRoute
// too where it takes gRPC-Web.
func pagePreflights(t *testing.T, s *harness.Served) {
	for _, row := range []struct{ host, service, origin, headers, allowed string }{
		{"web.example.com", "Echo", pageOrigin, "content-type,x-grpc-web,x-user-agent", pageOrigin},
		{"web.example.com", "Idle", pageOrigin, "content-type,x-grpc-web", pageOrigin},
		{"web.example.com", "Echo", otherOrigin, "content-type,x-grpc-web", ""},
		{"both.example.com", "Echo", wildOrigin, "authorization,X-Grpc-Web", wildOrigin},
	} {
		r := s.Request("gw/https", row.host, "/acme.v1."+row.service+"/Get")
		r.Method, r.Headers = "OPTIONS", preflight(row.origin, "POST", row.headers)
		got := s.HTTP.Do(r)
		methods, headers := "", ""
		if row.allowed != "" {
			methods, headers = "POST", row.headers
		}
		for name, want := range map[string]string{"access-control-allow-origin": row.allowed, "access-control-allow-methods": methods,
			"access-control-allow-headers": headers, "access-control-allow-credentials": ""} {
			if got.Headers.Get(name) != want {
				t.Errorf("%+v: %s is %q, want %q", row, name, got.Headers.Get(name), want)
			}
		}
		if got.Status != 200 && got.Status != 204 {
			t.Errorf("%+v: %v", row, &got)
		}
	}
	// Another page's question on that host, and any on one whose GRPCRoute takes no gRPC-Web, are the HTTPRoute's.
	for host, headers := range map[string]string{"both.example.com": "content-type", "plain.example.com": "content-type,x-grpc-web"} {
		r := s.Request("gw/https", host, "/acme.v1.Echo/Get")
		r.Method, r.Headers = "OPTIONS", preflight(pageOrigin, "POST", headers)
		if got := s.HTTP.Do(r); got.Backend() != "site" {
			t.Errorf("%s: %s answers: %v", host, got.Backend(), &got)
		}
	}
}
