package run

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// webManifest is a GRPCRoute whose calls pages of an origin may make.
func webManifest(name, service, origin string) string {
	return strings.Replace(routeManifest(name, service, backend{"first", 1}), fmt.Sprintf("metadata: {name: %s}", name), fmt.Sprintf(
		"metadata: {name: %s, annotations: {gatewright.io/grpc-web: enabled, gatewright.io/grpc-web-origins: %q}}", name, origin), 1)
}

// webPage is what a page of an origin gets of a call, on a connection of its own.
func (g *gateway) webPage(method, service, origin string) harness.HTTPReply {
	g.Helper()
	client := harness.NewHTTPClient(g)
	defer client.Close()
	r := harness.HTTPRequest{Address: g.address + ":8080", Host: "h.test", Target: "/" + service + "/Method", Method: method, Timeout: patience,
		Headers: harness.Fields{"origin", origin}}
	if method == "OPTIONS" {
		r.Headers = append(r.Headers, "access-control-request-method", "POST", "access-control-request-headers", "content-type,x-grpc-web")
	} else {
		r.Headers = append(r.Headers, "content-type", "application/grpc-web+proto", "x-grpc-web", "1")
		r.Body = []byte("\x00\x00\x00\x00\x00")
	}
	return client.Do(r)
}

// webAnswers waits until pages of an origin may ask and are answered, or may not.
func (g *gateway) webAnswers(service, origin string, may bool) {
	g.Helper()
	want := ""
	if may {
		want = origin
	}
	g.until(fmt.Sprintf("have pages of %s call %s: %t", origin, service, may), func() error {
		asked, called := g.webPage("OPTIONS", service, origin), g.webPage("POST", service, origin)
		body := string(called.Body)
		served := strings.Contains(body, `"default/first:50051"`) && strings.Contains(body, "grpc-status: 0\r\n")
		if asked.Headers.Get("access-control-allow-origin") != want || called.Headers.Get("access-control-allow-origin") != want ||
			may && !served {
			return fmt.Errorf("asked: %v %v; called: %v %v", &asked, asked.Headers, &called, called.Headers)
		}
		return nil
	})
}

// TestGRPCWebComes: the first route that takes gRPC-Web comes, changes and goes while others are called, and another one of a new Service
// is served too.
func TestGRPCWebComes(t *testing.T) {
	const one, other = "https://one.example", "https://other.example"
	each(t, func(g *gateway) {
		if !g.proxy.Capabilities.Has(model.FeatureHTTP1Shared) {
			g.write("route-pages", webManifest("pages", "pages.Service", one))
			g.status("no browser speaks HTTP/2 in cleartext", "attach the route to listeners with protocol HTTPS only")
			return
		}
		g.route("pages", "pages.Service", backend{"first", 1})
		g.answers("pages.Service", "first")
		calls := g.callAlways("base.Service", 3)
		g.write("route-pages", webManifest("pages", "pages.Service", one))
		g.webAnswers("pages.Service", one, true)
		g.webAnswers("pages.Service", other, false)
		g.answers("pages.Service", "first")
		for range 3 {
			g.write("route-pages", webManifest("pages", "pages.Service", other))
			g.webAnswers("pages.Service", other, true)
			g.webAnswers("pages.Service", one, false)
			g.write("route-pages", webManifest("pages", "pages.Service", one))
			g.webAnswers("pages.Service", one, true)
		}
		g.write("route-more", webManifest("more", "more.Service", other))
		g.webAnswers("more.Service", other, true)
		g.webAnswers("pages.Service", one, true)
		g.remove("route-more")
		g.route("pages", "pages.Service", backend{"first", 1})
		g.webAnswers("pages.Service", one, false)
		g.answers("pages.Service", "first")
		calls.more(g, 20)
		close(calls.stop)
		calls.all.Wait()
		if n := calls.failed.Load(); n > 0 {
			g.Errorf("%d calls failed, the last with %v", n, calls.last.Load())
		}
	})
}
