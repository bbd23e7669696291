package others

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// coreRoutes are a host with servers on the C core, and one with servers of grpc-go, with the same rules. All calls pass the bridge.
const coreRoutes = `apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: long}
spec: {timeout: 1m}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: short}
spec: {timeout: 300ms}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCRetryPolicy
metadata: {name: twice}
spec: {retries: 2, retryOn: [unavailable], backoff: 1ms, budget: {percent: 100, perSecond: 10000}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, protocol: HTTP, port: 80}]
`

// coreRoute is the route of one host: Services with the same name, and one behind it that gets copies.
const coreRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: %[1]s}
spec:
  parentRefs: [{name: gw}]
  hostnames: [%[1]s.example.com]
  rules:
  - matches: [{method: {service: acme.v1.Long}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: long}}]
    backendRefs: [{name: %[1]s, port: 50051}]
  - matches: [{method: {service: acme.v1.Short}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: short}}]
    backendRefs: [{name: %[1]s, port: 50051}]
  - matches: [{method: {service: acme.v1.Twice}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCRetryPolicy, name: twice}}]
    backendRefs: [{name: %[1]s, port: 50051}]
  - matches: [{method: {service: acme.v1.Copied}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: shadow-%[1]s, port: 50051}}}]
    backendRefs: [{name: %[1]s, port: 50051}]
`

const coreEndpoints = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: p50051, port: 50051}]
endpoints: [{addresses: [%[2]s]}]
`

// event is one that a server tells of a call: "begin" or "end", at which Service, of which call, and behind how many messages.
type event struct {
	what, service, key string
	messages           int
}

// coreWorld is a proxy with the bridge, and both kinds of servers behind it.
type coreWorld struct {
	t      *testing.T
	served *harness.Served
	core   *coreClient
	// servers have one endpoint of the Service and its mirror, second has another endpoint.
	servers, second *harness.Process

	mu     sync.Mutex
	events []event
	keys   int
}

// all are the events so far, of the servers of both kinds.
func (w *coreWorld) all() []event {
	w.mu.Lock()
	out := append([]event(nil), w.events...)
	w.mu.Unlock()
	for line := range strings.Lines(w.servers.Log() + w.second.Log()) {
		if f := strings.Fields(line); len(f) == 5 && (f[0] == "begin" || f[0] == "end") {
			n, err := strconv.Atoi(f[4])
			if err != nil {
				w.t.Errorf("a server on the C core says %q", line)
			}
			out = append(out, event{f[0], f[1], f[3], n})
		}
	}
	return out
}

// wait waits until so many events are what is wanted, with any number of messages where that is below 0.
func (w *coreWorld) wait(want event, n int) {
	w.t.Helper()
	harness.Until(w.t, "see what comes to the servers", patience, func() error {
		got := 0
		for _, e := range w.all() {
			if e.what == want.what && e.service == want.service && e.key == want.key && (want.messages < 0 || want.messages == e.messages) {
				got++
			}
		}
		if got != n {
			return fmt.Errorf("%d times %+v, want %d", got, want, n)
		}
		return nil
	}, w.servers.Log)
}

// key is one that no other call has.
func (w *coreWorld) key() string {
	w.keys++
	return "k" + strconv.Itoa(w.keys)
}

func newCoreWorld(t *testing.T, p harness.Proxy) *coreWorld {
	_, python, _ := programs(t)
	w := &coreWorld{t: t}
	first, second, shadow := harness.Address(t), harness.Address(t), harness.Address(t)
	w.servers = startServers(t, python, "core", first+":50051", "shadow-core", shadow+":50051")
	w.second = startServers(t, python, "core", second+":50051")
	manifests := []string{coreRoutes, fmt.Sprintf(coreEndpoints, "core", first+", "+second), fmt.Sprintf(coreEndpoints, "shadow-core", shadow)}
	for _, name := range []string{"core", "go"} {
		manifests = append(manifests, fmt.Sprintf(coreRoute, name), harness.Service("default", name, 50051),
			harness.Service("default", "shadow-"+name, 50051))
	}
	backends := harness.NewBackends(t)
	backends.OnCall(func(e *harness.Echo, ended bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		v := event{"begin", strings.TrimSuffix(strings.TrimPrefix(e.Backend, "default/"), ":50051"), "-", e.Messages}
		if ended {
			v.what = "end"
		}
		for _, key := range e.Metadata["x-key"] {
			v.key = key
		}
		w.events = append(w.events, v)
	})
	w.served = harness.Serve(t, p, harness.Load(t, "", manifests...), harness.Options{Backends: backends})
	w.core = startCore(t, python, w.served.Address("default/gw")+":20080")
	return w
}
