package hostile

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

// TestExpressionsTogether: no call has a proxy reckon for long, whatever expressions it is asked: as many as a call may be
// asked, each for a value that it can't be done with. Others are served, and so is the caller (R41).
func TestExpressionsTogether(t *testing.T) {
	manifests := []string{liveGateway, harness.Service("default", "one", 50051), harness.Service("default", "rest", 50051)}
	for _, c := range adversary.Costly {
		var matches []string
		for i := range 64 {
			header, regex := fmt.Sprintf("x-%s-%d", c.Name, i), c.Regex
			if c.Name == "long" {
				header, regex = "x-long", c.Regex+fmt.Sprintf("x{0,%d}", i+1)
			}
			matches = append(matches, fmt.Sprintf(`{method: {service: s.%s}, headers: [{name: %s, type: RegularExpression, value: %q}]}`, c.Name,
				header, regex))
		}
		manifests = append(manifests, fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: %[1]s}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [%[2]s]
    backendRefs: [{name: one, port: 50051}]
  - matches: [{method: {service: s.%[1]s}}]
    backendRefs: [{name: rest, port: 50051}]
`, c.Name, strings.Join(matches, ",\n    ")))
	}
	eachProxyAlone(t, manifests, func(t *testing.T, s *harness.Served) {
		ask := func(name string, md ...string) string {
			call := s.Call("gw/http")
			call.Authority, call.Path, call.Metadata = "a.b", "/s."+name+"/Get", metadata.Pairs(md...)
			return s.Client.Do(call).Backend()
		}
		for _, c := range adversary.Costly {
			var md []string
			headers := 64
			switch {
			case c.Name == "long":
				headers = 1
			case len(c.Value) > 400:
				headers = 30 // All of them have room in a request.
			}
			for i := range headers {
				name := fmt.Sprintf("x-%s-%d", c.Name, i)
				if c.Name == "long" {
					name = "x-long"
				}
				md = append(md, name, c.Value)
			}
			if got := s.Condition("GRPCRoute", "default/"+c.Name, "Accepted", "Accepted"); got == nil || got.Status != "True" {
				t.Fatalf("%s: %+v", c.Name, got)
			}
			before := processorTime(t, s.Process)
			if got := ask(c.Name, md...); got != "rest" {
				t.Errorf("%s: %s answers", c.Name, got)
			}
			took := processorTime(t, s.Process) - before
			t.Logf("%s: %v", c.Name, took)
			if took > time.Second/2 {
				t.Errorf("%s: one call took %v of processor time", c.Name, took)
			}
			if got := ask(c.Name); got != "rest" {
				t.Errorf("%s: afterwards %s answers", c.Name, got)
			}
		}
		// What matches in one go still does.
		if got := ask("nested", "x-nested-5", strings.Repeat("a", 100)+"b"); got != "one" {
			t.Errorf("a value that matches: %s answers", got)
		}
		if got := ask("scans", "x-scans-63", "xaxaxaxaxb"); got != "one" {
			t.Errorf("a value that matches: %s answers", got)
		}
	})
}

// eachProxyAlone tests one proxy after the other: each is measured.
func eachProxyAlone(t *testing.T, manifests []string, test func(*testing.T, *harness.Served)) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			test(t, harness.Serve(t, p, harness.Load(t, "", strings.Join(manifests, "---\n")), harness.Options{}))
		})
	}
}

// processorTime is what a proxy and its workers have had of processors.
func processorTime(t *testing.T, p *harness.Process) time.Duration {
	t.Helper()
	ticks := 0
	for _, pid := range append(p.Children(), p.PID()) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
