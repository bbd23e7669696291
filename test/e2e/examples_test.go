package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/test/harness"
)

// example is a set of manifests as a user finds them, and calls to it.
type example struct {
	name string
	// manifests are files of testdata; upstream are files of the gateway-api module's examples folder.
	manifests, upstream []string
	// parent is the Gateway that upstream routes without a parentRef get.
	parent       string
	gatewayClass string
	services     []string
	// certificate is the Secret that the Gateway names, for the hosts.
	certificate string
	hosts       []string
	calls       []call
}

// examples are the GEP's, all of the API's own module and those of its reference page.
var examples = []example{
	{
		name: "GEP-1016", manifests: []string{"gep-1016.yaml"}, services: []string{"foo-v1"},
		calls: []call{
			{listener: "my-gateway/http", authority: "foo.com", path: "/helloworld.Greeter/SayHello", want: "Unimplemented"},
			{listener: "my-gateway/http", authority: "foo.com", path: "/helloworld.Greeter/SayHello", headers: []string{"magic: bar"},
				want: "Unimplemented"},
			{listener: "my-gateway/http", authority: "foo.com", path: "/helloworld.Greeter/Other", headers: []string{"magic: foo"},
				want: "Unimplemented"},
			{listener: "my-gateway/http", authority: "other.com", path: "/helloworld.Greeter/SayHello", headers: []string{"magic: foo"},
				want: "Unimplemented"},
		},
	},
	{
		name: "basic-grpc", upstream: []string{"basic-grpc.yaml"}, gatewayClass: "example", services: []string{"my-service1", "my-service2"},
		certificate: "example-com-cert", hosts: []string{"example.com", "other.com"},
		calls: []call{
			{listener: "my-gateway/https", authority: "example.com", path: "/com.example.User/Login", want: "my-service1"},
			{listener: "my-gateway/https", authority: "example.com:50051", path: "/com.example.User/Login", want: "my-service1"},
			{listener: "my-gateway/https", authority: "example.com", path: "/com.example.User/Logout", want: "Unimplemented"},
			{listener: "my-gateway/https", authority: "example.com", path: "/com.example.Things/DoThing", headers: []string{"magic: foo"},
				want: "my-service2"},
			{listener: "my-gateway/https", authority: "example.com", path: "/com.example.Things/DoThing", want: "Unimplemented"},
			{listener: "my-gateway/https", authority: "other.com", path: "/com.example.User/Login", want: "Unimplemented"},
		},
	},
	{
		name: "grpc-routing", gatewayClass: "example-gateway-class",
		upstream:    []string{"grpc-routing/gateway.yaml", "grpc-routing/foo-grpcroute.yaml", "grpc-routing/bar-grpcroute.yaml"},
		services:    []string{"example-svc", "foo-svc", "bar-svc", "bar-svc-canary"},
		certificate: "example-com-cert", hosts: []string{"example.com", "*.example.com"},
		calls: []call{
			{listener: "example-gateway/grpc", authority: "example.com", path: "/any.Service/Method", want: "example-svc"},
			{listener: "example-gateway/grpc", authority: "foo.example.com", path: "/com.example/Login", want: "foo-svc"},
			{listener: "example-gateway/grpc", authority: "foo.example.com", path: "/com.example/Logout", want: "Unimplemented"},
			{listener: "example-gateway/grpc", authority: "bar.example.com", path: "/any.Service/Method", want: "bar-svc"},
			{listener: "example-gateway/grpc", authority: "bar.example.com", path: "/any.Service/Method", headers: []string{"env: canary"},
				want: "bar-svc-canary"},
			{listener: "example-gateway/grpc", authority: "bar.example.com", path: "/any.Service/Method", headers: []string{"env: prod"},
				want: "bar-svc"},
			{listener: "example-gateway/grpc", authority: "baz.example.com", path: "/any.Service/Method", want: "Unimplemented"},
		},
	},
	{
		// It has the name of foo-grpcroute.yaml's route, so it stands beside the others without that one.
		name: "grpc-routing with reflection", gatewayClass: "example-gateway-class",
		upstream:    []string{"grpc-routing/gateway.yaml", "grpc-routing/reflection-grpcroute.yaml", "grpc-routing/bar-grpcroute.yaml"},
		services:    []string{"example-svc", "foo-svc", "bar-svc", "bar-svc-canary"},
		certificate: "example-com-cert", hosts: []string{"example.com", "*.example.com"},
		calls: []call{
			{listener: "example-gateway/grpc", authority: "foo.example.com", path: "/com.example.User/Login", want: "foo-svc"},
			{listener: "example-gateway/grpc", authority: "foo.example.com", path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
				want: "foo-svc"},
			{listener: "example-gateway/grpc", authority: "foo.example.com", path: "/com.example/Login", want: "Unimplemented"},
		},
	},
	{
		name: "grpc-filter", upstream: []string{"grpc-filter.yaml"}, manifests: []string{"gateway.yaml"}, parent: "gw",
		services: []string{"my-filter-svc1"},
		calls: []call{
			{listener: "gw/http", authority: "my.filter.com", path: "/any.Service/Method", want: "my-filter-svc1"},
			{listener: "gw/http", authority: "filter.com", path: "/any.Service/Method", want: "Unimplemented"},
		},
	},
	{
		name: "grpc-traffic-split-2", upstream: []string{"traffic-splitting/grpc-traffic-split-2.yaml"}, manifests: []string{"gateway.yaml"},
		parent:   "gw",
		services: []string{"foo-v1", "foo-v2"},
		calls: []call{
			{listener: "gw/http", authority: "bar.example.com", path: "/any.Service/Method", want: "Unimplemented"},
		},
	},
	{
		name: "reference page", manifests: []string{"reference-page.yaml"}, gatewayClass: "example",
		services: []string{"my-service", "my-filter-svc1", "my-service1", "my-service2", "foo-v1", "foo-v2"},
		calls: []call{
			{listener: "acme-lb/http", authority: "my.example.com", path: "/com.example.User/Login", headers: []string{"version: 2"},
				want: "my-service"},
			{listener: "acme-lb/http", authority: "my.example.com", path: "/com.example.User/Login", headers: []string{"version: 3"},
				want: "Unimplemented"},
			{listener: "acme-lb/http", authority: "my.example.com", path: "/com.example.v2.User/Login", want: "my-service"},
			{listener: "acme-lb/http", authority: "MY.Example.com:8080", path: "/com.example.v2.User/Login", want: "my-service"},
			{listener: "acme-lb/http", authority: "my.filter.com", path: "/com.example.User/Login", want: "my-filter-svc1"},
			{listener: "acme-lb/http", authority: "example.com", path: "/com.example.User/Login", want: "my-service1"},
			{listener: "acme-lb/http", authority: "example.com", path: "/com.example.Things/DoThing", headers: []string{"magic: foo"},
				want: "my-service2"},
			{listener: "acme-lb/http", authority: "example.com", path: "/com.example.Things/DoThing", want: "Unimplemented"},
		},
	},
}

