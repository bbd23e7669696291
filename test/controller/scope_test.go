package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/harness"
)

// class is a manifest of a GatewayClass.
func class(name, controller string) string {
	return fmt.Sprintf("---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: %s}\nspec: {controllerName: "+
		"%s}\n", name, controller)
}

// ofClass is a manifest of a Gateway of another class.
func ofClass(gateway, class string) string {
	return strings.Replace(gateway, "gatewayClassName: gatewright", "gatewayClassName: "+class, 1)
}

// untouched fails the test when gatewright has written anything to a Gateway, or to a route.
func (l *lab) untouched(gateway, route string) {
	l.Helper()
	var g gatewayv1.Gateway
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: gateway}, &g); err != nil {
		l.Fatal(err)
	}
	for _, c := range g.Status.Conditions {
		// The CRD's defaults have no generation.
		if c.ObservedGeneration != 0 {
			l.Errorf("Gateway %s isn't to be served, and has %s=%s: %s", gateway, c.Type, c.Status, c.Message)
		}
	}
	if parents := l.grpcRoute(route).Status.Parents; len(parents) > 0 {
		l.Errorf("GRPCRoute %s isn't to be served, and has %+v", route, parents)
	}
}

// TestScope serves what --gateway-class and --gateway name, and no more.
func TestScope(t *testing.T) {
	l, r := oneProxy(t, "nginx")
	addresses := map[string]string{"wanted": l.address(), "other": l.address(), "classless": l.address()}
	text := class("mine", harness.Controller) + l.service("first", 0) + gateway("classless", addresses["classless"])
	for name := range addresses {
		if name != "classless" {
			text += ofClass(gateway(name, addresses[name]), "mine")
		}
		text += route(name, name+".Service", []string{name}, backend{"first", 1})
	}
	l.Apply(text)
	r.start("--gateway-class", "mine", "--gateway", "default/wanted", "--gateway", "default/classless")
	l.tells("wanted", "Programmed", addresses["wanted"])
	l.answers(addresses["wanted"], "wanted.Service", "first")
	for _, name := range []string{"other", "classless"} {
		l.untouched(name, name)
	}
	r.end()
	// Another program serves the others, and leaves the entries of this one alone.
	entry := foreign(l.raw("GRPCRoute", "wanted", "parents"), "controllerName", harness.Controller)
	r.start("--gateway", "default/other", "--gateway", "default/classless")
	for _, name := range []string{"other", "classless"} {
		l.tells(name, "Programmed", addresses[name])
		l.answers(addresses[name], name+".Service", "first")
	}
	if got := foreign(l.raw("GRPCRoute", "wanted", "parents"), "controllerName", harness.Controller); got == "" || got != entry {
		t.Errorf("the entry of another program was\n%s\nand is\n%s", entry, got)
	}
}

// TestNamespaces reads objects of some namespaces only.
func TestNamespaces(t *testing.T) {
	l, r := oneProxy(t, "haproxy")
	address := l.address()
	elsewhere := strings.NewReplacer("namespace: default", "namespace: "+otherNamespace, "{name: web}", "{name: web, namespace: default}")
	l.Apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + otherNamespace + "}\n" + gateway("web", address) + l.service("first", 0) +
		route("base", "base.Service", []string{"web"}, backend{"first", 1}) +
		elsewhere.Replace(l.service("second", 0)+route("far", "far.Service", []string{"web"}, backend{"second", 1})))
	r.start("--watch-namespaces", "default")
	l.answers(address, "base.Service", "first")
	l.tells("web", "Programmed", address)
	if got := l.call(address, "far.Service").Backend(); got != unimplemented {
		t.Errorf("a route of a namespace that isn't watched: %s", got)
	}
	r.end()
	r.start("--watch-namespaces", "default,"+otherNamespace)
	l.answers(address, "far.Service", "second")
}

// TestUnrelated changes objects that no Gateway of ours depends on: nothing is translated, rendered or applied.
func TestUnrelated(t *testing.T) {
	l, r := oneProxy(t, "haproxy")
	l.Apply(class("foreign", "example.com/other") + ofClass(gateway("theirs", l.address()), "foreign") + gateway("web", l.address()) +
		l.service("first", 0) + route("base", "base.Service", []string{"web"}, backend{"first", 1}))
	r.start()
	l.answers(l.addressOf("web"), "base.Service", "first")
	l.tells("web", "Programmed", l.addressOf("web"))
	const reads, applies = `gatewright_reads_total{result="ok"}`, `gatewright_applies_total{result="ok",way="unchanged"}`
	const many = 50
	before, unchanged := r.metric(reads), r.metric(applies)
	for i := range many {
		l.Apply(route("theirs", fmt.Sprintf("theirs%d.Service", i), []string{"theirs"}, backend{"second", 1}) + l.service("second", i%2))
	}
	l.Apply(route("last", "last.Service", []string{"web"}, backend{"first", 1}))
	l.answers(l.addressOf("web"), "last.Service", "first")
	if got := r.metric(reads) - before; got > many/10 {
		t.Errorf("%g snapshots were taken for one change of ours and %d of others'", got, many)
	}
	if got := r.metric(applies) - unchanged; got > many/10 {
		t.Errorf("%g times nothing was applied for one change of ours and %d of others'", got, many)
	}
	l.untouched("theirs", "theirs")
}

