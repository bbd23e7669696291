package controller

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/cluster/isolated"
	"github.com/gatewright/gatewright/test/harness"
)

// patience is how long anything may take.
const patience = time.Minute

// program is the binary that the tests run.
var program string

// shared is a cluster for all tests that leave it as it is.
var shared func() *cluster.Cluster

// network has the addresses of the endpoints, for a cluster takes none of 127.0.0.0/8.
const network = "198.18.0.0/16"

func TestMain(m *testing.M) {
	os.Exit(isolated.Run(func() int {
		stage := harness.NewStage("test/controller")
		if err := isolated.AddLocal(network); err != nil {
			stage.Fatalf("%v", err)
		}
		program = harness.Program(stage)
		shared = sync.OnceValue(func() *cluster.Cluster { return cluster.Start(stage, cluster.Options{}) })
		code := m.Run()
		stage.End()
		return code
	}))
}

// endpoints counts the addresses of the network that endpoints have, in all clusters.
var endpoints atomic.Int32

// lab is a cluster with the Gateway API and what deploy/controller brings, and servers for its Services.
type lab struct {
	*testing.T
	*cluster.Cluster
	client   client.Client
	backends *harness.Backends
	// fresh makes each call on a connection of its own.
	fresh *harness.Client
	// endpoints are the addresses that endpoint has given.
	endpoints map[string]string
}

// newLab starts a cluster of the test's own.
func newLab(t *testing.T, o cluster.Options) *lab {
	t.Helper()
	return labIn(t, cluster.Start(t, o))
}

// sharedLab is in the shared cluster, in which there is nothing of an earlier test.
func sharedLab(t *testing.T) *lab {
	t.Helper()
	l := labIn(t, shared())
	t.Cleanup(l.clear)
	return l
}

func labIn(t *testing.T, c *cluster.Cluster) *lab {
	t.Helper()
	l := &lab{T: t, Cluster: c, backends: harness.NewBackends(t), fresh: harness.NewClient(t), endpoints: map[string]string{}}
	l.client = l.Client()
	l.install()
	return l
}

// clear removes what tests have put into namespaces, and their GatewayClasses.
func (l *lab) clear() {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	objects := []client.Object{
		&gatewayv1.Gateway{}, &gatewayv1.ListenerSet{}, &gatewayv1.GRPCRoute{}, &corev1.Service{}, &discoveryv1.EndpointSlice{}, &corev1.Secret{},
		&eventsv1.Event{}, &coordinationv1.Lease{},
	}
	for _, namespace := range []string{"default", "gatewright", otherNamespace} {
		for _, o := range objects {
			// The API server makes Service kubernetes again.
			if err := l.client.DeleteAllOf(ctx, o, client.InNamespace(namespace)); err != nil {
				l.Errorf("clear %T: %v", o, err)
			}
		}
	}
	if err := l.client.DeleteAllOf(ctx, &gatewayv1.GatewayClass{}); err != nil {
		l.Errorf("clear GatewayClasses: %v", err)
	}
}

// install brings the Gateway API, deploy/crds and deploy/controller to the cluster.
func (l *lab) install() {
	l.Helper()
	l.InstallGatewayAPI(cluster.Standard)
	own, err := filepath.Glob(filepath.Join(harness.Root(l), "deploy", "crds", "*.yaml"))
	if err != nil || len(own) == 0 {
		l.Fatalf("no CRDs in deploy/crds: %v", err)
	}
	l.ApplyFiles(own...)
	l.deploy()
}

func (l *lab) deploy() {
	l.Helper()
	folder := filepath.Join(harness.Root(l), "deploy", "controller")
	l.ApplyFiles(filepath.Join(folder, "rbac.yaml"), filepath.Join(folder, "gatewayclass.yaml"))
}

// account is the kubeconfig of the ServiceAccount of deploy/controller.
func (l *lab) account() string {
	l.Helper()
	return l.ServiceAccount("gatewright", "gatewright")
}

// until tries until there is no error.
func (l *lab) until(what string, try func() error) {
	l.Helper()
	harness.Until(l, what, patience, try, func() string { return "" })
}

// service is a manifest of a Service of namespace default with its EndpointSlice, whose endpoints are given by index. A
// server listens at each.
func (l *lab) service(name string, endpoints ...int) string {
	l.Helper()
	text := "---\n" + harness.Service("default", name, port) + fmt.Sprintf(`---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: default, name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: p%[2]d, port: %[2]d, protocol: TCP}]
endpoints:
`, name, port)
	for _, i := range endpoints {
		text += fmt.Sprintf("- {addresses: [%s], conditions: {ready: true}}\n", l.endpoint(name, i))
	}
	return text
}

// endpoint is the address of a Service's endpoint, the same one every time. A server listens there.
func (l *lab) endpoint(service string, i int) string {
	l.Helper()
	key := fmt.Sprintf("%s %d", service, i)
	if l.endpoints[key] == "" {
		n := endpoints.Add(1)
		l.endpoints[key] = fmt.Sprintf("198.18.%d.%d", n/250, n%250+1)
		l.backends.Listen("default/"+service+":"+strconv.Itoa(port), l.endpoints[key], port)
	}
	return l.endpoints[key]
}

type backend struct {
	service string
	weight  int
}

