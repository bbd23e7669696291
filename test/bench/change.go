package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// others are the numbers of other routes that changes are measured with.
var others = []int{0, 1000, 3000}

// changes is how many changes are measured of each kind.
const changes = 40

// changePort is where all backends of this part listen.
const changePort = 50051

// measureChanges measures how long it takes from writing a manifest to the first call that sees it, with
// `gatewright run`.
func measureChanges(t harness.T, proxies []harness.Proxy) {
	dir := harness.TempDir(t)
	binary := filepath.Join(dir, "gatewright")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/gatewright/gatewright/cmd/gatewright").CombinedOutput(); err != nil {
		t.Fatalf("build gatewright: %v\n%s", err, out)
	}
	rows := [][]string{{"proxy", "other routes", "change", "p50", "p99"}}
	for _, p := range proxies {
		for _, n := range others {
			scope := harness.NewScope(t)
			c := newChanging(scope, binary, p, n)
			for _, kind := range []struct {
				name   string
				change func(i int) time.Duration
			}{{"a new route", c.newRoute}, {"another backend", c.otherBackend}, {"another endpoint", c.otherEndpoint}} {
				var took []time.Duration
				for i := range changes {
					took = append(took, kind.change(i))
				}
				slices.Sort(took)
				row := []string{p.String(), fmt.Sprint(n), kind.name,
					took[len(took)/2].Round(100 * time.Microsecond).String(), took[len(took)*99/100].Round(100 * time.Microsecond).String()}
				t.Logf("%s", strings.Join(row, ", "))
				rows = append(rows, row)
			}
			scope.End()
		}
	}
	table("From the write of a manifest to the first call that sees it", rows)
}

// changing is a running gateway whose manifests change.
type changing struct {
	t        harness.T
	in       string
	address  string
	backends *harness.Backends
	client   *harness.Client
}

func newChanging(t harness.T, binary string, p harness.Proxy, n int) *changing {
	dir := harness.TempDir(t)
	c := &changing{t: t, in: filepath.Join(dir, "in"), address: harness.Address(t), backends: harness.NewBackends(t), client: harness.NewClient(t)}
	if err := os.Mkdir(c.in, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	c.write("gateway", fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  gatewayClassName: test\n"+
		"  addresses: [{value: %s}]\n  listeners: [{name: web, port: 8080, protocol: HTTP}]\n", c.address))
	c.service("a", 0)
	c.service("b", 0)
	c.route("base", "base.Service", "a")
	for i := range n {
		c.route(fmt.Sprintf("other%d", i), fmt.Sprintf("other%d.Service", i), "a")
	}
	harness.Start(t, binary, "run", "-f", c.in, "--proxy", p.Name, "--proxy-binary", p.Binary, "--state-dir", filepath.Join(dir, "state"), "--listen", "")
	c.until("base.Service", func(r harness.Reply) bool { return r.Backend() == "a" })
	return c
}

// write puts a manifest in place in one step.
func (c *changing) write(name, text string) {
	next := filepath.Join(c.in, "."+name)
	err := os.WriteFile(next, []byte(text), 0o600)
	if err == nil {
		err = os.Rename(next, filepath.Join(c.in, name+".yaml"))
	}
	if err != nil {
		c.t.Fatalf("%v", err)
	}
}

// service writes a Service with the one endpoint of a number.
func (c *changing) service(name string, endpoint int) string {
	address := c.backends.Address(name, endpoint)
	c.backends.Listen(fmt.Sprintf("default/%s:%d", name, changePort), address, changePort)
	c.write("service-"+name, harness.Service("default", name, changePort)+fmt.Sprintf(`---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: p%[2]d, port: %[2]d}]
endpoints: [{addresses: [%[3]s], conditions: {ready: true}}]
`, name, changePort, address))
	return fmt.Sprintf("%s:%d", address, changePort)
}

func (c *changing) route(name, service, backend string) {
	c.write("route-"+name, fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: %s}\nspec:\n  parentRefs: [{name: gw}]\n"+
		"  rules:\n  - matches: [{method: {service: %s}}]\n    backendRefs: [{name: %s, port: %d}]\n", name, service, backend, changePort))
}

// until calls until the reply is the one that is waited for, and says how long that took.
func (c *changing) until(service string, want func(harness.Reply) bool) time.Duration {
	start := time.Now()
	call := harness.Call{Address: c.address + ":8080", Authority: "h.test", Path: "/" + service + "/Method"}
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	var last harness.Reply
	for time.Since(start) < time.Minute {
		if last = c.client.Do(call); want(last) {
			took := time.Since(start)
			c.settle(call, want)
			return took
		}
		// A new connection each time: a worker of nginx that drains goes on answering on a busy one.
		c.client.Close()
		<-pause.C
	}
	c.t.Fatalf("%s: nothing came of a change; the last reply was %s %s", service, last.Code, strings.TrimSpace(last.Message))
	return 0
}

// settle returns when no worker of before is left that answers: when many new connections in a row are answered
// as they should.
func (c *changing) settle(call harness.Call, want func(harness.Reply) bool) {
	for good := 0; good < 100; good++ {
		c.client.Close()
		if !want(c.client.Do(call)) {
			good = 0
		}
	}
}

func (c *changing) newRoute(i int) time.Duration {
	service := fmt.Sprintf("new%d.Service", i)
	c.route("new", service, "a")
	return c.until(service, func(r harness.Reply) bool { return r.Code == codes.OK })
}

func (c *changing) otherBackend(i int) time.Duration {
	backend := []string{"b", "a"}[i%2]
	c.route("base", "base.Service", backend)
	return c.until("base.Service", func(r harness.Reply) bool { return r.Backend() == backend })
}

func (c *changing) otherEndpoint(i int) time.Duration {
	endpoint := c.service("a", 1+i%2)
	return c.until("base.Service", func(r harness.Reply) bool { return r.Echo.Endpoint == endpoint })
}
