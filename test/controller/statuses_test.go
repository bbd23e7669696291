package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
)

// grpcRoute reads a GRPCRoute of namespace default.
func (l *lab) grpcRoute(name string) *gatewayv1.GRPCRoute {
	l.Helper()
	o := &gatewayv1.GRPCRoute{}
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: name}, o); err != nil {
		l.Fatal(err)
	}
	return o
}

// raw reads a part of an object's status as the API server has it.
func (l *lab) raw(kind, name string, fields ...string) []any {
	l.Helper()
	o := &unstructured.Unstructured{}
	of := schema.GroupVersion{Group: gatewayv1.GroupName, Version: "v1"}
	if slices.Contains([]string{policy.TimeoutKind, policy.RetryKind, policy.BackendKind, policy.ParametersKind}, kind) {
		of = schema.GroupVersion{Group: policy.Group, Version: policy.Version}
	}
	o.SetGroupVersionKind(of.WithKind(kind))
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: name}, o); err != nil {
		l.Fatal(err)
	}
	list, _, err := unstructured.NestedSlice(o.Object, append([]string{"status"}, fields...)...)
	if err != nil {
		l.Fatal(err)
	}
	return list
}

// foreign is the entry of a list in which a field has a value, as JSON; "" when there is none.
func foreign(list []any, field, value string) string {
	for _, entry := range list {
		if m, ok := entry.(map[string]any); ok && m[field] == value {
			text, err := json.Marshal(m)
			if err != nil {
				return err.Error()
			}
			return string(text)
		}
	}
	return ""
}

// add adds an entry to a list in an object's status, as another controller.
func (l *lab) add(o client.Object, list, entry string) {
	l.Helper()
	patch := fmt.Sprintf(`[{"op": "add", "path": "/status/%s/-", "value": %s}]`, list, entry)
	if err := l.client.Status().Patch(l.Context(), o, client.RawPatch("application/json-patch+json", []byte(patch))); err != nil {
		l.Fatal(err)
	}
}

const (
	foreignType       = "example.com/Foreign"
	foreignController = "example.com/other"
	foreignCondition  = `{"type": "example.com/Foreign", "status": "False", "reason": "Because", "message": " spaces  and \"quotes\" ", ` +
		`"observedGeneration": 1, "lastTransitionTime": "2001-02-03T04:05:06Z"}`
	foreignEntry = `{"controllerName": "example.com/other", "parentRef": {"group": "example.com", "kind": "Thing", "name": "thing", "port": 7}, ` +
		`"conditions": [` + foreignCondition + `]}`
)

// TestForeign keeps what other controllers have written, byte for byte, while everything of ours changes around it.
func TestForeign(t *testing.T) {
	l, r := oneProxy(t, "nginx")
	a, b := "web", "other"
	r.start()
	l.Apply(gateway(a, l.address()) + gateway(b, l.address()) + l.service("first", 0) +
		route("base", "base.Service", []string{a, b}, backend{"first", 1}))
	l.converged()
	l.add(&gatewayv1.Gateway{ObjectMeta: named(a)}, "conditions", foreignCondition)
	l.add(l.grpcRoute("base"), "parents", foreignEntry)
	condition := foreign(l.raw("Gateway", a, "conditions"), "type", foreignType)
	entry := foreign(l.raw("GRPCRoute", "base", "parents"), "controllerName", foreignController)
	if condition == "" || entry == "" {
		t.Fatal("what was added isn't there")
	}
	// One parent goes, and with it our entry for it; the listener gets a neighbour.
	l.Apply(route("base", "base.Service", []string{a}, backend{"first", 2}) +
		strings.Replace(gateway(a, l.addressOf(a)), "listeners: [", "listeners: [{name: more, port: 8081, protocol: HTTP}, ", 1))
	l.until("follow", func() error {
		o := l.grpcRoute("base")
		if len(o.Status.Parents) != 2 {
			return fmt.Errorf("%d entries, want one of ours and the foreign one", len(o.Status.Parents))
		}
		for _, p := range o.Status.Parents {
			if string(p.ControllerName) != foreignController &&
				(string(p.ParentRef.Name) != a || isTrue(p.Conditions, "Accepted", o.Generation) != nil) {
				return fmt.Errorf("our entry: %+v", p)
			}
		}
		return nil
	})
	l.tells(a, "Programmed", l.addressOf(a))
	if got := foreign(l.raw("Gateway", a, "conditions"), "type", foreignType); got != condition {
		t.Errorf("the foreign condition was\n%s\nand is\n%s", condition, got)
	}
	if got := foreign(l.raw("GRPCRoute", "base", "parents"), "controllerName", foreignController); got != entry {
		t.Errorf("the foreign entry was\n%s\nand is\n%s", entry, got)
	}
	// All parents go: the foreign entry stays alone.
	o := l.grpcRoute("base")
	o.Spec.ParentRefs = nil
	if err := l.client.Update(l.Context(), o); err != nil {
		t.Fatal(err)
	}
	l.until("remove the last entry", func() error {
		if n := len(l.grpcRoute("base").Status.Parents); n != 1 {
			return fmt.Errorf("%d entries", n)
		}
		return nil
	})
	if got := foreign(l.raw("GRPCRoute", "base", "parents"), "controllerName", foreignController); got != entry {
		t.Errorf("the foreign entry was\n%s\nand is\n%s", entry, got)
	}
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "default", Name: name} }

