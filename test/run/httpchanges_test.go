package run

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/test/harness"
)

// TestHTTPChanges is TestChanges for HTTPRoutes: callers by HTTP/1.1 on connections that they use again and by HTTP/2, uploads,
// event streams and WebSockets, while routes, weights and endpoints change, and response headers, for which HAProxy reloads too.
// nginx before 1.27.4 closes connections of HTTP/1.1 that are idle as it reloads. A client that sends a request just then gets no
// answer and may not know whether it was served; it wasn't. A client like net/http's sends a GET again by itself, and leaves a
// POST to its caller: callers make POSTs. That is all that may be lost.
func TestHTTPChanges(t *testing.T) {
	pair := harness.Certificate(t, "h.test")
	each(t, func(g *gateway) {
		g.end()
		g.remove("route-base")
		g.webService("web", "")
		g.webService("more", h2c)
		g.write("secret", harness.Secret("default", "pair", pair))
		g.write("gateway", g.gatewayManifest("web")+tlsListener("h", "pair"))
		w := &web{gateway: g, asker: harness.NewHTTPClient(g)}
		w.routes(1, 1)
		g.start()
		g.ready()
		http1, http2 := w.request("/base"), w.request("/base")
		http2.Address, http2.TLS, http2.HTTP2 = g.address+":8443", true, true
		first := harness.StartHTTPTraffic(g, g.proxy, g.backends, http1, *callers, "web", "more")
		second := harness.StartHTTPTraffic(g, g.proxy, g.backends, http2, *callers, "web", "more")
		endThroughout := w.hold("throughout", http2)
		rounds := cmp.Or(*changes, 8)
		for i := range rounds {
			end, again := w.hold(fmt.Sprint("change ", i), http2), w.idle()
			switch i % 4 {
			case 0:
				g.webService("web", "", i%3, 3)
			case 1:
				w.newRoute(i)
			case 2:
				g.webService("more", h2c, 3, i%3)
			case 3:
				w.header = i
			}
			w.routes(1+i%5, 1+i%2)
			w.seesHeader()
			again()
			end()
		}
		endThroughout()
		reloads := 0
		// The first start, and one for each new header, which answers have before the reload is counted.
		atLeast := 1 + rounds/4
		g.until("count its reloads", func() (err error) {
			reloads, err = strconv.Atoi(g.metric(`gatewright_applies_total{result="ok",way="reload"}`))
			if err == nil && reloads < atLeast {
				err = fmt.Errorf("%d of %d", reloads, atLeast)
			}
			return err
		})
		g.Logf("applies by reload: %d, by update: %s", reloads, g.metric(`gatewright_applies_total{result="ok",way="update"}`))
		if g.proxy.Name == "haproxy" && reloads > atLeast {
			g.Errorf("%d reloads, want %d; gatewright said:\n%s", reloads, atLeast, g.said())
		}
		mayBeLost := 0
		if g.proxy.Name == "nginx" && !nginx.Lingers(g.proxy.Capabilities.Version) {
			// A reload loses one request of a connection at most; that it does so for every other one is far more than was seen.
			mayBeLost = reloads * *callers / 2
		}
		first.End(mayBeLost)
		second.End(0)
	})
}

const h2c = "kubernetes.io/h2c"

// web is a gateway with HTTPRoutes: for /base to the Services web and more, and for /held to web alone, for nginx takes no WebSocket
// to a backend of HTTP/2.
type web struct {
	*gateway
	asker *harness.HTTPClient
	// header is what answers have as x-change; 0 for none.
	header int
}

// routes writes the routes, with the weights of the Services web and more.
func (w *web) routes(first, second int) {
	w.Helper()
	filters := ""
	if w.header > 0 {
		filters = fmt.Sprintf("    filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-change, value: \"%d\"}]}}]\n",
			w.header)
	}
	// In one file, so that they change together.
	w.write("routes", httpRouteManifest("web", "/base", filters, backend{"web", first}, backend{"more", second})+"---\n"+
		httpRouteManifest("held", "/held", filters, backend{"web", first}))
}

func (w *web) request(path string) harness.HTTPRequest {
	return harness.HTTPRequest{Address: w.address + ":8080", Host: "h.test", Target: path}
}

// ask is on a new connection, see gateway.call.
func (w *web) ask(path string) harness.HTTPReply {
	w.asker.Close()
	return w.asker.Do(w.request(path))
}

// hold begins what goes on for a while by both versions of HTTP, and returns what ends it.
func (w *web) hold(name string, http2 harness.HTTPRequest) (end func()) {
	w.Helper()
	held := []*harness.HTTPHeld{
		harness.HoldHTTP(w, w.backends, w.request("/held"), name+"/1.1"), harness.HoldHTTP(w, w.backends, http2, name+"/2"),
	}
	return func() {
		for _, h := range held {
			if err := h.End(); err != nil {
				w.Errorf("%s: %v", name, err)
			}
		}
	}
}

// idle has a connection of HTTP/1.1 served one request, and returns what makes another one on it. HAProxy keeps it for that one when
// it reloads.
func (w *web) idle() (again func()) {
	if w.proxy.Name != "haproxy" {
		return func() {}
	}
	r := w.request("/base")
	conn := r.Dial(w)
	again = func() {
		replies := harness.Exchange(conn, string(r.Text()), patience, func(*harness.HTTPReply) bool { return true })
		if replies[0].Status != http.StatusOK {
			w.Errorf("a connection that was idle meanwhile: %v", &replies[0])
		}
	}
	again()
	return again
}

// newRoute writes a route for a path, which goes from 404 to its backend with nothing between.
func (w *web) newRoute(i int) {
	w.Helper()
	name := fmt.Sprintf("new%d", i)
	if r := w.ask("/" + name); r.Status != http.StatusNotFound {
		w.Fatalf("%s before its route: %v", name, &r)
	}
	w.write("route-"+name, httpRouteManifest(name, "/"+name, "", backend{"more", 1}))
	harness.Closely(w, "the new route", patience, func() error {
		switch r := w.ask("/" + name); {
		case r.Backend() == "more":
			return nil
		case r.Status == http.StatusNotFound:
			return fmt.Errorf("not yet")
		default:
			w.Fatalf("%s on the way to its route: %v", name, &r)
			return nil
		}
	}, w.said)
}

// seesHeader returns when answers have the header.
func (w *web) seesHeader() {
	w.Helper()
	harness.Closely(w, "the new header", patience, func() error {
		r := w.ask("/base")
		if r.Status != http.StatusOK {
			w.Fatalf("on the way to a new header: %v", &r)
		}
		if got := r.Headers.Get("x-change"); w.header > 0 && got != strconv.Itoa(w.header) {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	}, w.said)
}

// httpRouteManifest is an HTTPRoute for the paths under a prefix, with filters or "".
func httpRouteManifest(name, prefix, filters string, backends ...backend) string {
	text := fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: %s}\nspec:\n  parentRefs: [{name: gw}]\n"+
		"  rules:\n  - matches: [{path: {type: PathPrefix, value: %s}}]\n%s    backendRefs:\n", name, prefix, filters)
	for _, b := range backends {
		text += fmt.Sprintf("    - {name: %s, port: %d, weight: %d}\n", b.service, port, b.weight)
	}
	return text
}
