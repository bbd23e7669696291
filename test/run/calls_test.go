package run

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/gatewright/gatewright/test/harness"
)

const countedRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: counted}
spec:
  parentRefs: [{name: gw, sectionName: web}]
  hostnames: [h.test]
  rules:
  - name: coded
    matches: [{method: {service: coded.Service}}]
    backendRefs: [{name: coded, port: 50051}]
  - matches: [{method: {service: none.Service}}]
    backendRefs: [{name: none, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pages}
spec:
  parentRefs: [{name: gw, sectionName: pages}]
  hostnames: [pages.test]
  rules:
  - matches: [{path: {type: PathPrefix, value: /shop}}]
    backendRefs: [{name: pages, port: 50051}]
  - name: moved
    matches: [{path: {type: PathPrefix, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: new.test, statusCode: 301}}]
`

// coded is a server that ends calls with the gRPC status in x-code, behind a message where x-late is set.
func coded(g *gateway, address string, port int32) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(int(port))))
	if err != nil {
		g.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		m, _ := metadata.FromIncomingContext(s.Context())
		if err := s.RecvMsg(&emptypb.Empty{}); err != nil {
			return err
		}
		code, _ := strconv.Atoi(strings.Join(m.Get("x-code"), ""))
		if code == 0 || len(m.Get("x-late")) > 0 {
			if err := s.SendMsg(&emptypb.Empty{}); err != nil {
				return err
			}
		}
		return status.Error(codes.Code(code), "as asked")
	}))
	go func() { _ = server.Serve(listener) }()
	g.Cleanup(server.Stop)
}

// counted are calls of the tests by kind, route, rule and code, as gatewright counts them.
type counted struct {
	lock  sync.Mutex
	calls map[string]int
}

func (c *counted) add(kind, route, rule, method, code string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.calls[fmt.Sprintf("%s %s %s %s %s", kind, route, rule, method, code)]++
}

// counts are what /metrics has of them.
func (g *gateway) counts() map[string]int {
	g.Helper()
	_, text, err := g.get("/metrics")
	if err != nil {
		g.Fatal(err)
	}
	list := map[string]int{}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "gatewright_calls_total{")
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(rest, "} ")
		by := map[string]string{}
		for pair := range strings.SplitSeq(labels, ",") {
			name, text, _ := strings.Cut(pair, "=")
			by[name], _ = strconv.Unquote(text)
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || by["gateway"] != "default/gw" {
			g.Fatalf("%s: %v", line, err)
		}
		list[fmt.Sprintf("%s %s %s %s %s", by["kind"], by["route"], by["rule"], by["method"], by["code"])] += int(n)
	}
	return list
}

// TestCalls is R46: every call is counted with its rule, method and status, as its client saw it and as far as the proxy sees it.
func TestCalls(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			countCalls(newGateway(t, p))
		})
	}
}

func countCalls(g *gateway) {
	g.serve("coded", "", func(_, address string, port int32) { coded(g, address, port) })
	g.webService("pages", "")
	g.write("service-none", harness.Service("default", "none", port))
	g.write("counted", countedRoutes)
	g.write("gateway", g.gatewayManifest("web", "pages"))
	g.remove("route-base")
	g.start()
	g.ready()
	made := 0
	g.until("serve the GRPCRoute", func() error {
		made++
		if r := g.call("coded.Service"); r.Code != codes.OK {
			return fmt.Errorf("%s: %s", r.Code, r.Message)
		}
		return nil
	})
	g.until("serve the HTTPRoute", func() error {
		made++
		if r := g.page(g.visitor(), "/nothing"); r != http.StatusNotFound {
			return fmt.Errorf("status %d", r)
		}
		return nil
	})
	before := map[string]int{}
	g.until("count the first calls", func() error {
		n := 0
		for _, value := range g.counts() {
			n += value
		}
		if before = g.counts(); n != made {
			return fmt.Errorf("%d of %d", n, made)
		}
		return nil
	})
	c := &counted{calls: map[string]int{}}
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() { g.mixedCalls(c, 100+i) })
	}
	callers.Wait()
	g.until("count every call once", func() error {
		now := g.counts()
		for labels, n := range before {
			if now[labels] -= n; now[labels] == 0 {
				delete(now, labels)
			}
		}
		if !maps.Equal(now, c.calls) {
			return fmt.Errorf("counted:\n%v\nmade:\n%v", now, c.calls)
		}
		return nil
	})
	if lost := g.metric("gatewright_calls_lost_total"); lost != "0" {
		g.Errorf("%s calls are lost", lost)
	}
	if n := g.metric(`gatewright_call_duration_seconds_count{kind="GRPCRoute",route="default/counted",rule="coded"}`); n == "" {
		g.Errorf("the durations of calls aren't there")
	}
}

// seen is a status as the proxy sees it: HAProxy doesn't see trailers.
func (g *gateway) seen(code codes.Code, trailers bool) string {
	if trailers && g.proxy.Name == "haproxy" {
		return "-"
	}
	return map[codes.Code]string{codes.OK: "OK", codes.NotFound: "NOT_FOUND", codes.Internal: "INTERNAL"}[code]
}

// mixedCalls makes calls of every kind, n times.
func (g *gateway) mixedCalls(c *counted, n int) {
	client, pages := harness.NewClient(g), g.visitor()
	call := g.baseCall()
	call.Path = "/coded.Service/Get"
	for range n {
		for _, e := range []struct {
			code codes.Code
			late string
		}{{codes.OK, ""}, {codes.NotFound, ""}, {codes.Internal, "1"}} {
			call.Metadata = metadata.MD{"x-code": {strconv.Itoa(int(e.code))}}
			if e.late != "" {
				call.Metadata.Set("x-late", e.late)
			}
			if r := client.Do(call); r.Code != e.code {
				g.Errorf("%s: %s", r.Code, r.Message)
			}
			c.add("GRPCRoute", "default/counted", "coded", "coded.Service/Get", g.seen(e.code, e.code == codes.OK || e.late != ""))
		}
		none := call
		none.Path = "/none.Service/Get"
		if r := client.Do(none); r.Code != codes.Unavailable {
			g.Errorf("%s: %s", r.Code, r.Message)
		}
		c.add("GRPCRoute", "default/counted", "1", "other", "UNAVAILABLE")
		none.Path = "/nobody.Serves/This"
		if r := client.Do(none); r.Code != codes.Unimplemented {
			g.Errorf("%s: %s", r.Code, r.Message)
		}
		c.add("", "", "", "POST", "UNIMPLEMENTED")
		if code := g.page(pages, "/shop/cart"); code != http.StatusOK {
			g.Errorf("status %d", code)
		}
		c.add("HTTPRoute", "default/pages", "0", "GET", "200")
		if code := g.page(pages, "/old/cart"); code != http.StatusMovedPermanently {
			g.Errorf("status %d", code)
		}
		c.add("HTTPRoute", "default/pages", "moved", "GET", "301")
		if code := g.page(pages, "/nothing"); code != http.StatusNotFound {
			g.Errorf("status %d", code)
		}
		c.add("", "", "", "GET", "404")
	}
}

// visitor has connections of its own: one that is older than a reload may lead to what was served before.
func (g *gateway) visitor() *http.Transport {
	t := &http.Transport{}
	g.Cleanup(t.CloseIdleConnections)
	return t
}

// page is the status of a page.
func (g *gateway) page(visitor *http.Transport, path string) int {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+g.address+":8081"+path, nil)
	if err != nil {
		g.Fatal(err)
	}
	r.Host = "pages.test"
	answer, err := visitor.RoundTrip(r)
	if err != nil {
		g.Errorf("%s: %v", path, err)
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// TestAccessLog is R46: a call's line has what is known of it, whatever its client writes, and goes to where it is asked for.
func TestAccessLog(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, p)
			g.write("gateway", g.gatewayManifest("web", "pages"))
			file := filepath.Join(filepath.Dir(g.state), "calls.log")
			g.serve("coded", "", func(_, address string, port int32) { coded(g, address, port) })
			g.write("counted", countedRoutes)
			g.start("--access-log", file, "--access-log-format", "json")
			g.ready()
			call := g.baseCall()
			call.Path, call.Metadata = "/coded.Service/Get", metadata.MD{"x-code": {"5"}, "x-request-id": {`one", "rule": "forged`}}
			if r := g.fresh.Do(call); r.Code != codes.NotFound {
				t.Fatalf("%s: %s", r.Code, r.Message)
			}
			want := map[string]any{"gateway": "default/gw", "method": "POST", "authority": "h.test", "path": "/coded.Service/Get",
				"status": 200.0, "code": "NOT_FOUND", "rule": "GRPCRoute default/counted rule 0 (coded)",
				"service": "Service default/coded port 50051", "endpoint": g.backends.Address("coded", 0) + ":50051",
				"id": `one", "rule": "forged`}
			g.until("log the call", func() error { return logged(file, want) })
			// A path with what ends lines, strings and fields elsewhere.
			for _, path := range []string{`/a"b/c`, "/a\\b/c", "/a%0Ab/c", "/a\tb/c", "/a\xffb/c"} {
				harness.DialRaw(t, call.Address).Call(harness.RawRequest("h.test", path), nil)
			}
			call.Path, call.Metadata = "/last.Service/Get", nil
			g.fresh.Do(call)
			g.until("log the last call", func() error { return logged(file, map[string]any{"path": "/last.Service/Get"}) })
			// Somebody moves the file away.
			if err := os.Rename(file, file+".1"); err != nil {
				t.Fatal(err)
			}
			g.until("log into a new file", func() error {
				g.fresh.Do(call)
				return logged(file, map[string]any{"path": "/last.Service/Get"})
			})
		})
	}
}

// logged says why a file has no line with these values; all lines must be JSON.
func logged(file string, want map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var last map[string]any
	for line := range strings.Lines(string(text)) {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(k string) bool { return got[k] != want[k] }) {
			return nil
		}
		last = got
	}
	return fmt.Errorf("the last line is %v", last)
}
