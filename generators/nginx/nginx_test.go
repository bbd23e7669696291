package nginx_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

func TestRefused(t *testing.T) {
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26})
	for name, c := range map[string]struct {
		match model.Match
		want  string
	}{
		"long query":  {model.Match{Query: []model.ValueMatch{{Name: "q", Value: strings.Repeat("x", 500)}}}, `query parameter "q": it takes`},
		"header name": {model.Match{Headers: []model.ValueMatch{{Name: "a.b", Value: "1"}}}, `header "a.b"`},
		"long value":  {model.Match{Headers: []model.ValueMatch{{Name: "a", Value: strings.Repeat("x", 5000)}}}, "at most 4090"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world.World{}
			w.Model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw"}}
			w.Listener(model.Listener{Name: "l", Port: 80, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{w.Rule(c.match)}}}})
			_, err := nginx.New(generators.Options{}).Render(w.Model, caps)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestLongPaths: a path that nginx can't read with what stands beside it in a token is refused, however near to the limit.
func TestLongPaths(t *testing.T) {
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26})
	token := regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
	for dollars := 330; dollars < 345; dollars++ {
		for _, end := range []string{"", "a", "aaaa", "aaaaaaa", "/"} {
			path := model.PathChange{Prefix: "/p", Value: "/" + strings.Repeat("$", dollars) + end}
			whole := model.PathChange{Whole: true, Value: path.Value}
			for name, b := range map[string]model.Backend{
				"redirect":          {Redirect: &model.Redirect{Code: 302, Hostname: "a.test", Path: &path}},
				"whole redirect":    {Redirect: &model.Redirect{Code: 302, Scheme: "https", Port: 8443, Path: &whole}},
				"rewrite":           {Cluster: "ns/one/80", Handling: model.Handling{Rewrite: &model.Rewrite{Path: &path}}},
				"rewrite of it all": {Cluster: "ns/one/80", Handling: model.Handling{Rewrite: &model.Rewrite{Path: &whole}}},
			} {
				w := &world.World{}
				w.Model.Clusters = []model.Cluster{{Name: "ns/one/80", Namespace: "ns", Service: "one", Port: 80, Protocol: model.BackendHTTP1,
					Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: 80}}}}
				w.Model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw"}}
				b.Weight = 1
				r := w.Rule(model.Match{Path: model.Path{Kind: model.PrefixPath, Value: "/p"}})
				r.Source.Kind, r.Backends, r.Status = model.HTTPRoute, []model.Backend{b}, nil
				w.Listener(model.Listener{Name: "l", Port: 80, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{r}}}})
				files, err := nginx.New(generators.Options{}).Render(w.Model, caps)
				if err != nil && !strings.Contains(err.Error(), "at most 4090") {
					t.Fatal(err)
				}
				for _, f := range files {
					for _, text := range token.FindAllString(string(f.Data), -1) {
						if len(text) > 4090 {
							t.Errorf("%s, %d dollars and %q: %s has a token of %d bytes", name, dollars, end, f.Path, len(text))
						}
					}
				}
			}
		}
	}
}

// TestDeepHostnames: a chain of scopes longer than nginx lets variables ask for each other.
func TestDeepHostnames(t *testing.T) {
	world.Each(t, "nginx", func(t *testing.T, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("one", 1)
		scopes := []model.Scope{{Rules: []*model.Rule{w.Rule(model.Match{Path: world.Path("a.B", "Get")}, world.To("one"))}}}
		name := "z"
		for i := range 110 {
			header := []model.ValueMatch{{Name: "x-a", Value: "1"}}
			scopes = append(scopes, model.Scope{Hostname: "*." + name, Rules: []*model.Rule{
				w.Rule(model.Match{Path: world.Path("a.B", "Get"), Headers: header}),
				w.Rule(model.Match{Path: model.Path{Kind: model.ServicePath, Service: fmt.Sprintf("s.S%d", i)}}),
				w.Rule(model.Match{Path: model.Path{Kind: model.MethodPath, Method: fmt.Sprintf("M%d", i)}}),
				w.Rule(model.Match{Headers: header}),
			}})
			name = "a." + name
		}
		w.Serve(scopes...)
		process := w.Start(p)
		r := harness.NewClient(t).Do(world.Host(w.Call("/a.B/Get"), name))
		if r.Backend() != "ns/one" {
			t.Errorf("got %s %q", r.Backend(), r.Message)
		}
		if strings.Contains(process.Log(), "cycle") {
			t.Error("nginx gave up asking for variables")
		}
	})
}

// TestDeepPrefixes: a scope with more steps than nginx lets variables ask for each other, which cost no other scope
// anything.
func TestDeepPrefixes(t *testing.T) {
	redirected := func(w *world.World, place string, m model.Match) *model.Rule {
		r := w.Rule(m)
		r.Source.Kind = model.HTTPRoute
		r.Backends, r.Status = []model.Backend{{Weight: 1, Redirect: &model.Redirect{Code: 302, Scheme: "http", Hostname: place}}}, nil
		return r
	}
	world.Each(t, "nginx", func(t *testing.T, p harness.Proxy) {
		w := world.New(t)
		header := []model.ValueMatch{{Name: "x-a", Value: "1"}}
		deep := model.Scope{Hostname: "deep.test"}
		path := ""
		for i := range 60 {
			path += "/a"
			deep.Rules = append(deep.Rules, redirected(w, fmt.Sprintf("depth%d", i+1),
				model.Match{Path: model.Path{Kind: model.PrefixPath, Value: path}, Headers: header}))
		}
		wide := model.Scope{Hostname: "*.test", Rules: []*model.Rule{redirected(w, "wide", model.Match{})}}
		w.Serve(deep, wide)
		process := w.Start(p)
		client := harness.NewHTTPClient(t)
		for _, c := range []struct{ host, path, value, want string }{
			{"deep.test", path + "/b", "1", "depth60"}, {"deep.test", "/a/b", "1", "depth1"}, {"deep.test", path, "2", "wide"},
			{"other.test", path, "1", "wide"},
		} {
			r := client.Do(harness.HTTPRequest{Address: w.Call("/").Address, Host: c.host, Target: c.path, Headers: harness.Fields{"x-a", c.value}})
			if got := r.Headers.Get("location"); got != "http://"+c.want+c.path {
				t.Errorf("%s %s: got %v to %q, want %s", c.host, c.path, &r, got, c.want)
			}
		}
		if strings.Contains(process.Log(), "cycle") {
			t.Error("nginx gave up asking for variables")
		}
	})
}
