package others

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// pageRoutes are the routes that pages call; one of them also shows a page, on the origin of the calls.
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
  name: shop
  annotations: {gatewright.io/grpc-web: enabled, gatewright.io/grpc-web-origins: "http://shop.example.com:8000, http://*.pages.example.com:8000"}
spec:
  parentRefs: [{name: gw}]
  hostnames: [web.example.com]
  rules:
  - matches: [{method: {service: acme.v1.Idle}}]
    backendRefs: [{name: idle, port: 50051}]
  - matches: [{method: {service: acme.v1.Refusing}}]
    backendRefs: [{name: refusing, port: 50051}]
  - matches: [{method: {service: acme.v1.Echo}}]
    backendRefs: [{name: main, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  name: same
  annotations: {gatewright.io/grpc-web: enabled}
spec:
  parentRefs: [{name: gw, sectionName: https}]
  hostnames: [same.example.com]
  rules:
  - matches: [{method: {service: acme.v1.Echo}}]
    backendRefs: [{name: main, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata:
  name: anybody
  annotations: {gatewright.io/grpc-web: enabled, gatewright.io/grpc-web-origins: "*"}
spec:
  parentRefs: [{name: gw, sectionName: https}]
  hostnames: [anybody.example.com]
  rules:
  - matches: [{method: {service: acme.v1.Echo}}]
    backendRefs: [{name: main, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: same}
spec:
  parentRefs: [{name: gw, sectionName: https}]
  hostnames: [same.example.com]
  rules:
  - backendRefs: [{name: site, port: 8000}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: site, labels: {kubernetes.io/service-name: site}}
addressType: IPv4
ports: [{name: p8000, port: 8000}]
endpoints: [{addresses: [%s]}]
`

// arrivals are the calls that came to the Services, by the page that made them.
type arrivals struct {
	mu           sync.Mutex
	begun, ended map[string]int
}

func (a *arrivals) take(e *harness.Echo, ended bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	which := a.begun
	if ended {
		which = a.ended
	}
	for _, page := range e.Metadata["x-page"] {
		which[page]++
	}
}

func (a *arrivals) of(page string) (begun, ended int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.begun[page], a.ended[page]
}

// TestBrowser: pages in a real browser call unary methods and streams through the proxies, in binary and as text, from origins that may
// and from those that may not, and read the statuses of Services and of the proxy.
func TestBrowser(t *testing.T) {
	for _, p := range harness.Ends(harness.Proxies(t)) {
		t.Run(p.String(), func(t *testing.T) { browse(t, p) })
	}
}

func browse(t *testing.T, p harness.Proxy) {
	s := servePages(t)
	site, _, _ := strings.Cut(s.address, ":")
	pair := harness.Certificate(t, "*.example.com")
	manifests := []string{fmt.Sprintf(pageRoutes, site), harness.Secret("default", "certificate", pair),
		harness.Service("default", "site", 8000)}
	for _, name := range []string{"main", "idle", "refusing"} {
		manifests = append(manifests, harness.Service("default", name, 50051))
	}
	got := &arrivals{begun: map[string]int{}, ended: map[string]int{}}
	backends := harness.NewBackends(t)
	backends.OnCall(got.take)
	served := harness.Serve(t, p, harness.Load(t, "", manifests...), harness.Options{CrossServing: "share", Backends: backends,
		Endpoints: map[string][]bool{"default/idle": {}, "default/refusing": {false}}})
	gateway := served.Address("default/gw")
	hosts := map[string]string{"web.example.com": gateway, "same.example.com": gateway, "anybody.example.com": gateway,
		"shop.example.com": site, "a.pages.example.com": site, "evil.example.net": site}
	listeners := []string{"https://web.example.com:20443"}
	if p.Capabilities.Has(model.FeatureHTTP1Shared) {
		listeners = append(listeners, "http://web.example.com:20080")
	}
	s.add(shopPage(listeners))
	s.add(&page{name: "wild", origin: "http://a.pages.example.com:8000", calls: []pageCall{echo("unary", listeners[0], "hello")}})
	s.add(&page{name: "evil", origin: "http://evil.example.net:8000", calls: []pageCall{
		echo("another's", listeners[0], "hello").unreadable(), echo("to all", "https://anybody.example.com:20443", "hello")}})
	s.add(&page{name: "opaque", origin: "http://" + s.address, opaque: true, calls: []pageCall{
		echo("another's", listeners[0], "hello").unreadable(), echo("to all", "https://anybody.example.com:20443", "hello")}})
	s.add(samePage())
	for name, saw := range s.show(hosts, pair) {
		s.pages[name].check(t, saw)
	}
	for name, want := range map[string]int{"wild": 1, "evil": 1, "opaque": 1, "same": 2, "shop": 14 * len(listeners)} {
		harness.Until(t, "end the calls of "+name, patience, func() error {
			if begun, ended := got.of(name); begun != want || ended != want {
				return fmt.Errorf("%d calls of page %s began at a Service, %d ended; want %d", begun, name, ended, want)
			}
			return nil
		}, func() string { return "" })
	}
}

// add adds a page, whose calls say that they are its own.
func (s *pages) add(p *page) {
	for i := range p.calls {
		headers := map[string]string{"x-page": p.name}
		for name, value := range p.calls[i].Headers {
			headers[name] = value
		}
		p.calls[i].Headers = headers
	}
	s.pages[p.name] = p
}

// echo is a unary call whose message comes back, in binary.
func echo(name, at, message string) pageCall {
	return pageCall{Name: name, URL: at + "/acme.v1.Echo/Get", Message: message, Headers: map[string]string{harness.AskMode: harness.ModeSame},
		want: pageSaw{Status: 200, Type: "application/grpc-web+proto", Messages: []string{message}, Headers: map[string]string{},
			Trailers: map[string]string{"grpc-status": "0", "grpc-message": ""}, Where: "body"}}
}

// unreadable is the same call by a page that may not make it.
func (c pageCall) unreadable() pageCall {
	c.want = pageSaw{Messages: []string{}, Headers: map[string]string{}, Trailers: map[string]string{}, Error: "TypeError"}
	return c
}

// asking has the Service answer in another way.
func (c pageCall) asking(pairs ...string) pageCall {
	headers := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		headers[pairs[i]] = pairs[i+1]
	}
	c.Headers = headers
	return c
}

// status is what stands for a failure before the first message.
func (c pageCall) status(code, message string) pageCall {
	c.want.Messages, c.want.Trailers = []string{}, map[string]string{"grpc-status": code, "grpc-message": message}
	return c
}

// byProxy is a status that the proxy itself says.
func (c pageCall) byProxy() pageCall {
	c.want.Type, c.want.Where = "application/grpc", "headers"
	return c
}

// shopPage calls everything that there is, at each listener, in binary and as text.
func shopPage(listeners []string) *page {
	p := &page{name: "shop", origin: "http://shop.example.com:8000"}
	for _, at := range listeners {
		for _, text := range []bool{false, true} {
			for _, c := range shopCalls(at) {
				if c.Text = text; text && strings.HasPrefix(c.want.Type, "application/grpc-web") {
					c.want.Type = "application/grpc-web-text"
				}
				c.Name = fmt.Sprintf("%s %s text %t", c.Name, at, text)
				p.calls = append(p.calls, c)
			}
		}
	}
	return p
}

func shopCalls(at string) []pageCall {
	big := echo("big", at, "0123456789")
	big.Times, big.want.Messages = 30_000, []string{strings.Repeat("0123456789", 30_000)}
	stream := echo("stream", at, "m").asking(harness.AskMode, harness.ModeServerStream, harness.AskCount, "50", harness.AskHeader, "x-begin=1",
		harness.AskTrailer, "x-end-bin=ab")
	stream.want.Messages, stream.want.Headers = repeated("main", 50), map[string]string{"x-begin": "1"}
	stream.want.Trailers["x-end-bin"] = "YWI"
	endless := echo("given up", at, "m").asking(harness.AskMode, harness.ModeServerStream, harness.AskCount, "10000000")
	endless.Take, endless.want.Messages, endless.want.Aborted, endless.want.Where = 10, repeated("main", 10), true, ""
	endless.want.Trailers = map[string]string{}
	failing := echo("error", at, "m").asking(harness.AskStatus, "5:not here: 100 % ä").status("5", "not here: 100 % ä")
	idle, refusing, unknown := echo("no endpoint", at, "m"), echo("refusing", at, "m"), echo("no rule", at, "m").unreadable()
	idle.URL, refusing.URL, unknown.URL = at+"/acme.v1.Idle/Get", at+"/acme.v1.Refusing/Get", at+"/acme.v1.Unknown/Get"
	// The proxy answers the first one, the bridge the other.
	idle = idle.status("14", "GRPCRoute default/shop rule 0: Service default/idle port 50051 has no ready endpoints").byProxy()
	refusing = refusing.status("14", "bridge: no endpoint of Service default/refusing port 50051 takes a connection")
	refusing.want.Type = "application/grpc-web"
	return []pageCall{echo("unary", at, "hello"), echo("empty", at, ""), big, stream, endless, failing, idle, refusing, unknown,
		echo("last", at, "again")}
}

// repeated is what the page makes of so many Echoes of a Service.
func repeated(service string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "from " + service
	}
	return out
}

// samePage is on the origin that it calls: it may read everything, also that there is no rule.
func samePage() *page {
	const at = "https://same.example.com:20443"
	unknown := echo("no rule", at, "m")
	unknown.URL = at + "/acme.v1.Unknown/Get"
	return &page{name: "same", origin: at, calls: []pageCall{echo("unary", at, "hello"), unknown.status("12", "no GRPCRoute rule matches").byProxy(),
		echo("error", at, "m").asking(harness.AskStatus, "9:no").status("9", "no")}}
}

// check compares what a page saw with what it was to see.
func (p *page) check(t *testing.T, saw []pageSaw) {
	t.Helper()
	if len(saw) != len(p.calls) {
		t.Errorf("page %s says what it saw of %d calls of %d", p.name, len(saw), len(p.calls))
		return
	}
	for i, c := range p.calls {
		got, want := saw[i], c.want
		want.Name = c.Name
		for j, m := range got.Messages {
			var e harness.Echo
			if json.Unmarshal([]byte(m), &e) == nil && e.Backend != "" {
				got.Messages[j] = "from " + strings.TrimSuffix(strings.TrimPrefix(e.Backend, "default/"), ":50051")
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("page %s: %s:\n got %.300v\nwant %.300v", p.name, c.Name, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
		}
	}
}
