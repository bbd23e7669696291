package nginx_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// small is a model that shows most of what is rendered.
func small(t *testing.T) model.Gateways {
	w := &world{t: t}
	w.model.Clusters = []model.Cluster{
		{Name: "shop/cart:80", Namespace: "shop", Service: "cart", Port: 80,
			Endpoints: []model.Endpoint{{Address: "10.0.0.1", Port: 8080}, {Address: "fd00::1", Port: 8080}}},
		{Name: "shop/next:80", Namespace: "shop", Service: "next", Port: 80, Endpoints: []model.Endpoint{{Address: "next.shop.svc", Port: 80}}},
		{Name: "shop/none:80", Namespace: "shop", Service: "none", Port: 80},
	}
	w.model.KeyPairs = []model.KeyPair{{Name: "shop-tls", Certificate: []byte("certificate\n"), Key: []byte("key\n"),
		Hostnames: []string{"shop.example.com"}}}
	share := func(name string, weight int32) model.Backend {
		return model.Backend{Weight: weight, Cluster: "shop/" + name + ":80"}
	}
	canary := share("next", 1)
	canary.RequestHeaders = []model.HeaderChange{{Name: "x-price", Values: []string{"$5; # \"cheap\""}}}
	canary.ResponseHeaders = []model.HeaderChange{{Name: "x-old"}, {Name: "x-via", Keep: true, Values: []string{"shop"}}}
	rules := []*model.Rule{
		w.rule(model.Match{Path: path("shop.Cart", "Add"), Headers: []model.ValueMatch{{Name: "x-env", Value: "canary"}}}, canary),
		w.rule(model.Match{Path: path("shop.Cart", "Add"), Headers: []model.ValueMatch{{Name: "x-user", Regex: regex(t, "test-[0-9]+")}}},
			share("next", 1)),
		w.rule(model.Match{Path: path("shop.Cart", "Add")}, share("cart", 90), share("next", 10)),
		w.rule(model.Match{Path: model.Path{Kind: model.ServicePath, Service: "shop.Cart"}}, share("cart", 1)),
		w.rule(model.Match{}, share("none", 1)),
	}
	w.model.Gateways = []model.Gateway{{Namespace: "shop", Name: "front"}}
	scopes := []model.Scope{{Rules: rules[4:]}, {Hostname: "*.example.com", Rules: rules[:4]}}
	w.listener(model.Listener{Name: "http", Port: 8080, Protocol: model.HTTP, Scopes: scopes})
	w.listener(model.Listener{Name: "shop", Port: 8443, Protocol: model.HTTPS, Hostname: "shop.example.com", KeyPairs: []string{"shop-tls"},
		Scopes: scopes})
	w.listener(model.Listener{Name: "wide", Port: 8443, Protocol: model.HTTPS, Hostname: "*.example.com", KeyPairs: []string{"shop-tls"},
		Scopes: scopes})
	return w.model
}

func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		version model.Version
		options generators.Options
	}{
		"full-1.22":    {model.Version{Major: 1, Minor: 22, Patch: 1}, generators.Options{Marker: "/run/gatewright/nginx.sock"}},
		"include-1.30": {model.Version{Major: 1, Minor: 30}, generators.Options{Layout: generators.LayoutInclude, Folder: "gatewright"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", "golden", name)
			files := render(t, small(t), nginx.CapabilitiesOf(c.version), c.options)
			seen := map[string]bool{}
			for _, f := range files {
				file := filepath.Join(dir, filepath.FromSlash(f.Path))
				seen[file] = true
				if *update {
					if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(file, f.Data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if string(want) != string(f.Data) {
					t.Errorf("%s differs; look at it and run the test with -update", file)
				}
				if f.Secret != strings.HasSuffix(f.Path, ".key") {
					t.Errorf("%s: Secret is %t", f.Path, f.Secret)
				}
			}
			err := filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() && !seen[file] {
					t.Errorf("%s isn't rendered any more", file)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTemplates(t *testing.T) {
	own := fstest.MapFS{"nginx/settings.conf.tmpl": {Data: []byte("# my own for {{.Version}}\n")}}
	files := render(t, small(t), nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26}), generators.Options{Templates: own})
	found := false
	for _, f := range files {
		if f.Path == "settings.conf" {
			found = string(f.Data) == "# my own for 1.26.0\n"
		}
	}
	if !found {
		t.Error("settings.conf doesn't come from the override")
	}
	own["nginx/setings.conf.tmpl"] = &fstest.MapFile{}
	_, err := nginx.New(generators.Options{Templates: own}).Render(model.Gateways{}, nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26}))
	if err == nil || !strings.Contains(err.Error(), "nginx/setings.conf.tmpl") {
		t.Errorf("an override of no template: %v", err)
	}
}

// TestGeneration: every change of any file is another generation, and all files name the same one.
func TestGeneration(t *testing.T) {
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26})
	generation := func(g model.Gateways) string {
		t.Helper()
		seen := ""
		for _, f := range render(t, g, caps, generators.Options{Marker: "/m"}) {
			_, rest, ok := strings.Cut(string(f.Data), "# Generation ")
			if !ok {
				continue
			}
			line, _, _ := strings.Cut(rest, "\n")
			if len(line) != 64 || seen != "" && seen != line {
				t.Fatalf("%s has the generation %q, another file %q", f.Path, line, seen)
			}
			seen = line
		}
		return seen
	}
	a, b := small(t), small(t)
	b.KeyPairs[0].Key = []byte("another\n")
	if generation(a) == generation(b) {
		t.Error("another key is the same generation")
	}
}

func TestRefused(t *testing.T) {
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26})
	for name, c := range map[string]struct {
		match model.Match
		want  string
	}{
		"query":       {model.Match{Query: []model.ValueMatch{{Name: "q", Value: "1"}}}, `conditions on query "q"`},
		"header name": {model.Match{Headers: []model.ValueMatch{{Name: "a.b", Value: "1"}}}, `header "a.b"`},
		"long value":  {model.Match{Headers: []model.ValueMatch{{Name: "a", Value: strings.Repeat("x", 5000)}}}, "at most 4090"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t}
			w.model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw"}}
			w.listener(model.Listener{Name: "l", Port: 80, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{w.rule(c.match)}}}})
			_, err := nginx.New(generators.Options{}).Render(w.model, caps)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
