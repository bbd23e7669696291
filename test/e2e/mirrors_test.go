package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// mirrorRoutes copy calls to "shadow", a quarter of them to "quarter" too, and to what refuses connections; HTTP likewise.
const mirrorRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls}
spec:
  parentRefs: [{name: gw}]
  hostnames: [grpc.example.com]
  rules:
  - filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 50051}}}
    - {type: RequestMirror, requestMirror: {percent: 25, backendRef: {name: quarter, port: 50051}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: refusing, port: 50051}}}
    backendRefs: [{name: main, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: web}]
  rules:
  - matches: [{path: {value: /h2c}}]
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: web-shadow, port: 50051}}}
    backendRefs: [{name: web-h2c, port: 50051}]
  - filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: web-shadow, port: 50051}}}
    - {type: RequestMirror, requestMirror: {fraction: {numerator: 1, denominator: 4}, backendRef: {name: web-quarter, port: 50051}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: web-refusing, port: 50051}}}
    backendRefs: [{name: web-main, port: 50051}]
`

const webGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, protocol: HTTP, port: 80}]
`

// copies counts what backends were sent, by Service.
type copies struct {
	mu       sync.Mutex
	begun    map[string]int
	messages map[string]int
	leaked   []string
}

func (c *copies) add(backend string, messages int, headers map[string][]string) {
	name, _, _ := strings.Cut(strings.TrimPrefix(backend, "default/"), ":")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun[name]++
	c.messages[name] += messages
	for h := range headers {
		if strings.HasPrefix(strings.ReplaceAll(h, "_", "-"), "x-gw-") {
			if text := h + " at " + name; !slices.Contains(c.leaked, text) {
				c.leaked = append(c.leaked, text)
			}
		}
	}
}

func (c *copies) take() (begun, messages map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun, messages = c.begun, c.messages
	c.begun, c.messages = map[string]int{}, map[string]int{}
	return begun, messages
}

// await waits until so many calls have come to Services.
func (c *copies) await(t *testing.T, want map[string]int) {
	t.Helper()
	harness.Until(t, "come to the mirrors", harness.DefaultTimeout, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for name, n := range want {
			if c.begun[name] != n {
				return fmt.Errorf("%s got %d calls, want %d", name, c.begun[name], n)
			}
		}
		return nil
	}, func() string { return "" })
}

// TestMirrors: each mirror gets whole copies of its share of the calls, one that refuses costs nobody anything, and without a bridge
// calls go on without copies (R20).
func TestMirrors(t *testing.T) {
	manifests := []string{read(t, "gateway.yaml"), webGateway, mirrorRoutes,
		services("main", "shadow", "quarter", "refusing", "web-main", "web-shadow", "web-quarter", "web-refusing"),
		withProtocol(services("web-h2c"), "kubernetes.io/h2c")}
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		got := &copies{begun: map[string]int{}, messages: map[string]int{}}
		backends := harness.NewBackends(t)
		backends.OnCall(func(e *harness.Echo, ended bool) {
			if ended {
				got.add(e.Backend, e.Messages, e.Metadata)
			}
		})
		backends.OnHTTP(func(e *harness.HTTPEcho) { got.add(e.Backend, 0, e.Headers) })
		s := harness.Serve(t, p, harness.Load(t, "", strings.Join(manifests, "---\n")), harness.Options{Backends: backends,
			Endpoints: map[string][]bool{"default/refusing": {false}, "default/web-refusing": {false}}})
		t.Run("calls", func(t *testing.T) { mirrorCalls(t, s, got) })
		t.Run("streams", func(t *testing.T) { mirrorStreams(t, s, got) })
		t.Run("requests", func(t *testing.T) { mirrorRequests(t, s, got) })
		if len(got.leaked) > 0 {
			t.Errorf("headers of the bridge came to backends: %v", got.leaked)
		}
		t.Run("no bridge", func(t *testing.T) { mirrorsWithoutBridge(t, s, got) })
	})
}

