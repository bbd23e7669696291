package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gatewright/gatewright/test/harness"
)

const policyRoutes = `apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: short}
spec: {timeout: 300ms}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: optional}
spec: {timeout: 300ms, onBridgeFailure: Bypass}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCRetryPolicy
metadata: {name: twice}
spec: {retries: 2, retryOn: [unavailable], backoff: 1ms, budget: {percent: 100, perSecond: 10000}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: policies}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: acme.v1.Short}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: short}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Optional}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: optional}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Twice}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCRetryPolicy, name: twice}}]
    backendRefs: [{name: main, port: 50051}]
`

// TestCallPolicies: whole calls end in time, failed ones are sent again as often as asked, and without a bridge calls fail unless
// they may go on without it (R21).
func TestCallPolicies(t *testing.T) {
	manifests := strings.Join([]string{read(t, "gateway.yaml"), policyRoutes, services("main")}, "---\n")
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		got := &copies{begun: map[string]int{}, messages: map[string]int{}}
		backends := harness.NewBackends(t)
		backends.OnCall(func(e *harness.Echo, ended bool) {
			if !ended {
				got.add(e.Backend, 0, nil)
			}
		})
		s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{Backends: backends})
		t.Run("timeouts", func(t *testing.T) { callTimeouts(t, s) })
		t.Run("retries", func(t *testing.T) { callRetries(t, s, got) })
		t.Run("no bridge", func(t *testing.T) { policiesWithoutBridge(t, s) })
	})
}

// policyCall is a call of a service that the rule is for, with metadata.
func policyCall(t *testing.T, s *harness.Served, service string, pairs ...string) harness.Call {
	t.Helper()
	h := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1." + service + "/Get"}.at(t, s)
	h.Metadata = metadata.Pairs(pairs...)
	return h
}

// callTimeouts: a call ends with DEADLINE_EXCEEDED whether its endpoint was silent or had begun to answer, and one that is
// quicker isn't touched.
func callTimeouts(t *testing.T, s *harness.Served) {
	within := func(what string, end func() codes.Code) {
		t.Helper()
		start := time.Now()
		if code := end(); code != codes.DeadlineExceeded {
			t.Errorf("%s: %s", what, code)
		}
		if took := time.Since(start); took < 290*time.Millisecond || took > 3*time.Second {
			t.Errorf("%s: it took %s, want 300ms", what, took)
		}
	}
	within("silent", func() codes.Code { return s.Client.Do(policyCall(t, s, "Short", harness.AskDelay, "5s")).Code })
	within("quiet stream", func() codes.Code {
		stream, err := s.Client.Stream(policyCall(t, s, "Short", harness.AskMode, harness.ModeQuiet))
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		_, err = stream.Receive()
		return status.Code(err)
	})
	if reply := s.Client.Do(policyCall(t, s, "Short")); reply.Backend() != "main" {
		t.Errorf("a quick call: %v", reply)
	}
}

// callRetries: a call is tried as often as the policy says, on its conditions only.
func callRetries(t *testing.T, s *harness.Served, got *copies) {
	const calls = 20
	for _, c := range []struct {
		service, status string
		code            codes.Code
		tries           int
	}{
		{"Twice", fmt.Sprint(int(codes.Unavailable)), codes.Unavailable, 3}, {"Twice", fmt.Sprint(int(codes.NotFound)), codes.NotFound, 1},
		{"Twice", "0", codes.OK, 1}, {"Short", fmt.Sprint(int(codes.Unavailable)), codes.Unavailable, 1},
	} {
		got.take()
		for range calls {
			if reply := s.Client.Do(policyCall(t, s, c.service, harness.AskStatus, c.status)); reply.Code != c.code {
				t.Errorf("%s, status %s: %v", c.service, c.status, reply)
			}
		}
		if begun, _ := got.take(); begun["main"] != c.tries*calls {
			t.Errorf("%s, status %s: %d calls came to the endpoint %d times, want %d", c.service, c.status, calls, begun["main"], c.tries*calls)
		}
	}
}

func policiesWithoutBridge(t *testing.T, s *harness.Served) {
	s.KillBridge()
	harness.Until(t, "go on without the bridge", harness.DefaultTimeout, func() error {
		if reply := s.Client.Do(policyCall(t, s, "Optional")); reply.Backend() != "main" {
			return fmt.Errorf("%v", reply)
		}
		return nil
	}, func() string { return "" })
	reply := s.Client.Do(policyCall(t, s, "Short"))
	if reply.Code != codes.Unavailable || !strings.Contains(reply.Message, "the bridge to Service default/main") {
		t.Errorf("a policy that can't be kept: %v", reply)
	}
	s.StartBridge()
	harness.Until(t, "keep policies again", harness.DefaultTimeout, func() error {
		if reply := s.Client.Do(policyCall(t, s, "Short")); reply.Backend() != "main" {
			return fmt.Errorf("%v", reply)
		}
		return nil
	}, func() string { return "" })
}
