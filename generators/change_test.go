package generators_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/generators/pattern"
)

// kinds of rules that teams write, and the most lines that one more of them changes in nginx's files and in HAProxy's.
var kinds = map[string]struct {
	rule           func(i int) model.Rule
	nginx, haproxy int
}{
	"method": {func(i int) model.Rule {
		return model.Rule{Matches: []model.Match{{Path: exactly(i)}}, Backends: []model.Backend{shareOf(i, 1)}}
	}, 6, 4},
	"service": {func(i int) model.Rule {
		return model.Rule{Matches: []model.Match{{Path: model.Path{Kind: model.ServicePath, Service: service(i)}}},
			Backends: []model.Backend{shareOf(i, 1)}}
	}, 6, 4},
	"canary": {func(i int) model.Rule {
		canary := []model.ValueMatch{{Name: "x-env", Value: fmt.Sprint("canary", i)}}
		return model.Rule{Matches: []model.Match{{Path: exactly(i), Headers: canary}},
			Backends: []model.Backend{shareOf(i, 90), shareOf(i+1, 10)}}
	}, 12, 9},
	"expression and filter": {func(i int) model.Rule {
		p, err := pattern.Parse(fmt.Sprintf("u%d.*", i))
		if err != nil {
			panic(err) // It is the text above.
		}
		changed := shareOf(i, 1)
		changed.RequestHeaders = []model.HeaderChange{{Name: "x-a", Values: []string{fmt.Sprint("v", i)}}}
		return model.Rule{Matches: []model.Match{{Path: exactly(i), Headers: []model.ValueMatch{{Name: "x-user", Regex: p}}}},
			Backends: []model.Backend{changed}}
	}, 28, 15},
}

func service(i int) string { return fmt.Sprintf("shop.S%02d", i) }

func exactly(i int) model.Path {
	return model.Path{Kind: model.ExactPath, Value: "/" + service(i) + "/Get", Service: service(i), Method: "Get"}
}

func shareOf(i int, weight int32) model.Backend {
	return model.Backend{Weight: weight, Cluster: fmt.Sprintf("shop/s%d:80", i%7)}
}

// routes is a model with a route for each name, of the kinds in turn.
func routes(t *testing.T, add func(rules []*model.Rule) []*model.Rule) model.Gateways {
	t.Helper()
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	scopes := make([]model.Scope, 5)
	for i := range scopes {
		scopes[i].Hostname = fmt.Sprintf("h%d.test", i)
	}
	for i := range 20 {
		rule := kinds[names[i%len(names)]].rule(i + 10)
		rule.Source = model.Source{Kind: model.GRPCRoute, Namespace: "shop", Name: fmt.Sprintf("r%02d", i)}
		scope := &scopes[i/len(names)]
		scope.Rules = append(scope.Rules, &rule)
	}
	scopes[2].Rules = add(scopes[2].Rules)
	m := model.Gateways{Gateways: []model.Gateway{{Namespace: "shop", Name: "gw", Listeners: []model.Listener{
		{Name: "http", Port: 8080, Protocol: model.HTTP, Scopes: scopes}}}}}
	for i := range 7 {
		m.Clusters = append(m.Clusters, model.Cluster{Name: fmt.Sprintf("shop/s%d:80", i), Namespace: "shop", Service: fmt.Sprint("s", i),
			Port:      80,
			Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: int32(1000 + i)}}})
	}
	return m
}

// TestChangeShowsAsItself: one more route among others adds its own lines to the files, and moves and renames nothing but
// the generation, wherever its name comes in the alphabet.
func TestChangeShowsAsItself(t *testing.T) {
	for proxy, render := range map[string]func(model.Gateways) ([]generators.File, error){
		"nginx": func(m model.Gateways) ([]generators.File, error) {
			return nginx.New(generators.Options{}).Render(m, nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26}))
		},
		"haproxy": func(m model.Gateways) ([]generators.File, error) {
			return haproxy.New(generators.Options{}).Render(m, haproxy.CapabilitiesOf(model.Version{Major: 3}))
		},
	} {
		lines := func(add func(rules []*model.Rule) []*model.Rule) map[string][]string {
			files, err := render(routes(t, add))
			if err != nil {
				t.Fatal(err)
			}
			out := map[string][]string{}
			for _, f := range files {
				out[f.Path] = strings.Split(string(f.Data), "\n")
			}
			return out
		}
		before := lines(func(rules []*model.Rule) []*model.Rule { return rules })
		for kind, k := range kinds {
			most := map[string]int{"nginx": k.nginx, "haproxy": k.haproxy}[proxy]
			for _, name := range []string{"a", "r09x", "z"} {
				after := lines(func(rules []*model.Rule) []*model.Rule {
					rule := k.rule(77)
					rule.Source = model.Source{Kind: model.GRPCRoute, Namespace: "shop", Name: name}
					return append(slices.Clone(rules), &rule)
				})
				changed := 0
				for path := range before {
					changed += len(after[path]) - len(before[path])
					rest := after[path]
					for _, line := range before[path] {
						if strings.HasPrefix(line, "# Generation ") {
							changed += 2
							continue
						}
						i := slices.Index(rest, line)
						if i < 0 {
							t.Errorf("%s, %s %s: %s: gone or moved: %s", proxy, kind, name, path, line)
							break
						}
						rest = rest[i+1:]
					}
				}
				if len(after) != len(before) || changed > most || changed == 0 {
					t.Errorf("%s, %s %s: %d lines change in %d files, %d are enough in %d", proxy, kind, name, changed, len(after), most, len(before))
				}
			}
		}
	}
}
