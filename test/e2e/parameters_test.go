package e2e

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// parametersObjects are a class with a deadline for all calls, and Gateways with parameters of their own.
const parametersObjects = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: gatewright}
spec:
  controllerName: ` + harness.Controller + `
  parametersRef: {group: gatewright.io, kind: GatewayParameters, name: usual, namespace: default}
---
apiVersion: gatewright.io/v1alpha1
kind: GatewayParameters
metadata: {name: usual}
spec:
  defaults: {timeoutPolicy: long}
---
apiVersion: gatewright.io/v1alpha1
kind: GatewayParameters
metadata: {name: quick}
spec:
  defaults: {timeoutPolicy: short}
  clients: {idleTimeout: 1s}
---
apiVersion: gatewright.io/v1alpha1
kind: GatewayParameters
metadata: {name: aged}
spec:
  clients: {maxConnectionAge: 1s}
---
apiVersion: gatewright.io/v1alpha1
kind: GatewayParameters
metadata: {name: narrow}
spec:
  clients: {maxStreams: 3}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: short}
spec: {timeout: 300ms}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: long}
spec: {timeout: 1200ms}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: none}
spec: {timeout: 0s}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: usual}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: quick}
spec:
  gatewayClassName: gatewright
  infrastructure: {parametersRef: {group: gatewright.io, kind: GatewayParameters, name: quick}}
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: narrow}
spec:
  gatewayClassName: gatewright
  infrastructure: {parametersRef: {group: gatewright.io, kind: GatewayParameters, name: narrow}}
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: aged}
spec:
  gatewayClassName: gatewright
  infrastructure: {parametersRef: {group: gatewright.io, kind: GatewayParameters, name: aged}}
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: route}
spec:
  parentRefs: [{name: usual}, {name: quick}, {name: aged}, {name: narrow}]
  rules:
  - matches: [{method: {service: acme.v1.Default}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: acme.v1.Unlimited}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: none}}]
    backendRefs: [{name: main, port: 50051}]
