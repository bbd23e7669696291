package e2e

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// The Services of TestBridgedTLS have URIs for names: the server's own, which isn't what it is asked for, and others.
var (
	rightNames = secured{hostname: "asked.example.com", names: fmt.Sprintf(
		"[{type: Hostname, hostname: no.example.com}, {type: URI, uri: %q}]", secureURI)}
	wrongNames = secured{hostname: secureName, names: fmt.Sprintf(
		"[{type: Hostname, hostname: no.example.com}, {type: URI, uri: %q}]", secureURI+"/b")}
)

// TestBridgedTLS: what takes the bridge for a backend that is reached by TLS is served as the policy says, or not at all: names beside
// the one that is asked for, copies, policies for calls (R17, R20, R21, R30).
func TestBridgedTLS(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		authority, pair := harness.Issue(t, secureName, secureURI)
		w := newSecureWorld(t, pair)
		got := &copies{begun: map[string]int{}, messages: map[string]int{}}
		w.backends.OnCall(func(e *harness.Echo, ended bool) {
			if ended {
				got.add(e.Backend, e.Messages, e.Metadata)
			}
		})
		w.backends.OnHTTP(func(e *harness.HTTPEcho) { got.add(e.Backend, 0, e.Headers) })
		w.serve(rightNames, wrongNames)
		for _, prefix := range []string{"", "web-"} {
			w.add(secured{service: prefix + "checked", authority: "good", hostname: secureName}, prefix, "")
			w.add(secured{service: prefix + "unchecked", authority: "other", hostname: secureName}, prefix, "")
		}
		w.manifests = append(w.manifests, read(t, "bridgedtls.yaml"))
		s := harness.Serve(t, p, w.snapshot(authority), harness.Options{Backends: w.backends})
		w.everyone(t, s)
		t.Run("HTTP/2", func(t *testing.T) {
			r := s.HTTP.Do(s.Request("gw/web", "a.example.com", "/h2"))
			if r.Echo.Backend == "" || r.Echo.Proto != "HTTP/2.0" {
				t.Errorf("got %v, want an answer in HTTP/2", r)
			}
		})
		t.Run("WebSocket", func(t *testing.T) { secureWebSocket(t, s) })
		t.Run("copies", func(t *testing.T) { secureCopies(t, s, got) })
		t.Run("policies", func(t *testing.T) { securePolicies(t, s) })
		t.Run("no bridge", func(t *testing.T) { secureWithoutBridge(t, s) })
		t.Run("another authority", func(t *testing.T) { w.renew(t, s) })
		if len(got.leaked) > 0 {
			t.Errorf("headers of the bridge came to backends: %v", got.leaked)
		}
	})
}

// secureWebSocket: a WebSocket is a tunnel by TLS too.
func secureWebSocket(t *testing.T, s *harness.Served) {
	conn, in := s.Request("gw/web", "a.example.com", "/right").Upgrade(t, "websocket")
	for i := range 3 {
		message := strings.Repeat(strconv.Itoa(i), 1000)
		if _, err := io.WriteString(conn, message); err != nil {
			t.Fatal(err)
		}
		echo := make([]byte, len(message))
		if _, err := io.ReadFull(in, echo); err != nil || string(echo) != message {
			t.Fatalf("message %d comes back as %.20q, %v", i, echo, err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// secureCopies: a mirror gets copies where it can be verified and takes the Gateway's certificate, and none else; calls go on.
func secureCopies(t *testing.T, s *harness.Served, got *copies) {
	const n = 20
	got.take()
	for _, gateway := range []string{"gw", "stranger", "known"} {
		for range n {
			secureCalls(t, s, gateway, "copied", true)
			secureCalls(t, s, gateway, "unverified", false)
		}
	}
	// At the backends themselves there are the calls; copies to the one with the wrong name would come there too.
	got.await(t, map[string]int{"": 3 * n, "web-": 3 * n, "asks": n, "web-asks": n})
}

// securePolicies: a call by TLS ends in time, and one that failed is sent again.
func securePolicies(t *testing.T, s *harness.Served) {
	h := call{listener: "gw/http", authority: "a.example.com", path: "/late/Get"}.at(t, s)
	h.Metadata = metadata.Pairs(harness.AskDelay, "5s")
	start := time.Now()
	if r := s.Client.Do(h); r.Code != codes.DeadlineExceeded {
		t.Errorf("a slow call: %v", r)
	}
	if took := time.Since(start); took < 290*time.Millisecond || took > 3*time.Second {
		t.Errorf("a slow call took %s, want 300ms", took)
	}
	h.Metadata = nil
	if r := s.Client.Do(h); r.Echo.Backend == "" {
		t.Errorf("a quick call: %v", r)
	}
}

// secureWithoutBridge: nothing goes past the bridge, whatever policies say of that; what takes none goes on.
func secureWithoutBridge(t *testing.T, s *harness.Served) {
	s.KillBridge()
	for _, rule := range []string{"right", "copied", "unverified"} {
		secureCalls(t, s, "gw", rule, false)
	}
	if r := s.Client.Do(call{listener: "gw/http", authority: "a.example.com", path: "/late/Get"}.at(t, s)); r.Code != codes.Unavailable {
		t.Errorf("a call with a policy: %v", r)
	}
	secureCalls(t, s, "gw", "checked", true)
	s.StartBridge()
	harness.Until(t, "go through the bridge again", harness.DefaultTimeout, func() error {
		r := s.Client.Do(call{listener: "gw/http", authority: "a.example.com", path: "/right/Get"}.at(t, s))
		if r.Echo.Backend == "" {
			return fmt.Errorf("%s %q", r.Code, r.Message)
		}
		return nil
	}, s.Process.Log)
	secureCalls(t, s, "gw", "right", true)
}
