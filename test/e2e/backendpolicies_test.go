package e2e

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

const backendPolicies = `apiVersion: gatewright.io/v1alpha1
kind: BackendPolicy
metadata: {name: bytes}
spec:
  targetRefs: [{group: "", kind: Service, name: bounded}, {group: "", kind: Service, name: web-bounded}]
  maxRequestBytes: 2000
---
apiVersion: gatewright.io/v1alpha1
kind: BackendPolicy
metadata: {name: stays}
spec:
  targetRefs: [{group: "", kind: Service, name: main}]
  sessionPersistence: {type: Header, header: {name: x-session}}
---
apiVersion: gatewright.io/v1alpha1
kind: BackendPolicy
metadata: {name: outliers}
spec:
  targetRefs: [{group: "", kind: Service, name: half}, {group: "", kind: Service, name: refusing}]
  outlierDetection: {consecutiveFailures: 2, ejectionTime: 30m}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: policies}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: acme.v1.Bounded}}]
    backendRefs: [{name: bounded, port: 50051}]
  - matches: [{method: {service: acme.v1.Shared}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Half}}]
    backendRefs: [{name: half, port: 50051}]
  - matches: [{method: {service: acme.v1.Refusing}}]
    backendRefs: [{name: refusing, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: web}]
  rules:
  - backendRefs: [{name: web-bounded, port: 50051}]
`

// TestBackendPolicies: what a BackendPolicy says of a Service holds for all that is sent there, and one that a proxy can't keep is
// refused by name.
func TestBackendPolicies(t *testing.T) {
	manifests := strings.Join([]string{read(t, "gateway.yaml"), webGateway, backendPolicies, services("bounded", "web-bounded", "main", "half", "refusing")}, "---\n")
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{Endpoints: map[string][]bool{
			"default/main": {true, true, true, true}, "default/half": {true, false}, "default/refusing": {false, false}}})
		t.Run("sessions", func(t *testing.T) {
			sessionsStay(t, 4, func(token string) (string, string) { return headerCall(t, s, "Shared", token) })
		})
		t.Run("outliers", func(t *testing.T) { outliers(t, s) })
		bounded := p.Capabilities.Has(model.FeatureBodyLimit)
		reason := "Accepted"
		if !bounded {
			reason = "Invalid"
		}
		condition := s.Condition("BackendPolicy", "default/bytes", "Accepted", reason)
		if condition == nil {
			t.Errorf("it isn't %s: %v", reason, s.Conditions("BackendPolicy", "default/bytes"))
		} else if !bounded && !strings.Contains(condition.Message, "spec.maxRequestBytes") {
			t.Errorf("message %q", condition.Message)
		}
		t.Run("bytes", func(t *testing.T) { requestBytes(t, s, bounded) })
	})
}

// outliers: an endpoint that fails is left alone, and where all have failed they are tried all the same.
func outliers(t *testing.T, s *harness.Served) {
	half := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1.Half/Get"}.at(t, s)
	harness.Until(t, "leave the endpoint that fails", harness.DefaultTimeout, func() error {
		for range 20 {
			if reply := s.Client.Do(half); reply.Backend() != "half" {
				return fmt.Errorf("%s: %s", reply.Backend(), reply.Message)
			}
		}
		return nil
	}, func() string { return "" })
	refusing := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1.Refusing/Get"}.at(t, s)
	for range 4 {
		if reply := s.Client.Do(refusing); reply.Code != codes.Unavailable {
			t.Errorf("nobody listens: %s", reply.Backend())
		}
	}
	for i := range 2 {
		s.Backends.Listen("default/refusing:50051", s.Backends.Address("default/refusing refusing", i), 50051)
	}
	harness.Until(t, "try what has failed", harness.DefaultTimeout, func() error {
		if reply := s.Client.Do(refusing); reply.Backend() != "refusing" {
			return fmt.Errorf("%s: %s", reply.Backend(), reply.Message)
		}
		return nil
	}, func() string { return "" })
}

func requestBytes(t *testing.T, s *harness.Served, bounded bool) {
	c := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1.Bounded/Get"}.at(t, s)
	r := s.Request("web/http", "web.example.com", "/")
	r.Method = "POST"
	for size, fits := range map[int]bool{1900: true, 2100: !bounded, 100_000: !bounded} {
		c.Message, r.Body = make([]byte, size), make([]byte, size)
		code, status := codes.OK, 200
		if !fits {
			code, status = codes.ResourceExhausted, 413
		}
		if reply := s.Client.Do(c); reply.Code != code {
			t.Errorf("a call with %d bytes: %s: %s, want %s", size, reply.Code, reply.Message, code)
		}
		if size > 10_000 {
			continue // The client of HTTP sends small bodies only.
		}
		for _, r.HTTP2 = range []bool{false, true} {
			if r.HTTP2 && !s.Proxy.Capabilities.Has(model.FeatureHTTP1Shared) {
				continue
			}
			if reply := s.HTTP.Do(r); reply.Status != status {
				t.Errorf("a request with %d bytes: %s, want %d", size, reply.String(), status)
			}
		}
	}
}