// writes are how many statuses of a kind were written.
func (r *replica) writes(kind string) float64 {
	r.Helper()
	return r.metric(fmt.Sprintf(`gatewright_status_writes_total{kind=%q,result="ok"}`, kind))
}

// TestQuiet writes nothing that is there already, and a condition that stays what it was keeps its time.
func TestQuiet(t *testing.T) {
	l, r := oneProxy(t, "haproxy")
	r.start()
	l.Apply(gateway("web", l.address()) + l.service("first", 0) + route("base", "base.Service", []string{"web"}, backend{"first", 1}))
	l.converged()
	accepted := func() *metav1.Condition {
		return meta.FindStatusCondition(l.grpcRoute("base").Status.Parents[0].Conditions, "Accepted")
	}
	before := accepted().LastTransitionTime
	// The API keeps whole seconds, so a new time has to be another one.
	l.until("be another second", func() error {
		if !time.Now().After(before.Add(2 * time.Second)) {
			return errors.New("not yet")
		}
		return nil
	})
	l.Apply(route("base", "base.Service", []string{"web"}, backend{"first", 2}))
	l.converged()
	if got := accepted().LastTransitionTime; !got.Equal(&before) {
		t.Errorf("Accepted was true since %s, and says %s after another change", before, got)
	}

	kinds := []string{"GatewayClass", "Gateway", "GRPCRoute"}
	written := map[string]float64{}
	for _, kind := range kinds {
		written[kind] = r.writes(kind)
	}
	for i := range 20 {
		for _, o := range []client.Object{&gatewayv1.Gateway{ObjectMeta: named("web")}, &gatewayv1.GRPCRoute{ObjectMeta: named("base")}} {
			patch := fmt.Sprintf(`{"metadata": {"labels": {"touched": "%d"}, "annotations": {"touched": "%d"}}}`, i, i)
			if err := l.client.Patch(l.Context(), o, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
				t.Fatal(err)
			}
		}
		l.Apply(l.service("first", i%2, 2))
	}
	// All of that has been seen when this is served: it comes after it by the same watch.
	l.Apply(route("last", "last.Service", []string{"web"}, backend{"first", 1}))
	l.answers(l.addressOf("web"), "last.Service", "first")
	l.converged()
	for kind, want := range map[string]float64{"GatewayClass": 0, "Gateway": 1, "GRPCRoute": 1} {
		if got := r.writes(kind) - written[kind]; got != want {
			t.Errorf("%s: %g statuses of kind %s were written for one new route, want %g", r.proxy, got, kind, want)
		}
	}
}

