package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewright/gatewright/controller/status"
)

// parented is a manifest with parents in flow style.
func parented(kind, name, parents string) string {
	field := "parentRefs: [" + parents + "]"
	if kind == "ListenerSet" {
		field = "parentRef: " + parents + "\n  listeners: [{name: a, port: 80, protocol: HTTP}]"
	}
	return fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: %s\nmetadata: {name: %s, namespace: ns}\nspec:\n  %s\n", kind, name, field)
}

// TestMissingParents: what names a parent that isn't there is refused by name where the snapshot is all there is, and what others may
// serve isn't. In a cluster it may always be somebody else's.
func TestMissingParents(t *testing.T) {
	manifests := []string{classYAML, strings.Replace(gatewayYAML, "{name: gw}", "{name: gw, namespace: ns}", 1),
		strings.NewReplacer("{name: gw}", "{name: foreign, namespace: ns}", "gatewayClassName: ", "gatewayClassName: not-").Replace(gatewayYAML),
		parented("ListenerSet", "elsewhere", "{name: gw, namespace: other}"),
		parented("ListenerSet", "of-set", "{name: elsewhere, kind: ListenerSet}"),
		parented("GRPCRoute", "of-foreign", "{name: foreign}"),
		parented("GRPCRoute", "of-foreign-and-missing", "{name: foreign}, {name: missing}"),
		parented("GRPCRoute", "of-mesh", "{name: svc, kind: Service, group: ''}, {name: missing}"),
		parented("GRPCRoute", "of-nothing", "{name: missing}, {name: gone, kind: ListenerSet, namespace: other}"),
		parented("GRPCRoute", "of-orphan", "{name: elsewhere, kind: ListenerSet}"),
		parented("GRPCRoute", "one-of-two", "{name: missing}, {name: gw}"),
		parented("HTTPRoute", "of-nothing", "{name: missing, sectionName: a}"),
	}
	var got []string
	for _, r := range status.Refusals(Translate(decode(t, manifests...), nginx, Options{Whole: true}).Reports()) {
		got = append(got, fmt.Sprintf("%s, %s: %s %s: %s", r.Object, r.Where, r.Condition, r.Reason, r.Message))
	}
	want := []string{
		"GRPCRoute ns/of-nothing, parentRef Gateway ns/missing: Accepted NoMatchingParent: spec.parentRefs[0]: Gateway ns/missing is not in " +
			"the input; add it, or mend the name",
		"GRPCRoute ns/of-nothing, parentRef ListenerSet other/gone: Accepted NoMatchingParent: spec.parentRefs[1]: ListenerSet other/gone is " +
			"not in the input; add it, or mend the name",
		"GRPCRoute ns/of-orphan, parentRef ListenerSet ns/elsewhere: Accepted NoMatchingParent: spec.parentRefs[0]: ListenerSet ns/elsewhere " +
			"is attached to no Gateway of the input; its own status says why",
		"GRPCRoute ns/one-of-two, parentRef Gateway ns/missing: Accepted NoMatchingParent: spec.parentRefs[0]: Gateway ns/missing is not in " +
			"the input; add it, or mend the name",
		`HTTPRoute ns/of-nothing, parentRef Gateway ns/missing listener "a": Accepted NoMatchingParent: spec.parentRefs[0]: Gateway ns/missing ` +
			"is not in the input; add it, or mend the name",
		"ListenerSet ns/elsewhere, : Accepted ParentNotAccepted: spec.parentRef: Gateway other/gw is not in the input; add it, or mend the name",
		"ListenerSet ns/elsewhere, : Programmed ParentNotAccepted: the ListenerSet isn't accepted",
		"ListenerSet ns/of-set, : Accepted ParentNotAccepted: spec.parentRef: a ListenerSet can't be attached to another one; name a Gateway",
		"ListenerSet ns/of-set, : Programmed ParentNotAccepted: the ListenerSet isn't accepted",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	for _, r := range status.Refusals(Translate(decode(t, manifests...), nginx, Options{}).Reports()) {
		t.Errorf("in a cluster: %+v", r)
	}
}
