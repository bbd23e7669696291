package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// changePort is where all backends of this part listen.
const changePort = 50051

// measureChanges measures how long it takes from writing a manifest to the first call that sees it, with
// `gatewright run`: for each number of other routes and of callers that make calls meanwhile.
func measureChanges(t harness.T, proxies []harness.Proxy, s settings) {
	binary := harness.Program(t)
	rows := [][]string{{"proxy", "other routes", "callers", "change", "changes", "p50", "p99"}}
	for _, p := range proxies {
		for _, others := range numbers(t, "-others", s.others) {
			for _, callers := range numbers(t, "-callers", s.callers) {
				scope := harness.NewScope(t)
				c := newChanging(scope, binary, p, others)
				end := c.load(callers, "base.Service")
				for _, kind := range c.kinds() {
					took := c.measure(kind, s)
					row := append([]string{p.String(), fmt.Sprint(others), fmt.Sprint(callers), kind.name, fmt.Sprint(len(took))}, percentiles(took)...)
					t.Logf("%s", strings.Join(row, ", "))
					rows = append(rows, row)
				}
				if beside := end(); beside.failed > 0 {
					t.Logf("%s beside", beside)
				}
				scope.End()
			}
		}
	}
	table("From the write of a manifest to the first call that sees it", rows)
}

// percentiles are the p50 and the p99 of sorted times.
func percentiles(took []time.Duration) []string {
	return []string{milliseconds(took[len(took)/2]), milliseconds(took[len(took)*99/100])}
}

// numbers reads a flag's list.
func numbers(t harness.T, flag, list string) []int {
	var out []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			t.Fatalf("%s %s: write numbers with commas between", flag, list)
		}
		out = append(out, n)
	}
	return out
}

// kind is a way to change something; change returns how long call number i of it took to be seen.
type kind struct {
	name   string
	change func(i int) time.Duration
	// rest is how long each change keeps from the one before.
	rest time.Duration
}

// questionPause is longer than nginx waits with its next question about a Service's endpoints after an answer. A
// change within that time would measure the wait.
const questionPause = 1500 * time.Millisecond

func (c *changing) kinds() []kind {
	return []kind{{"a new route", c.newRoute, 0}, {"another backend", c.otherBackend, 0}, {"another endpoint", c.otherEndpoint, questionPause}}
}

// measure makes changes, until there are enough or the time for them is over, and sorts what they took.
func (c *changing) measure(k kind, s settings) []time.Duration {
	var took []time.Duration
	start := time.Now()
	for i := 0; i < s.changes && (i < fewest || time.Since(start) < s.changeTime); i++ {
		<-time.After(k.rest)
		took = append(took, k.change(i))
	}
	slices.Sort(took)
	return took
}

// fewest is how many changes are made, however long they take.
const fewest = 5

// changing is a running gateway whose manifests change.
type changing struct {
	probe
	in       string
	backends *harness.Backends
}

func newChanging(t harness.T, binary string, p harness.Proxy, n int) *changing {
	dir := harness.TempDir(t)
	c := &changing{probe: newProbe(t), in: filepath.Join(dir, "in"), backends: harness.NewBackends(t)}
	if err := os.Mkdir(c.in, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	c.write("gateway", fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  "+
		"gatewayClassName: test\n"+
		"  addresses: [{value: %s}]\n  listeners: [{name: web, port: 8080, protocol: HTTP}]\n", c.address))
	c.service("a", 0)
	c.service("b", 0)
	c.route("base", "base.Service", "a")
	for i := range n {
		c.route(fmt.Sprintf("other%d", i), fmt.Sprintf("other%d.Service", i), "a")
	}
	harness.Start(t, binary, "run", "-f", c.in, "--proxy", p.Name, "--proxy-binary", p.Binary, "--state-dir", filepath.Join(dir, "state"),
		"--listen", "")
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
	c.write("route-"+name, fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: %s}\nspec:\n  "+
		"parentRefs: [{name: gw}]\n"+
		"  rules:\n  - matches: [{method: {service: %s}}]\n    backendRefs: [{name: %s, port: %d}]\n", name, service, backend, changePort))
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
	if i == 0 {
		// Whatever the changes before have left.
		c.route("base", "base.Service", "a")
		c.until("base.Service", func(r harness.Reply) bool { return r.Backend() == "a" })
	}
	endpoint := c.service("a", 1+i%2)
	return c.until("base.Service", func(r harness.Reply) bool { return r.Echo.Endpoint == endpoint })
}
