package nginx

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// checkName fails unless a name is one that DNS and nginx take.
func checkName(t *testing.T, name string) {
	t.Helper()
	if len("_grpc._tcp.")+len(name) > 253 {
		t.Errorf("%q is %d bytes long", name, len(name))
	}
	for l := range strings.SplitSeq(name, ".") {
		if len(l) > 63 || !dnsLabel.MatchString(l) {
			t.Errorf("%q: the label %q isn't valid", name, l)
		}
	}
}

func TestEndpointsName(t *testing.T) {
	name := EndpointsName(&model.Cluster{Name: "shop/cart/80", Namespace: "shop", Service: "cart", Port: 80})
	if want := "c32837b742fb6486e1e92.cart.shop.gatewright"; name != want {
		t.Errorf("the name is %s, want %s: a name that changes starts empty", name, want)
	}
	seen := map[string]string{}
	for _, c := range []model.Cluster{
		{Name: "a/b/1", Namespace: "a", Service: "b"},
		{Name: "a/b/1/tls", Namespace: "a", Service: "b"},
		{Name: "a-b/c/1", Namespace: "a-b", Service: "c"},
		{Name: "a/b-c/1", Namespace: "a", Service: "b-c"},
		{Name: "A/B/1", Namespace: "A", Service: "B"},
		{Name: "", Namespace: "", Service: ""},
		{Name: "x", Namespace: "---", Service: "ünï.cödé"},
		{Name: "long", Namespace: strings.Repeat("n", 63), Service: strings.Repeat("s-", 40)},
	} {
		name := EndpointsName(&c)
		checkName(t, name)
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q are both %s", c.Name, other, name)
		}
		seen[name] = c.Name
	}
}

func FuzzEndpointsName(f *testing.F) {
	f.Add("shop/cart/80", "shop", "cart")
	f.Add("a.b/-/1", "a.b", "-")
	f.Fuzz(func(t *testing.T, name, namespace, service string) {
		checkName(t, EndpointsName(&model.Cluster{Name: name, Namespace: namespace, Service: service}))
	})
}

// resolved is a model with two clusters, and one whose endpoint is a name.
func resolved(first ...model.Endpoint) model.Gateways {
	return model.Gateways{Clusters: []model.Cluster{
		{Name: "a/dns/80", Namespace: "a", Service: "dns", Port: 80, Endpoints: []model.Endpoint{{Address: "dns.a.svc", Port: 80}}},
		{Name: "a/one/80", Namespace: "a", Service: "one", Port: 80, Endpoints: first},
		{Name: "a/two/80", Namespace: "a", Service: "two", Port: 80},
	}}
}

func rendered(t *testing.T, o generators.Options, version model.Version, m model.Gateways) map[string][]byte {
	t.Helper()
	files, err := New(o).Render(m, CapabilitiesOf(version))
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string][]byte{}
	for _, f := range files {
		byPath[f.Path] = f.Data
	}
	return byPath
}

func TestResolve(t *testing.T) {
	o := generators.Options{Resolver: "127.0.0.1:5353"}
	now := model.Version{Major: 1, Minor: 30}
	few := rendered(t, o, now, resolved(model.Endpoint{Address: "10.0.0.1", Port: 80}))
	text := string(few["upstreams.conf"])
	for _, want := range []string{
		"resolver 127.0.0.1:5353;", "resolver_timeout 30s;", "zone gatewright 64m;", "server dns.a.svc:80 ",
		"server " + EndpointsName(&model.Cluster{Name: "a/one/80", Namespace: "a", Service: "one"}) + " service=grpc resolve ",
		"upstream gw_81c9459a_a_two_80 {",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "10.0.0.1") {
		t.Errorf("an endpoint is in\n%s", text)
	}
	many := rendered(t, o, now, resolved(model.Endpoint{Address: "10.0.0.2", Port: 81}, model.Endpoint{Address: "fd00::1", Port: 80}))
	for path, data := range few {
		if !bytes.Equal(data, many[path]) {
			t.Errorf("%s changes with the endpoints", path)
		}
	}
	unlearnt := resolved(model.Endpoint{Address: "10.0.0.1", Port: 80})
	unlearnt.Clusters[1].Unlearnt = true
	text = string(rendered(t, o, now, unlearnt)["upstreams.conf"])
	for _, want := range []string{"server 10.0.0.1:80 ", "server " + EndpointsName(&unlearnt.Clusters[1]) + " service=grpc resolve "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q for a cluster that nginx has yet to learn, in\n%s", want, text)
		}
	}
	// Without the feature, or the address, the files hold the endpoints.
	for what, files := range map[string]map[string][]byte{
		"1.26":        rendered(t, o, model.Version{Major: 1, Minor: 26, Patch: 3}, resolved(model.Endpoint{Address: "10.0.0.1", Port: 80})),
		"no resolver": rendered(t, generators.Options{}, now, resolved(model.Endpoint{Address: "10.0.0.1", Port: 80})),
	} {
		text := string(files["upstreams.conf"])
		if !strings.Contains(text, "server 10.0.0.1:80 ") || strings.Contains(text, "resolve") || strings.Contains(text, "zone") {
			t.Errorf("%s:\n%s", what, text)
		}
	}
	for _, bad := range []string{"localhost:53", "127.0.0.1", "127.0.0.1:53; include x", "[fe80::1%lo]:53"} {
		if _, err := New(generators.Options{Resolver: bad}).Render(resolved(), CapabilitiesOf(now)); err == nil {
			t.Errorf("the resolver %q is taken", bad)
		}
	}
}

func TestZoneSize(t *testing.T) {
	for n, want := range map[int]string{0: "64m", 8000: "64m", 9000: "256m", 40000: "1024m"} {
		if got := zoneSize([]model.Cluster{{Endpoints: make([]model.Endpoint, n)}}); got != want {
			t.Errorf("%d endpoints: %s, want %s", n, got, want)
		}
	}
}
