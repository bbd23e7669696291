package main

import (
	"strings"
	"testing"
)

// TestNothingSilent: what certainly can't work is refused by name, in the exit code and for explain too; what may be meant or may still
// come is a note.
func TestNothingSilent(t *testing.T) {
	slice := shop[strings.LastIndex(shop, "---\n"):]
	label := "labels: {kubernetes.io/service-name: cart}"
	for _, c := range []struct {
		what      string
		generate  int // The exit code of generate; the call of explain never reaches an endpoint.
		manifests string
		want      string
	}{
		{"parent", exitRefused, strings.Replace(shop, "parentRefs: [{name: shop}]", "parentRefs: [{name: ship}]", 1),
			"spec.parentRefs[0]: Gateway default/ship is not in the input; add it, or mend the name"},
		{"no slice", exitFine, strings.Replace(shop, slice, "", 1), "Service default/cart has no EndpointSlice, so that its calls fail: add one"},
		{"label", exitFine, strings.Replace(shop, label, "labels: {app: cart}", 1),
			"EndpointSlice default/cart-1: its endpoints get no calls, for it has no label kubernetes.io/service-name"},
		{"another's label", exitFine, strings.Replace(shop, label, strings.Replace(label, ": cart", ": card", 1), 1),
			"its label kubernetes.io/service-name names Service default/card, which is not in the input"},
		{"port", exitRefused, strings.Replace(shop, "ports: [{port: 50051}]\nendpoints", "ports: [{name: http, port: 50051}]\nendpoints", 1),
			`have no TCP port without a name, as port 50051 of the Service is, so that its calls fail: they have "http"`},
	} {
		_, stderr := must(t, c.generate, c.manifests, "generate", "-f", "-", "-o", "-")
		contains(t, c.what, stderr, c.want)
		stdout, stderr := must(t, exitRefused, c.manifests, "explain", "-f", "-", "--authority", "a.test", "--method", "shop.Cart/Add")
		contains(t, c.what+", explain", stdout+stderr, c.want)
	}
	scaled := strings.Replace(shop, `endpoints: [{addresses: ["192.0.2.1"]}]`, "endpoints: []", 1)
	must(t, exitFine, scaled, "generate", "-f", "-", "-o", "-")
}
