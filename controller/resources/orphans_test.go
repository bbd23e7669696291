package resources

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parented is a manifest with parents in flow style.
func parented(kind, name, parents string) string {
	field := "parentRefs: [" + parents + "]"
	if kind == "ListenerSet" {
		field = "parentRef: " + parents + "\n  listeners: [{name: a, port: 80, protocol: HTTP}]"
	}
	return fmt.Sprintf("---\napiVersion: gateway.networking.k8s.io/v1\nkind: %s\nmetadata: {name: %s}\nspec:\n  %s\n", kind, name, field)
}

// TestOrphans: what can't be attached to anything of the input is named, and what others may serve isn't.
func TestOrphans(t *testing.T) {
	text := "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw}\n" +
		"spec: {gatewayClassName: c, listeners: [{name: a, port: 80, protocol: HTTP}]}\n" +
		parented("ListenerSet", "fine", "{name: gw}") +
		parented("ListenerSet", "elsewhere", "{name: gw, namespace: other}") +
		parented("ListenerSet", "of-set", "{name: fine, kind: ListenerSet}") +
		parented("GRPCRoute", "of-gateway", "{name: gw}") +
		parented("GRPCRoute", "of-set", "{name: fine, kind: ListenerSet}") +
		parented("GRPCRoute", "one-of-two", "{name: missing}, {name: gw}") +
		parented("GRPCRoute", "of-mesh", "{name: svc, kind: Service, group: ''}") +
		parented("GRPCRoute", "of-nothing", "{name: missing}, {name: gone, kind: ListenerSet, namespace: other}")
	for i := range mostOrphans + 2 {
		text += parented("HTTPRoute", fmt.Sprintf("r%02d", i), "{name: missing}")
	}
	s, _, err := Load([]string{"-"}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range noteOrphans(s) {
		got = append(got, n.String())
	}
	http := "HTTPRoute: not served: their parentRefs name no Gateway or ListenerSet of the input: default/r00 (Gateway default/missing)"
	for i := 1; i < mostOrphans; i++ {
		http += fmt.Sprintf(", default/r%02d (Gateway default/missing)", i)
	}
	want := []string{
		"ListenerSet: not served: their parentRefs name no Gateway of the input: default/elsewhere (Gateway other/gw), " +
			"default/of-set (ListenerSet default/fine)",
		"GRPCRoute: not served: their parentRefs name no Gateway or ListenerSet of the input: " +
			"default/of-nothing (Gateway default/missing, ListenerSet other/gone)",
		http + " and 2 more",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
