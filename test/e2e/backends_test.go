package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

func serveBackends(t *testing.T, p harness.Proxy) *harness.Served {
	return harness.Serve(t, p, harness.Load(t, "", read(t, "backends.yaml"), harness.Service("default", "two-ports", 50051, 50052),
		services("one", "two", "three-endpoints", "other/shut", "other/open", "empty", "refusing", "half-dead")),
		harness.Options{Endpoints: map[string][]bool{
			"default/three-endpoints": {true, true, true},
			"default/empty":           {},
			"default/refusing":        {false},
			"default/half-dead":       {false, true, true},
		}})
}

// TestWeights is R14: 10,000 calls of each rule, within one percentage point.
func TestWeights(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := serveBackends(t, p)
		for _, test := range []struct {
			service string
			want    map[string]float64
		}{
			{"w.NinetyTen", map[string]float64{"one": 0.9, "two": 0.1}},
			{"w.Default", map[string]float64{"one": 0.5, "two": 0.5}},
			{"w.Invalid", map[string]float64{"one": 0.5, "two": 0.3, "Unavailable": 0.2}},
			{"w.Zero", map[string]float64{"one": 1}},
			{"w.AllZero", map[string]float64{"Unavailable": 1}},
			{"w.Millionth", map[string]float64{"one": 1, "two": 0}},
			{"w.Sevenths", map[string]float64{"one": 1. / 7, "two": 2. / 7, "three-endpoints": 4. / 7}},
			{"w.Twice", map[string]float64{"one": 0.75, "two": 0.25}},
		} {
			c := call{listener: "gw/http", authority: "weights.example.com", path: "/" + test.service + "/Get"}
			wantShares(t, s, c, 10000, test.want, 0.01)
		}
	})
}

// TestInvalidBackends is R15 and R16.
func TestInvalidBackends(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := serveBackends(t, p)
		var calls []call
		for service, want := range map[string]string{
			"b.Kind": "Unavailable", "b.Missing": "Unavailable", "b.Port": "Unavailable", "b.NotGranted": "Unavailable",
			"b.WebSocket": "Unavailable", "b.Granted": "other/open", "b.H2C": "h2c", "b.None": "Unimplemented", "b.Empty": "Unavailable",
			"b.SecondPort": "two-ports",
		} {
			calls = append(calls, call{listener: "gw/http", authority: "refs.example.com", path: "/" + service + "/Get", want: want})
		}
		check(t, s, calls)
		c := call{listener: "gw/http", authority: "refs.example.com", path: "/b.SecondPort/Get"}
		if got := s.Client.Do(c.at(t, s)).Echo.Backend; got != "default/two-ports:50052" {
			t.Errorf("%v: %s answers, want the second port", c, got)
		}
		wantCondition(t, s, "GRPCRoute", "default/refs", "ResolvedRefs", "InvalidKind", "Bucket")
		wantCondition(t, s, "GRPCRoute", "default/missing", "ResolvedRefs", "BackendNotFound", "missing")
		wantCondition(t, s, "GRPCRoute", "default/no-such-port", "ResolvedRefs", "BackendNotFound", "9999")
		wantCondition(t, s, "GRPCRoute", "default/crossing", "ResolvedRefs", "RefNotPermitted", "shut")
		wantCondition(t, s, "GRPCRoute", "default/websocket", "ResolvedRefs", "UnsupportedProtocol", "kubernetes.io/ws")
		wantCondition(t, s, "GRPCRoute", "default/granted", "ResolvedRefs", "ResolvedRefs", "")
		wantCondition(t, s, "GRPCRoute", "default/fine", "ResolvedRefs", "ResolvedRefs", "")
	})
}

