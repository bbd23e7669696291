package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/test/harness"
)

const errorsHost = "errors.example.com"

var plainText = map[string]string{"content-type": "text/plain or text/plain; charset=utf-8"}

// resets: HAProxy may reset a stream of which the endpoint has broken off its own. oldest: nginx takes what isn't HTTP for an
// answer of HTTP/0.9, passes it on, and closes the connection.
var resets, oldest = map[string]string{"haproxy": "HTTP/2"}, map[string]string{"nginx": "HTTP/1.1"}

// ownAnswers are what a proxy answers by itself, and that what a backend answers passes as it is (R38).
var ownAnswers = []exchange{
	{host: errorsHost, target: "/nowhere", status: 404, text: answers.HTTPNoRule.Text, says: plainText},
	{host: errorsHost, method: "DELETE", listener: "gw/https", target: "/nowhere?q", status: 404, text: answers.HTTPNoRule.Text,
		says: plainText},
	{host: "unknown.example.com", target: "/plain", status: 404, text: answers.HTTPNoRule.Text, says: plainText},
	{host: errorsHost, target: "/plain/../h2c", status: 400},
	{host: errorsHost, target: "/plain/%2e%2e/h2c", status: 400},
	{host: errorsHost, target: "/plain%2F..%2Fh2c", status: 400, text: answers.HTTPAmbiguous.Text, says: plainText},
	{host: errorsHost, listener: "gw/https", target: "/nowhere%61", status: 400, text: answers.HTTPAmbiguous.Text, says: plainText},
	{host: "unknown.example.com", target: "/a//b", status: 400},
	{host: errorsHost, target: "/missing", status: 500, text: "Service default/missing doesn't exist", says: plainText},
	{host: errorsHost, target: "/missing", status: 500, text: "HTTPRoute default/errors rule 2", says: plainText},
	{host: errorsHost, target: "/empty", status: 503, text: "Service default/empty port 80 has no ready endpoints", says: plainText},
	{host: errorsHost, target: "/none", status: 500, says: plainText},
	{host: errorsHost, target: "/refusing", status: 503, or: 502},
	{host: errorsHost, method: "POST", body: []byte("body"), target: "/refusing", status: 503, or: 502},
	{host: errorsHost, target: "/extension", status: 500, text: "HTTPRoute default/errors rule 6", says: plainText},
	{host: errorsHost, target: "/plain", headers: harness.Fields{harness.AskMode, harness.ModeClose}, status: 502, breaks: resets},
	{host: errorsHost, target: "/plain", headers: harness.Fields{harness.AskMode, harness.ModeJunk}, status: 502, breaks: oldest},
	{host: errorsHost, target: "/h2c", headers: harness.Fields{harness.AskMode, harness.ModeClose}, status: 502, breaks: resets},
	{host: errorsHost, method: "HEAD", target: "/plain", backend: "plain"},
	{host: errorsHost, method: "HEAD", target: "/nowhere", status: 404},
	{host: errorsHost, method: "PATCH", body: []byte("body"), target: "/h2c", backend: "h2c", sees: map[string]string{"proto": "HTTP/2.0"}},
	{host: errorsHost, method: "OPTIONS", target: "/h2c", backend: "h2c", sees: map[string]string{"proto": "HTTP/2.0"}},
	{host: errorsHost, method: "PUT", body: []byte("body"), target: "/plain", backend: "plain", sees: map[string]string{"proto": "HTTP/1.1"}},
	{host: errorsHost, target: "/plain", headers: harness.Fields{"content-type", "application/grpc"}, backend: "plain"},
	{host: errorsHost, target: "/nowhere", headers: harness.Fields{"content-type", "application/grpc"}, status: 404,
		text: answers.HTTPNoRule.Text, says: plainText},
}

