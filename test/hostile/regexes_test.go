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
)

// costly are expressions that can match a text in many ways, each with a value that costs it most: nested repetitions;
// many ways to the front of a long scan, forward only, and forward and back; alternatives; counted repetitions.
var costly = []struct{ name, regex, value string }{
	{"scans", `.*a.*a.*a.*a.*b`, strings.Repeat("a", 120) + "bc"},
	{"nested", `(a*)*b`, strings.Repeat("a", 900) + "bc"},
	{"optional", strings.Repeat("a?", 12) + `.*c[ab]c`, strings.Repeat("a", 900) + "bcb!"},
	{"forward", strings.Repeat("(a[ab]|[ac]a)", 12) + `a*[0-9]`, strings.Repeat("a", 900) + "!"},
	{"counted", `a{0,200}a{0,200}a{0,200}.*b[^!]`, strings.Repeat("a", 900) + "b!"},
	{"long", strings.Repeat("a?", 12) + `.*c[ab]c`, strings.Repeat("a", 4090) + "bcb!"},
}

// TestExpressionsTogether: no call has a proxy reckon for long, whatever expressions it is asked: as many as a call may be
// asked, each for a value that it can't be done with. Others are served, and so is the caller (R41).
func TestExpressionsTogether(t *testing.T) {
	manifests := []string{liveGateway, harness.Service("default", "one", 50051), harness.Service("default", "rest", 50051)}
	for _, c := range costly {
		var matches []string
		for i := range 64 {
			header, regex := fmt.Sprintf("x-%s-%d", c.name, i), c.regex
			if c.name == "long" {
				header, regex = "x-long", c.regex+fmt.Sprintf("x{0,%d}", i+1)
			}
			matches = append(matches, fmt.Sprintf(`{method: {service: s.%s}, headers: [{name: %s, type: RegularExpression, value: %q}]}`, c.name, header, regex))
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
`, c.name, strings.Join(matches, ",\n    ")))
	}
	eachProxyAlone(t, manifests, func(t *testing.T, s *harness.Served) {
		ask := func(name string, md ...string) string {
			call := s.Call("gw/http")
			call.Authority, call.Path, call.Metadata = "a.b", "/s."+name+"/Get", metadata.Pairs(md...)
			return s.Client.Do(call).Backend()
		}
		for _, c := range costly {
			var md []string
			headers := 64
			switch {
			case c.name == "long":
				headers = 1
			case len(c.value) > 400:
				headers = 30 // All of them have room in a request.
			}
			for i := range headers {
				name := fmt.Sprintf("x-%s-%d", c.name, i)
				if c.name == "long" {
					name = "x-long"
				}
				md = append(md, name, c.value)
			}
			if got := s.Condition("GRPCRoute", "default/"+c.name, "Accepted", "Accepted"); got == nil || got.Status != "True" {
				t.Fatalf("%s: %+v", c.name, got)
			}
			before := processorTime(t, s.Process)
			if got := ask(c.name, md...); got != "rest" {
				t.Errorf("%s: %s answers", c.name, got)
			}
			took := processorTime(t, s.Process) - before
			t.Logf("%s: %v", c.name, took)
			if took > time.Second/2 {
				t.Errorf("%s: one call took %v of processor time", c.name, took)
			}
			if got := ask(c.name); got != "rest" {
				t.Errorf("%s: afterwards %s answers", c.name, got)
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