// TestFailuresAreStatuses is R18: a gRPC client decodes each, with a message.
func TestFailuresAreStatuses(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := serveBackends(t, p)
		for service, want := range map[string]codes.Code{
			"b.Missing": codes.Unavailable, "b.Empty": codes.Unavailable, "b.Refusing": codes.Unavailable,
			"b.None": codes.Unimplemented, "b.NoRule": codes.Unimplemented,
		} {
			c := call{listener: "gw/http", authority: "refs.example.com", path: "/" + service + "/Get"}
			r := s.Client.Do(c.at(t, s))
			if r.Code != want || r.Message == "" || !r.FromServer() {
				t.Errorf("%v: got %s %q with trailers %v, want %s", c, r.Code, r.Message, r.Trailers, want)
			}
		}
	})
}

// TestBackendStatusPasses: what a backend says goes to the client unchanged, trailers and all.
func TestBackendStatusPasses(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := serveBackends(t, p)
		for _, status := range []string{"1:cancelled by me", "3:not \"good\"", "5:no % such; thing", "8:too much", "13:oops", "14:try later",
			"16:who?"} {
			h := call{listener: "gw/http", authority: "refs.example.com", path: "/b.H2C/Get"}.at(t, s)
			h.Metadata = metadata.Pairs(harness.AskStatus, status, harness.AskTrailer, "t=1", harness.AskHeader, "h=2")
			r := s.Client.Do(h)
			if got := codeAndMessage(r); got != status || len(r.Trailers.Get("t")) != 1 {
				t.Errorf("asked for %q, got %q with trailers %v", status, got, r.Trailers)
			}
		}
	})
}

func codeAndMessage(r harness.Reply) string {
	return fmt.Sprintf("%d:%s", r.Code, r.Message)
}

// TestDeadEndpointAmongGoodOnes: no call fails while another endpoint of the Service answers. HAProxy from 3.1 on can't tell
// a connection that is refused a moment later from a call that the endpoint has seen: there calls fail until the endpoint is
// left, and none afterwards.
func TestDeadEndpointAmongGoodOnes(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := serveBackends(t, p)
		h := call{listener: "gw/http", authority: "refs.example.com", path: "/b.HalfDead/Get"}.at(t, s)
		made := func(calls int) (failed []harness.Reply) {
			var mu sync.Mutex
			endpoints := map[string]int{}
			concurrently(calls, func() {
				r := s.Client.Do(h)
				mu.Lock()
				defer mu.Unlock()
				if r.Code != codes.OK {
					failed = append(failed, r)
					return
				}
				endpoints[r.Echo.Endpoint]++
			})
			if len(endpoints) != 2 {
				t.Errorf("the calls went to %v, want both endpoints that run", endpoints)
			}
			return failed
		}
		failed := made(500)
		if p.Name == "haproxy" && p.Capabilities.Version.AtLeast(3, 1, 0) {
			for _, r := range failed {
				if r.Code != codes.Unavailable || !strings.Contains(r.Message, "no endpoint of Service default/half-dead port 50051 took the call") {
					t.Errorf("a call failed with %s %q", r.Code, r.Message)
				}
			}
			// Two leave it, and each caller may have a call there by then.
			if len(failed) > 2+callers {
				t.Errorf("%d calls failed before the endpoint was left", len(failed))
			}
			failed = made(500)
		}
		if len(failed) > 0 {
			t.Errorf("%d of 500 calls failed, the last one with %s %q", len(failed), failed[len(failed)-1].Code, failed[len(failed)-1].Message)
		}
	})
}

// TestReload serves one set of backends, then another, on the same listener.
func TestReload(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		route := func(backend string) string {
			return `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: only}
spec:
  parentRefs: [{name: gw}]
  rules:
  - backendRefs: [{name: ` + backend + `, port: 50051}]
`
		}
		gateway, backends := read(t, "gateway.yaml"), services("before", "after")
		s := harness.Serve(t, p, harness.Load(t, "", gateway, backends, route("before")), harness.Options{})
		check(t, s, []call{{listener: "gw/http", authority: "any.example.com", path: "/s.A/Get", want: "before"}})
		s.Reload(harness.Load(t, "", gateway, backends, route("after")), harness.Options{})
		s.Client.Close() // A connection made before may be served by a worker of before.
		check(t, s, []call{{listener: "gw/http", authority: "any.example.com", path: "/s.A/Get", want: "after"}})
	})
}
