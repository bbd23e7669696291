package referent

import (
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestObject: what a reference leaves out is what the API says that it stands for, and what it gives counts.
func TestObject(t *testing.T) {
	group, kind, other := gatewayv1.Group("example.com"), gatewayv1.Kind("Widget"), gatewayv1.Namespace("other")
	set := func(ref gatewayv1.ParentGatewayReference) *gatewayv1.ListenerSet {
		s := &gatewayv1.ListenerSet{Spec: gatewayv1.ListenerSetSpec{ParentRef: ref}}
		s.Namespace = "ns"
		return s
	}
	for _, row := range []struct {
		name         string
		plain, given Object
		is           func(Object) bool
	}{
		{"parentRef", Parent(&gatewayv1.ParentReference{Name: "x"}, "ns"),
			Parent(&gatewayv1.ParentReference{Group: &group, Kind: &kind, Namespace: &other, Name: "x"}, "ns"), Object.IsGateway},
		{"parentRef of a ListenerSet", SetParent(set(gatewayv1.ParentGatewayReference{Name: "x"})),
			SetParent(set(gatewayv1.ParentGatewayReference{Group: &group, Kind: &kind, Namespace: &other, Name: "x"})), Object.IsGateway},
		{"backendRef", Backend(&gatewayv1.BackendObjectReference{Name: "x"}, "ns"),
			Backend(&gatewayv1.BackendObjectReference{Group: &group, Kind: &kind, Namespace: &other, Name: "x"}, "ns"), Object.IsService},
		{"certificateRef", Certificate(&gatewayv1.SecretObjectReference{Name: "x"}, "ns"),
			Certificate(&gatewayv1.SecretObjectReference{Group: &group, Kind: &kind, Namespace: &other, Name: "x"}, "ns"), Object.IsSecret},
	} {
		if !row.is(row.plain) || row.plain.String() != "ns/x" {
			t.Errorf("%s: the name alone stands for %+v", row.name, row.plain)
		}
		if row.is(row.given) || row.given.Group != "example.com" || row.given.Kind != "Widget" || row.given.String() != "other/x" {
			t.Errorf("%s: with all given it stands for %+v", row.name, row.given)
		}
	}
	listenerSet := gatewayv1.Kind("ListenerSet")
	if o := Parent(&gatewayv1.ParentReference{Kind: &listenerSet, Name: "x"}, "ns"); !o.IsListenerSet() || o.IsGateway() {
		t.Errorf("a ListenerSet is %+v", o)
	}
	if o := Parent(&gatewayv1.ParentReference{Group: &group, Name: "x"}, "ns"); o.IsGateway() {
		t.Errorf("a Gateway of another group is %+v", o)
	}
}