// TestOptionalCRDs starts in a cluster without the CRDs that a Gateway can do without, and one without any: all are taken up
// when they come.
func TestOptionalCRDs(t *testing.T) {
	t.Parallel()
	l := newLab(t, cluster.Options{})
	r := l.newReplica(harness.Newest(harness.Proxies(t))[0], l.account())
	uninstall := func(resources ...string) {
		for _, resource := range resources {
			if !strings.Contains(resource, ".") {
				resource += ".gateway.networking.k8s.io"
			}
			crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: resource}}
			if err := l.client.Delete(t.Context(), crd); err != nil {
				t.Fatal(err)
			}
			l.until("uninstall "+resource, func() error {
				if err := l.client.Get(t.Context(), client.ObjectKeyFromObject(crd), crd); !apierrors.IsNotFound(err) {
					return errors.Join(err, errors.New("it is still there"))
				}
				return nil
			})
		}
	}
	optional := []string{"listenersets", "backendtlspolicies", "httproutes", "referencegrants", "grpctimeoutpolicies.gatewright.io",
		"grpcretrypolicies.gatewright.io", "backendpolicies.gatewright.io", "gatewayparameters.gatewright.io"}
	uninstall(append(optional, "grpcroutes")...)
	r.start()
	r.says("/readyz", "the cluster has no GRPCRoute.gateway.networking.k8s.io: install the CRDs of the Gateway API")
	l.install()
	r.ready()
	r.end()

	uninstall(optional...)
	l.Apply(gateway("web", l.address()) + l.service("first", 0) + route("base", "base.Service", []string{"web"}, backend{"first", 1}))
	r.start()
	l.answers(l.addressOf("web"), "base.Service", "first")
	l.tells("web", "Programmed", l.addressOf("web"))
	l.install()
	l.Apply(optionalObjects)
	for kind, list := range map[string]string{"ListenerSet": "conditions", "HTTPRoute": "parents", "BackendTLSPolicy": "ancestors",
		policy.TimeoutKind: "ancestors", policy.RetryKind: "ancestors", policy.BackendKind: "ancestors", policy.ParametersKind: "ancestors"} {
		l.until("write the status of a "+kind, func() error {
			text := fmt.Sprint(l.raw(kind, "late", list))
			if !strings.Contains(text, "observedGeneration") {
				return errors.New(text)
			}
			return nil
		})
	}
}

// optionalObjects are objects of the kinds that a cluster need not have.
const optionalObjects = `---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {namespace: default, name: late}
spec:
  parentRef: {name: web}
  listeners: [{name: more, port: 8081, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {namespace: default, name: late}
spec:
  parentRefs: [{name: web}]
  hostnames: [http.test]
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {namespace: default, name: late}
spec:
  targetRefs: [{group: "", kind: Service, name: first}]
  validation: {hostname: h.test, wellKnownCACertificates: System}
---
apiVersion: gatewright.io/v1alpha1
kind: BackendPolicy
metadata: {namespace: default, name: late}
spec:
  targetRefs: [{group: "", kind: Service, name: first}]
  sessionPersistence: {type: Header, header: {name: x-session}}
  healthCheck: {}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {namespace: default, name: late}
spec: {timeout: 1s}
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCRetryPolicy
metadata: {namespace: default, name: late}
spec: {retries: 1, retryOn: [connect-failure]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {namespace: default, name: late}
spec:
  parentRefs: [{name: web}]
  rules:
  - filters:
    - {type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: late}}
    - {type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCRetryPolicy, name: late}}
    matches: [{method: {service: late.Service}}]
---
apiVersion: gatewright.io/v1alpha1
kind: GatewayParameters
metadata: {namespace: default, name: late}
spec: {}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: default, name: late}
spec:
  gatewayClassName: gatewright
  infrastructure: {parametersRef: {group: gatewright.io, kind: GatewayParameters, name: late}}
  listeners: [{name: late, port: 8082, protocol: HTTP}]
`

// TestDryRun changes nothing: no status, no Event, no lease, no proxy.
func TestDryRun(t *testing.T) {
	l, r := oneProxy(t, "nginx")
	l.Apply(gateway("web", l.address()) + l.service("first", 0) + route("base", "base.Service", []string{"web"}, backend{"nowhere", 1}))
	r.start("--dry-run")
	r.await("say what it would write", func() error {
		for _, object := range []string{"GatewayClass gatewright", "Gateway default/web", "GRPCRoute default/base"} {
			if log := r.process.Log(); !strings.Contains(log, fmt.Sprintf(`msg="the status would change" object=%q`, object)) {
				return errors.New(log)
			}
		}
		return nil
	})
	r.end()
	l.untouched("web", "base")
	if got := l.call(l.addressOf("web"), "base.Service"); got.FromServer() {
		t.Errorf("a proxy answers: %s %s", got.Backend(), got.Message)
	}
	var events eventsv1.EventList
	var leases coordinationv1.LeaseList
	if err := errors.Join(l.client.List(t.Context(), &events, client.InNamespace("default")),
		l.client.List(t.Context(), &leases, client.InNamespace("gatewright"))); err != nil {
		t.Fatal(err)
	}
	// The control plane has Events of its own.
	own := slices.DeleteFunc(events.Items, func(e eventsv1.Event) bool { return e.ReportingController != "gatewright" })
	if len(own)+len(leases.Items) > 0 {
		t.Errorf("there are the Events %+v and %d Leases", own, len(leases.Items))
	}
}