func init() {
	// What a backend says itself passes, whatever it is.
	for _, status := range []int{201, 400, 401, 403, 404, 405, 409, 413, 418, 421, 429, 431, 500, 501, 502, 503, 504, 507, 599} {
		for _, name := range []string{"plain", "h2c"} {
			ownAnswers = append(ownAnswers, exchange{host: errorsHost, target: "/" + name, headers: harness.Fields{
				harness.AskStatus, strconv.Itoa(status), harness.AskHeader, "x-own=yes"}, status: status, backend: name,
				says: map[string]string{"x-own": "yes", "content-type": "application/json"}})
		}
	}
}

// testCallsBeside is R25: requests for hosts of both kinds of routes, of one kind, and of none, by their content type.
func testCallsBeside(t *testing.T, s *harness.Served) {
	for _, c := range []struct {
		host, path, contentType, want string
	}{
		{"shared.example.com", "/s.A/Get", "application/grpc", "calls"},
		{"shared.example.com", "/s.A/Http", "application/grpc+proto", "calls"},
		{"shared.example.com", "/s.A/Http", "application/json", "plain"},
		{"shared.example.com", "/s.A/Http", "", "plain"},
		{"shared.example.com", "/s.A/Get", "application/json", "404"},
		{"shared.example.com", "/s.B/Get", "Application/GRPC", "Unimplemented"},
		{"shared.example.com", "/s.Missing/Get", "application/grpc", "Unavailable"},
		{"shared.example.com", "/s.Refusing/Get", "application/grpc", "Unavailable"},
		{"shared.example.com", "/s.Refusing/Get", "text/plain", "404"},
		{"a.http.example.com", "/s.A/Http", "application/grpc", "plain"},
		{"a.http.example.com", "/s.B/Http", "application/grpc", "404"},
		{"a.grpc.example.com", "/s.A/Http", "application/grpc", "calls"},
		{"a.grpc.example.com", "/s.B/Http", "application/grpc", "Unimplemented"},
		{"a.grpc.example.com", "/s.B/Http", "text/html", "Unimplemented"},
		{"unknown.example.com", "/s.A/Http", "application/grpc", "Unimplemented"},
		{"unknown.example.com", "/s.A/Http", "", "404"},
	} {
		r := s.Request("gw/https", c.host, c.path)
		r.SNI = "a.example.com" // One connection for all: the listener is the same.
		r.Method, r.Body, r.Headers = "POST", harness.Message(nil), harness.Fields{"te", "trailers"}
		if c.contentType != "" {
			r.Headers = append(r.Headers, "content-type", c.contentType)
		}
		for _, r := range versions(s, r) {
			// HAProxy up to 3.0 refuses the stream of a call that no endpoint took.
			reply := s.HTTP.Do(r)
			refused := c.want == "Unavailable" && s.Proxy.Name == "haproxy" && !s.Proxy.Capabilities.Version.AtLeast(3, 1, 0) && reply.Err != nil
			if got := reply.Backend(); got != c.want && !(refused && strings.Contains(got, "REFUSED_STREAM")) {
				t.Errorf("%s%s, %s, HTTP/2 %t: %s answers, want %s: %v", c.host, c.path, c.contentType, r.HTTP2, got, c.want, &reply)
			}
		}
	}
	// A client of gRPC gets what it can read, also where the proxy fails.
	call := s.Call("gw/https")
	call.Authority, call.Path = "shared.example.com", "/s.Missing/Get"
	if r := s.Client.Do(call); r.Code != codes.Unavailable || !strings.Contains(r.Message, "Service default/missing") {
		t.Errorf("a call for a Service that is missing: %s %q", r.Code, r.Message)
	}
}