`

// TestParameters: each Gateway keeps the deadline that is its default for one route of all, and treats the connections of clients as it
// says; what a proxy can't is refused by name.
func TestParameters(t *testing.T) {
	manifests := strings.Join([]string{parametersObjects, services("main")}, "---\n")
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{})
		t.Run("deadlines", func(t *testing.T) { defaultDeadlines(t, s) })
		t.Run("idle", func(t *testing.T) { idleConnections(t, s) })
		for _, c := range []struct {
			gateway, field string
			needs          model.Feature
			keeps          func(*testing.T, *harness.Served)
		}{
			{"aged", "maxConnectionAge", model.FeatureConnectionAge, oldConnections}, {"narrow", "maxStreams", model.FeatureMaxStreams, fewStreams},
		} {
			if p.Capabilities.Has(c.needs) {
				t.Run(c.field, func(t *testing.T) { c.keeps(t, s) })
				continue
			}
			text := "spec.clients." + c.field + ": " + p.Capabilities.Missing[c.needs]
			wantCondition(t, s, "Gateway", "default/"+c.gateway, "Accepted", "InvalidParameters", text)
			wantCondition(t, s, "GatewayParameters", "default/"+c.gateway, "Accepted", "Invalid", text)
		}
	})
}

// defaultDeadlines: calls of one rule end in time, each in that of the Gateway; those of a rule that asks for no limit don't.
func defaultDeadlines(t *testing.T, s *harness.Served) {
	for _, c := range []struct {
		gateway, service, delay string
		code                    codes.Code
	}{
		{"quick", "Default", "700ms", codes.DeadlineExceeded}, {"usual", "Default", "700ms", codes.OK},
		{"usual", "Default", "20s", codes.DeadlineExceeded}, {"quick", "Default", "0s", codes.OK},
		{"quick", "Unlimited", "1500ms", codes.OK}, {"usual", "Unlimited", "1500ms", codes.OK},
	} {
		h := call{listener: c.gateway + "/http", authority: "x", path: "/acme.v1." + c.service + "/Get"}.at(t, s)
		h.Metadata.Append(harness.AskDelay, c.delay)
		if reply := s.Client.Do(h); reply.Code != c.code {
			t.Errorf("%s at Gateway %s, which takes %s: %s: %s", c.service, c.gateway, c.delay, reply.Code, reply.Message)
		}
	}
}

// rawAt is a connection to a Gateway, and the fields of a call there whose backend does as it is asked.
func rawAt(t *testing.T, s *harness.Served, gateway string) (*harness.RawClient, func(ask ...string) harness.Fields) {
	t.Helper()
	return harness.DialRaw(t, s.Call(gateway+"/http").Address), func(ask ...string) harness.Fields {
		return harness.RawRequest("x", "/acme.v1.Unlimited/Get", ask...)
	}
}

// idleConnections: a connection without a call ends, and one with a call doesn't.
func idleConnections(t *testing.T, s *harness.Served) {
	busy, request := rawAt(t, s, "quick")
	stream := busy.Open(request(), false)
	idle, _ := rawAt(t, s, "quick")
	if reply := idle.Call(request(), nil); reply.Status() != "0" {
		t.Fatalf("a call: %v", reply)
	}
	start := time.Now()
	if err := idle.AwaitLeaving(); err != nil {
		t.Errorf("an idle connection: %v", err)
	}
	if took := time.Since(start); took < 900*time.Millisecond || took > 8*time.Second {
		t.Errorf("an idle connection ended after %s, want 1s", took)
	}
	if busy.Data(stream, true, harness.Message(nil)); busy.Wait(stream).Status() != "0" {
		t.Error("a connection with a call has ended too")
	}
}

// oldConnections: clients are told to open another connection, a call that runs goes on, and none is lost.
func oldConnections(t *testing.T, s *harness.Served) {
	traffic := harness.StartTraffic(t, s.Proxy, call{listener: "aged/http", authority: "x", path: "/acme.v1.Unlimited/Get"}.at(t, s), "main", 4, 2)
	for range 2 {
		c, request := rawAt(t, s, "aged")
		start := time.Now()
		stream := c.Open(request(), false)
		for !c.Leaving() {
			if reply := c.Call(request(harness.AskDelay, "20ms"), nil); reply.Status() != "0" {
				t.Fatalf("a call: %v", reply)
			}
			if time.Since(start) > 15*time.Second {
				t.Fatal("the connection isn't told to end")
			}
		}
		if took := time.Since(start); took < 900*time.Millisecond {
			t.Errorf("the connection was to end after %s, want 1s", took)
		}
		c.Data(stream, true, harness.Message(nil))
		if reply := c.Wait(stream); reply.Status() != "0" {
			t.Errorf("a call that runs: %v", reply)
		}
	}
	if traffic.End() == 0 {
		t.Error("no calls were made")
	}
}

// fewStreams: a connection has as many calls at a time as the Gateway says, and those of another Gateway have more.
func fewStreams(t *testing.T, s *harness.Served) {
	for _, c := range []struct {
		gateway string
		refused bool
	}{{"narrow", true}, {"usual", false}} {
		conn, request := rawAt(t, s, c.gateway)
		var streams []uint32
		for range 3 {
			streams = append(streams, conn.Open(request(), false))
		}
		reply := conn.Call(request(), nil)
		refused := reply.Reset != nil && *reply.Reset == http2.ErrCodeRefusedStream
		if refused != c.refused || !refused && reply.Status() != "0" {
			t.Errorf("Gateway %s: the fourth call of a connection: %v", c.gateway, reply)
		}
		for _, stream := range streams {
			conn.Data(stream, true, harness.Message(nil))
			if reply := conn.Wait(stream); reply.Status() != "0" {
				t.Errorf("Gateway %s: a call: %v", c.gateway, reply)
			}
		}
	}
}