// forged is what a client might send to choose an action.
var forged = call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1.Echo/Get",
	headers: []string{"x-gw-target: 0123456789abcdef", "x-gw-mirror: 0"}, want: "main"}

func mirrorCalls(t *testing.T, s *harness.Served, got *copies) {
	const n = 400
	wantShares(t, s, forged, n, map[string]float64{"main": 1}, 0)
	got.await(t, map[string]int{"main": n, "shadow": n})
	begun, messages := got.take()
	if messages["shadow"] != messages["main"] || messages["shadow"] != n {
		t.Errorf("shadow got %d messages, main %d", messages["shadow"], messages["main"])
	}
	wantQuarter(t, begun["quarter"], n)
}

// wantQuarter allows for chance, five standard deviations.
func wantQuarter(t *testing.T, got, n int) {
	t.Helper()
	if off := math.Abs(float64(got) - float64(n)/4); off > 5*math.Sqrt(float64(n)*3/16) {
		t.Errorf("a mirror for a quarter of the calls got %d of %d", got, n)
	}
}

// mirrorStreams: a copy of a stream has all of its messages, and what the client sends is what decides when.
func mirrorStreams(t *testing.T, s *harness.Served, got *copies) {
	const messages = 20
	h := forged.at(t, s)
	h.Metadata = metadata.Pairs(harness.AskMode, harness.ModeSame)
	stream, err := s.Client.Stream(h)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for i := range messages {
		text := strings.Repeat("x", i*1000)
		if err := stream.Send([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if echo, err := stream.Receive(); err != nil || string(echo) != text {
			t.Fatalf("message %d: %d bytes, %v", i, len(echo), err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	got.await(t, map[string]int{"main": 1, "shadow": 1})
	if _, n := got.take(); n["main"] != messages || n["shadow"] != messages {
		t.Errorf("main got %d messages, shadow %d, want %d", n["main"], n["shadow"], messages)
	}
}

func mirrorRequests(t *testing.T, s *harness.Served, got *copies) {
	const n = 200
	body := []byte(strings.Repeat("body ", 1000))
	for _, c := range []struct {
		path, backend string
		mirrors       map[string]int
	}{{"/any?a=%2F", "web-main", map[string]int{"web-shadow": n}}, {"/h2c/any", "web-h2c", map[string]int{"web-shadow": n}}} {
		concurrently(n, func() {
			r := s.Request("web/http", "web.example.com", c.path)
			r.Method, r.Body, r.Headers = "POST", body, harness.Fields{"x-gw-target", "0123456789abcdef"}
			if reply := s.HTTP.Do(r); reply.Status != 200 || reply.Backend() != c.backend {
				t.Errorf("%s: %s", c.path, &reply)
			}
		})
		c.mirrors[c.backend] = n
		got.await(t, c.mirrors)
		if begun, _ := got.take(); c.backend == "web-main" {
			wantQuarter(t, begun["web-quarter"], n)
		}
	}
}

// mirrorsWithoutBridge: a bridge that has gone takes the copies along and nothing else; one that comes brings them back.
func mirrorsWithoutBridge(t *testing.T, s *harness.Served, got *copies) {
	const n = 100
	s.KillBridge()
	// HAProxy finds out by calls that it sends on, or by asking.
	harness.Until(t, "go on without the bridge", harness.DefaultTimeout, func() error {
		reply := s.Client.Do(forged.at(t, s))
		if reply.Backend() != "main" {
			return fmt.Errorf("answered by %s: %v", reply.Backend(), reply)
		}
		return nil
	}, func() string { return "" })
	got.take()
	wantShares(t, s, forged, n, map[string]float64{"main": 1}, 0)
	if begun, _ := got.take(); begun["shadow"]+begun["quarter"] > 0 {
		t.Errorf("copies without a bridge: %v", begun)
	}
	s.StartBridge()
	harness.Until(t, "copy calls again", harness.DefaultTimeout, func() error {
		s.Client.Do(forged.at(t, s))
		if begun, _ := got.take(); begun["shadow"] == 0 {
			return fmt.Errorf("no copy yet: %v", begun)
		}
		return nil
	}, func() string { return "" })
}
