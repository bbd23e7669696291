package haproxy_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/test/harness"
)

// httpRule is a rule of an HTTPRoute for a prefix.
func httpRule(n int, prefix string, b model.Backend) *model.Rule {
	b.Weight = 1
	return &model.Rule{Source: model.Source{Kind: model.HTTPRoute, Namespace: "ns", Name: "http", Rule: n}, Backends: []model.Backend{b},
		Matches: []model.Match{{Path: model.Path{Kind: model.PrefixPath, Value: prefix}}}}
}

// web makes a Service for HTTPRoutes, with one endpoint.
func (c *changing) web(name string, protocol model.BackendProtocol) string {
	cluster := model.Cluster{Name: fmt.Sprintf("ns/%s:80/%s", name, protocol), Namespace: "ns", Service: name, Port: 80, Protocol: protocol}
	a := c.backends.Address(name, 0)
	c.backends.ListenHTTP("default/"+name+":80", a, 8080)
	cluster.Endpoints = []model.Endpoint{{Address: a, Port: 8080}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.model.Clusters = append(c.model.Clusters, cluster)
	return cluster.Name
}

// TestUpdateHTTP: what HTTPRoutes ask for comes and changes without a reload, the first one beside GRPCRoutes too.
func TestUpdateHTTP(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		c.apply()
		client := harness.NewHTTPClient(s)
		get := func(path string, headers ...string) harness.HTTPReply {
			return client.Do(harness.HTTPRequest{Address: net.JoinHostPort(c.address, fmt.Sprint(plainPort)), Method: "GET", Host: "web.test",
				Target: path, Headers: headers})
		}
		serve := func(rules ...*model.Rule) {
			c.scopes = []model.Scope{{Hostname: "web.test", Rules: rules}}
			c.rules(rule(1, "third.Service", backendOf("third", 1)))
			c.apply()
		}
		if r := get("/a/b"); r.Headers.Get("grpc-status") != "12" {
			c.Fatalf("before any HTTPRoute: %v", &r)
		}
		one, two := model.Backend{Cluster: c.web("one", model.BackendHTTP1)}, model.Backend{Cluster: c.web("two", model.BackendH2C)}
		all := httpRule(0, "/a", one)
		serve(all)
		if r := get("/a/b"); r.Echo.Service() != "one" || r.Echo.Target != "/a/b" {
			c.Fatalf("the first HTTPRoute: %v", &r)
		}
		two.Rewrite = &model.Rewrite{Hostname: "new.test", Path: &model.PathChange{Prefix: "/a/b", Value: "/new/"}}
		two.CORS = &model.CORS{AllowOrigins: []string{"https://*.origin.test"}, MaxAge: 5}
		serve(all, httpRule(1, "/a/b", two))
		if r := get("/a/b/c?d", "origin", "https://an.origin.test"); r.Echo.Service() != "two" || r.Echo.Target != "/new/c?d" ||
			r.Echo.Host != "new.test" || r.Headers.Get("access-control-allow-origin") != "https://an.origin.test" {
			c.Fatalf("a longer prefix with a rewrite and CORS: %v", &r)
		}
		late := one
		late.Timeouts.Request = 50 * time.Millisecond
		posts := httpRule(2, "/a/b", late)
		posts.Matches[0].Method = "GET"
		serve(all, httpRule(1, "/a/b", two), posts)
		if r := get("/a/b/c", harness.AskMode, harness.ModeHang); r.Status != 504 {
			c.Fatalf("a method goes first, and its timeout holds: %v", &r)
		}
		serve(httpRule(3, "/a", model.Backend{Redirect: &model.Redirect{Code: 307, Scheme: "https"}}))
		if r := get("/a/b?c"); r.Status != 307 || r.Headers.Get("location") != "https://web.test/a/b?c" {
			c.Fatalf("a redirect: %v", &r)
		}
		serve(httpRule(3, "/ab", one))
		if r := get("/a/b"); r.Status != 404 {
			c.Fatalf("a prefix that is gone: %v", &r)
		}
		c.sees(c.call("third.Service"), from("third"))
		if c.ways[apply.Reloaded] != 1 {
			c.Errorf("%d reloads, want the first start only: %v", c.ways[apply.Reloaded], c.ways)
		}
	})
}