// TestRefusals names what isn't served in status and in Events, and says what a class can.
func TestRefusals(t *testing.T) {
	l, r := oneProxy(t, "nginx")
	r.start()
	l.Apply(strings.Replace(gateway("web", l.address()), "listeners: [",
		"listeners: [{name: udp, port: 9090, protocol: UDP}, {name: own, port: 9091, protocol: example.com/own}, ", 1) +
		route("lost", "lost.Service", []string{"web"}, backend{"nowhere", 1}))
	l.tells("web", "Programmed", l.addressOf("web"))
	var g gatewayv1.Gateway
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: "web"}, &g); err != nil {
		t.Fatal(err)
	}
	for _, listener := range g.Status.Listeners {
		c := meta.FindStatusCondition(listener.Conditions, "Accepted")
		if want := listener.Name == "web"; want != (c.Status == metav1.ConditionTrue) || !want && c.Reason != "UnsupportedProtocol" {
			t.Errorf("listener %s: %+v", listener.Name, c)
		}
	}
	l.event("Gateway", "web", "UnsupportedProtocol", `listener "udp"`, `listener "own"`)
	l.event("GRPCRoute", "lost", "BackendNotFound", "default/nowhere")

	var class gatewayv1.GatewayClass
	l.until("say what the class can", func() error {
		if err := l.client.Get(l.Context(), client.ObjectKey{Name: "gatewright"}, &class); err != nil {
			return err
		}
		for _, typ := range []string{"Accepted", "SupportedVersion"} {
			if err := isTrue(class.Status.Conditions, typ, class.Generation); err != nil {
				return err
			}
		}
		return nil
	})
	var features []string
	for _, f := range class.Status.SupportedFeatures {
		features = append(features, string(f.Name))
	}
	if !slices.IsSorted(features) || !slices.Contains(features, "GRPCRoute") || !slices.Contains(features, "HTTPRoute") ||
		slices.Contains(features, "ClusterTrustBundle") {
		t.Errorf("supportedFeatures are %v, want them sorted, with GRPCRoute and HTTPRoute and without ClusterTrustBundle", features)
	}
}

// event returns when there is an Event of an object with a reason and the texts.
func (l *lab) event(kind, name, reason string, texts ...string) {
	l.Helper()
	l.until(fmt.Sprintf("an Event %s of %s %s", reason, kind, name), func() error {
		var list eventsv1.EventList
		if err := l.client.List(l.Context(), &list, client.InNamespace("default")); err != nil {
			return err
		}
		var have []string
		for _, e := range list.Items {
			if e.Regarding.Kind != kind || e.Regarding.Name != name {
				continue
			}
			have = append(have, e.Reason+": "+e.Note)
			if e.Reason == reason && e.Type == "Warning" &&
				!slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(e.Note, text) }) {
				return nil
			}
		}
		return fmt.Errorf("there are %q", have)
	})
}

// TestPrecedence lets a route's own hostname decide where the intersections with the listener's are the same (R12): it goes
// before the age of a route and before what its rules match.
func TestPrecedence(t *testing.T) {
	eachProxy(t, func(l *lab, r *replica) {
		r.start()
		hostnames := func(route, hostname string) string {
			return strings.Replace(route, "  rules:", "  hostnames: ["+hostname+"]\n  rules:", 1)
		}
		l.Apply(strings.Replace(gateway("web", l.address()), "{name: web, ", `{name: web, hostname: "a.example.com", `, 1) +
			l.service("wide", 0) + l.service("exact", 0) +
			hostnames(route("wide", "base.Service", []string{"web"}, backend{"wide", 1}), `"*.example.com"`))
		call := callTo(l.addressOf("web"), "base.Service")
		call.Authority = "a.example.com"
		served := func(want string) {
			l.until("serve "+want, func() error {
				l.fresh.Close()
				if got := l.fresh.Do(call); got.Backend() != want {
					return fmt.Errorf("%s: %s", got.Backend(), got.Message)
				}
				return nil
			})
		}
		served("wide")
		all := strings.Replace(route("exact", "", []string{"web"}, backend{"exact", 1}), "matches: [{method: {service: }}]\n    ", "", 1)
		l.Apply(hostnames(all, "a.example.com"))
		served("exact")
		l.converged()
		l.delete(&gatewayv1.GRPCRoute{}, "exact")
		served("wide")
	})
}