// testFailures is R38 where an answer is broken off or too large: the client learns of it, and the next request is well.
func testFailures(t *testing.T, s *harness.Served) {
	for _, path := range []string{"/plain", "/h2c"} {
		r := s.Request("gw/http", errorsHost, path)
		for _, r := range versions(s, r) {
			r.Headers = harness.Fields{harness.AskMode, harness.ModeCut}
			if reply := s.HTTP.Do(r); reply.Err == nil && reply.Status != 502 {
				t.Errorf("%s, %s: a body that is cut short comes as a whole one: %v", path, describe(r), &reply)
			}
			r.Headers = harness.Fields{"x-large", strings.Repeat("x", 200_000)}
			if reply := s.HTTP.Do(r); reply.Echo.Backend != "" || reply.Err == nil && reply.Status/100 != 4 {
				t.Errorf("%s, %s: a header of 200 kB is answered %v", path, describe(r), &reply)
			}
			r.Headers = harness.Fields{harness.AskHeader, "x-large=" + strings.Repeat("x", 8_000)}
			if reply := s.HTTP.Do(r); reply.Status != 200 || len(reply.Headers.Get("x-large")) != 8000 {
				t.Errorf("%s, %s: an answer with a header of 8 kB: %v", path, describe(r), &reply)
			}
		}
	}
}

// testTimeouts: what takes too long is answered 504, about when the rule says.
func testTimeouts(t *testing.T, s *harness.Served) {
	hung := func(path string) *exchange {
		return &exchange{listener: "gw/http", host: "timeouts.example.com", target: path, status: 504,
			headers: harness.Fields{harness.AskMode, harness.ModeHang}}
	}
	for _, x := range []*exchange{hung("/request"), hung("/backend"), hung("/h2c"), hung("/two")} {
		r := s.Request(x.listener, x.host, x.target)
		r.Headers = x.headers
		for _, r := range versions(s, r) {
			begin := time.Now()
			reply := s.HTTP.Do(r)
			if wrong := x.wrong(&reply); len(wrong) > 0 {
				t.Errorf("%s, %s: %q, got %v", r.Target, describe(r), wrong, &reply)
			}
			if took := time.Since(begin); took < 250*time.Millisecond || took > 8*time.Second {
				t.Errorf("%s, %s: it takes %v", r.Target, describe(r), took)
			}
		}
	}
	// Those that are in time, and those without a limit, aren't cut.
	for _, path := range []string{"/request", "/backend", "/h2c", "/two", "/none", "/month", "/years"} {
		r := s.Request("gw/http", "timeouts.example.com", path)
		if path == "/none" || path == "/month" || path == "/years" {
			r.Headers = harness.Fields{harness.AskDelay, "400ms"}
		}
		for _, r := range versions(s, r) {
			if reply := s.HTTP.Do(r); reply.Status != 200 {
				t.Errorf("%s, %s: in time, and got %v", path, describe(r), &reply)
			}
		}
	}
}

// testRetries: a backend's statuses that a rule names are tried again as often as it says, and others aren't.
func testRetries(t *testing.T, s *harness.Served) {
	for i, c := range []struct {
		path         string
		status, fail int
		// want is the status that comes of it, after so many attempts.
		want, attempts int
	}{
		{"/twice", 503, 1, 200, 2},
		{"/twice", 503, 2, 200, 3},
		{"/twice", 504, 2, 200, 3},
		{"/twice", 503, 9, 503, 3},
		{"/twice", 500, 9, 500, 1},
		{"/twice", 404, 9, 404, 1},
		{"/never", 503, 9, 503, 1},
		{"/other", 503, 9, 503, 1},
	} {
		for _, r := range versions(s, s.Request("gw/http", "retries.example.com", c.path)) {
			key := fmt.Sprintf("%s %d %t", s, i, r.HTTP2)
			r.Headers = harness.Fields{harness.AskKey, key, harness.AskStatus, strconv.Itoa(c.status), harness.AskFail, strconv.Itoa(c.fail)}
			reply := s.HTTP.Do(r)
			if attempts := s.Backends.Seen(key); reply.Status != c.want || attempts != c.attempts || reply.Backend() != "retried" {
				t.Errorf("%s, %d failures with %d, HTTP/2 %t: %v after %d attempts, want %d after %d", c.path, c.fail, c.status, r.HTTP2, &reply,
					attempts, c.want, c.attempts)
			}
		}
	}
}