// route is a manifest of a GRPCRoute of namespace default for a gRPC service, on the Gateways.
func route(name, service string, gateways []string, backends ...backend) string {
	text := fmt.Sprintf("---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {namespace: default, name: %s}\nspec:\n "+
		" parentRefs:\n", name)
	for _, g := range gateways {
		text += fmt.Sprintf("  - {name: %s}\n", g)
	}
	text += fmt.Sprintf("  rules:\n  - matches: [{method: {service: %s}}]\n    backendRefs:\n", service)
	for _, b := range backends {
		text += fmt.Sprintf("    - {name: %s, port: %d, weight: %d}\n", b.service, port, b.weight)
	}
	return text
}

// address is a new address for the next Gateway; addressOf is that of a Gateway by its manifest in the cluster.
func (l *lab) address() string { return harness.Address(l) }

func (l *lab) addressOf(gateway string) string {
	l.Helper()
	var g gatewayv1.Gateway
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: gateway}, &g); err != nil {
		l.Fatal(err)
	}
	return g.Spec.Addresses[0].Value
}

// callTo is a call of a gRPC service at the listener of a Gateway.
func callTo(address, service string) harness.Call {
	return harness.Call{Address: address + ":8080", Authority: "h.test", Path: "/" + service + "/Method", Timeout: 10 * time.Second}
}

// call makes a call on a new connection: one that began while nginx reloaded may stay with the worker of before.
func (l *lab) call(address, service string) harness.Reply {
	l.fresh.Close()
	return l.fresh.Do(callTo(address, service))
}

// answers returns when a gRPC service is answered by a backend, or with a code.
func (l *lab) answers(address, service, want string) {
	l.Helper()
	l.until("answer "+service+" by "+want, func() error {
		if r := l.call(address, service); r.Backend() != want {
			return fmt.Errorf("%s (%s)", r.Backend(), r.Message)
		}
		return nil
	})
}

// answersAt is answers for an endpoint of the Service.
func (l *lab) answersAt(address, service, endpoint string) {
	l.Helper()
	l.until("answer "+service+" at "+endpoint, func() error {
		if r := l.call(address, service); !strings.HasPrefix(r.Echo.Endpoint, endpoint+":") {
			return fmt.Errorf("%s %s (%s)", r.Backend(), r.Echo.Endpoint, r.Message)
		}
		return nil
	})
}

// converged returns when every Gateway and GRPCRoute is served and says so of its newest generation.
func (l *lab) converged() {
	l.Helper()
	l.until("tell in all statuses what is served", func() error {
		ctx, cancel := context.WithTimeout(l.Context(), 10*time.Second)
		defer cancel()
		var gateways gatewayv1.GatewayList
		var routes gatewayv1.GRPCRouteList
		if err := l.client.List(ctx, &gateways); err != nil {
			return err
		}
		if err := l.client.List(ctx, &routes); err != nil {
			return err
		}
		attached := map[string]int32{}
		for i := range routes.Items {
			if err := routeConverged(&routes.Items[i]); err != nil {
				return err
			}
			for _, ref := range routes.Items[i].Spec.ParentRefs {
				attached[string(ref.Name)]++
			}
		}
		for i := range gateways.Items {
			if err := gatewayConverged(&gateways.Items[i], attached[gateways.Items[i].Name]); err != nil {
				return err
			}
		}
		return nil
	})
}

func routeConverged(r *gatewayv1.GRPCRoute) error {
	if len(r.Status.Parents) != len(r.Spec.ParentRefs) {
		return fmt.Errorf("GRPCRoute %s has %d parents in its status, want %d", r.Name, len(r.Status.Parents), len(r.Spec.ParentRefs))
	}
	for _, p := range r.Status.Parents {
		for _, typ := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
			if err := isTrue(p.Conditions, string(typ), r.Generation); err != nil {
				return fmt.Errorf("GRPCRoute %s on %s: %w", r.Name, p.ParentRef.Name, err)
			}
		}
	}
	return nil
}

func gatewayConverged(g *gatewayv1.Gateway, attached int32) error {
	for _, typ := range []gatewayv1.GatewayConditionType{gatewayv1.GatewayConditionAccepted, gatewayv1.GatewayConditionProgrammed} {
		if err := isTrue(g.Status.Conditions, string(typ), g.Generation); err != nil {
			return fmt.Errorf("Gateway %s: %w", g.Name, err)
		}
	}
	if len(g.Status.Listeners) != len(g.Spec.Listeners) {
		return fmt.Errorf("Gateway %s tells of %d listeners, want %d", g.Name, len(g.Status.Listeners), len(g.Spec.Listeners))
	}
	for _, listener := range g.Status.Listeners {
		if err := isTrue(listener.Conditions, string(gatewayv1.ListenerConditionProgrammed), g.Generation); err != nil {
			return fmt.Errorf("listener %s of Gateway %s: %w", listener.Name, g.Name, err)
		}
		if listener.AttachedRoutes != attached {
			return fmt.Errorf("listener %s of Gateway %s has %d attached routes, want %d", listener.Name, g.Name, listener.AttachedRoutes, attached)
		}
	}
	return nil
}

// isTrue says why a condition isn't true for a generation.
func isTrue(conditions []metav1.Condition, typ string, generation int64) error {
	switch c := meta.FindStatusCondition(conditions, typ); {
	case c == nil:
		return fmt.Errorf("no condition %s", typ)
	case c.Status != metav1.ConditionTrue:
		return fmt.Errorf("%s is %s: %s: %s", typ, c.Status, c.Reason, c.Message)
	case c.ObservedGeneration != generation:
		return fmt.Errorf("%s is of generation %d, want %d", typ, c.ObservedGeneration, generation)
	}
	return nil
}