func TestExamples(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		for _, e := range examples {
			t.Run(e.name, func(t *testing.T) { check(t, e.serve(t, p), e.calls) })
		}
	})
}

// TestExampleEffects looks at what the tables above can't: the filters and the weights of the examples.
func TestExampleEffects(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		t.Run("GEP-1016", func(t *testing.T) {
			e := examples[0]
			e.services = []string{"foo-v1", "foo-v2"}
			s := e.serve(t, p)
			c := call{listener: "my-gateway/http", authority: "bar.com", path: "/helloworld.Greeter/SayHello", headers: []string{"magic: foo"}}
			wantHeader(t, s.Client.Do(c.at(t, s)).Echo.Metadata, "my-header", "foo")
			wantShares(t, s, c, 2000, map[string]float64{"foo-v1": 0.9, "foo-v2": 0.1}, 0.03)
		})
		t.Run("grpc-filter", func(t *testing.T) {
			s := exampleNamed(t, "grpc-filter").serve(t, p)
			c := call{listener: "gw/http", authority: "my.filter.com", path: "/any.Service/Method", headers: []string{"my-header: mine"}}
			wantHeader(t, s.Client.Do(c.at(t, s)).Echo.Metadata, "my-header", "mine", "foo")
		})
		for _, name := range []string{"grpc-traffic-split-2", "reference page"} {
			t.Run(name, func(t *testing.T) {
				e := exampleNamed(t, name)
				s := e.serve(t, p)
				c := call{listener: e.calls[0].listener, authority: "foo.example.com", path: "/any.Service/Method"}
				wantShares(t, s, c, 2000, map[string]float64{"foo-v1": 0.9, "foo-v2": 0.1}, 0.03)
			})
		}
	})
}

