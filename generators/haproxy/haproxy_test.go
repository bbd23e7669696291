package haproxy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// render renders a model in the full layout, twice: the bytes have to be the same.
func render(t testing.TB, g model.Gateways, caps model.Capabilities, o generators.Options) []generators.File {
	t.Helper()
	return world.Render(t, func(o generators.Options) generators.Generator { return haproxy.New(o) }, o, g, caps)
}

// TestTooLong: what doesn't fit in a line is an error that names the rule, and no reason for others not to be served.
func TestTooLong(t *testing.T) {
	w := &world.World{}
	w.Model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw"}}
	w.Model.Clusters = []model.Cluster{{Name: "one", Protocol: model.BackendHTTP1,
		Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: 1}}}}
	var m model.Match
	for i := range 10 {
		m.Headers = append(m.Headers, model.ValueMatch{Name: "x-" + strconv.Itoa(i), Regex: world.Regex(t, strings.Repeat("a", 2000))})
	}
	cors := model.CORS{AllowOrigins: []string{"*"}}
	for i := range 60 {
		cors.AllowHeaders = append(cors.AllowHeaders, strings.Repeat("a", 200)+strconv.Itoa(i))
	}
	page := w.Rule(model.Match{Path: model.Path{Kind: model.ExactPath, Value: "/"}})
	page.Source.Kind, page.Status = model.HTTPRoute, nil
	page.Backends = []model.Backend{{Weight: 1, Cluster: "one", Handling: model.Handling{CORS: &cors}}}
	rules := []*model.Rule{w.Rule(m), page}
	w.Listener(model.Listener{Name: "l", Port: 80, Protocol: model.HTTP, Scopes: []model.Scope{
		{Hostname: "a.test", Rules: rules[:1]}, {Hostname: "b.test", Rules: rules[1:]},
	}})
	_, err := haproxy.New(generators.Options{}).Render(w.Model, haproxy.CapabilitiesOf(model.Version{Major: 3}))
	var refused generators.Refusals
	if !errors.As(err, &refused) || len(refused) != 2 {
		t.Fatalf("got %v", err)
	}
	for _, r := range rules {
		if !slices.ContainsFunc(refused, func(x generators.Refused) bool { return *x.Rule == r.Source }) {
			t.Errorf("%s isn't named by: %v", &r.Source, err)
		}
	}
}

// TestDeadEndpoint: one of two endpoints refuses connections. HAProxy 3.1 and later takes a refused HTTP/2
// connection for a failed answer, which is never tried again, for the endpoint may have seen the call: there
// two calls may fail before the endpoint is left.
func TestDeadEndpoint(t *testing.T) {
	world.Each(t, "haproxy", func(t *testing.T, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("half", 1)
		c := &w.Model.Clusters[0]
		c.Endpoints = append(c.Endpoints, model.Endpoint{Address: harness.Address(t), Port: 1})
		w.Serve(model.Scope{Rules: []*model.Rule{w.Rule(model.Match{}, world.To("half"))}})
		w.Start(p)
		client, failed := harness.NewClient(t), 0
		for range 200 {
			if r := client.Do(w.Call("/a.B/Get")); r.Backend() != "ns/half" {
				failed++
			}
		}
		most := 0
		if p.Capabilities.Version.AtLeast(3, 1, 0) {
			most = 2
		}
		if failed > most {
			t.Errorf("%d of 200 calls failed, at most %d may", failed, most)
		}
	})
}

// TestMoves: a rendered folder can be moved, started from anywhere, and warns of nothing.
func TestMoves(t *testing.T) {
	g := world.Small(t)
	pair := harness.Certificate(t, "shop.example.com")
	g.KeyPairs[0].Certificate, g.KeyPairs[0].Key = pair.Certificate, pair.Key
	g.Clusters[1].Endpoints[0].Address = "localhost"
	world.Each(t, "haproxy", func(t *testing.T, p harness.Proxy) {
		from := world.Write(t, render(t, g, p.Capabilities, generators.Options{Marker: "/tmp/m"}))
		dir := filepath.Join(harness.TempDir(t), "moved")
		if err := os.Rename(from, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(from, 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(p.Binary, "-c", "-f", filepath.Join(dir, "haproxy.cfg")).CombinedOutput()
		if err != nil || strings.Contains(string(out), "WARNING") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}