// draftGateway is the Gateway that it is for.
const draftGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: my-gateway}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, protocol: HTTP, port: 80}]
`

// TestExampleDraft: the example of the GEP's first draft, with all that it has.
func TestExampleDraft(t *testing.T) {
	route, err := os.ReadFile("../../deploy/draft/route.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifests := strings.Join([]string{draftGateway, string(route), services("foo-v1", "foo-v2", "mirror-svc")}, "---\n")
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		got := &copies{begun: map[string]int{}, messages: map[string]int{}}
		backends := harness.NewBackends(t)
		backends.OnCall(func(e *harness.Echo, ended bool) {
			if !ended {
				got.add(e.Backend, 0, nil)
			}
		})
		s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{Backends: backends})
		hello := call{listener: "my-gateway/http", authority: "foo.com", path: "/helloworld.Greeter/SayHello", headers: []string{"magic: foo"}}
		wantShares(t, s, hello, 1000, map[string]float64{"foo-v1": 0.9, "foo-v2": 0.1}, 0.02)
		harness.Until(t, "copy each call", harness.DefaultTimeout, func() error {
			got.mu.Lock()
			defer got.mu.Unlock()
			if n := got.begun; n["mirror-svc"] != n["foo-v1"]+n["foo-v2"] {
				return fmt.Errorf("%v", n)
			}
			return nil
		}, func() string { return "" })
		if header := s.Client.Do(hello.at(t, s)).Echo.Metadata.Get("my-header"); !slices.Equal(header, []string{"foo"}) {
			t.Errorf("my-header is %q", header)
		}
		// CANCELLED is sent again three times, NOT_FOUND isn't.
		for code, tries := range map[string]int{"1": 4, "5": 1} {
			before := foo(got)
			failing := hello.at(t, s)
			failing.Metadata.Set(harness.AskStatus, code)
			s.Client.Do(failing)
			if n := foo(got) - before; n != tries {
				t.Errorf("status %s: %d tries, want %d", code, n, tries)
			}
		}
		check(t, s, []call{{listener: "my-gateway/http", authority: "foo.com", path: "/helloworld.Greeter/SayHello", want: "Unimplemented"}})
	})
}

// foo is how many calls came to the backends of the example.
func foo(c *copies) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun["foo-v1"] + c.begun["foo-v2"]
}

func exampleNamed(t *testing.T, name string) example {
	t.Helper()
	i := slices.IndexFunc(examples, func(e example) bool { return e.name == name })
	if i < 0 {
		t.Fatalf("no example %q", name)
	}
	return examples[i]
}

// TestNoUpstreamExampleIsLeftOut finds the module's gRPC examples and wants each in the table.
func TestNoUpstreamExampleIsLeftOut(t *testing.T) {
	root := upstreamExamples(t)
	var used []string
	for _, e := range examples {
		used = append(used, e.upstream...)
	}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if strings.Contains(string(text), "kind: GRPCRoute") && !slices.Contains(used, filepath.ToSlash(name)) {
			t.Errorf("the gateway-api module's examples/standard/%s has a GRPCRoute and is in no test", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// upstreamExamples is the folder of the gateway-api module's examples.
func upstreamExamples(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatalf("where the gateway-api module is: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "examples", "standard")
}

func (e example) serve(t *testing.T, p harness.Proxy) *harness.Served {
	t.Helper()
	manifests := []string{services(e.services...)}
	for _, name := range e.manifests {
		manifests = append(manifests, read(t, name))
	}
	for _, name := range e.upstream {
		text, err := os.ReadFile(filepath.Join(upstreamExamples(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if e.parent != "" {
			text = withParent(t, text, e.parent)
		}
		manifests = append(manifests, string(text))
	}
	if e.certificate != "" {
		manifests = append(manifests, harness.Secret("default", e.certificate, harness.Certificate(t, e.hosts...)))
	}
	return harness.Serve(t, p, harness.Load(t, e.gatewayClass, manifests...), harness.Options{})
}

// withParent attaches the one route of a manifest to a Gateway.
func withParent(t *testing.T, text []byte, gateway string) []byte {
	t.Helper()
	var route map[string]any
	if err := yaml.Unmarshal(text, &route); err != nil {
		t.Fatal(err)
	}
	spec, ok := route["spec"].(map[string]any)
	if !ok {
		t.Fatalf("not a route:\n%s", text)
	}
	spec["parentRefs"] = []any{map[string]any{"name": gateway}}
	text, err := yaml.Marshal(route)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
