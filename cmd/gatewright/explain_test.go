package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/controller/explain"
)

func TestExplain(t *testing.T) {
	ask := func(args ...string) []string {
		return append([]string{"explain", "-f", "-", "--check", "--proxy-version", "1.26.3", "--authority", "a.example.com:8080"}, args...)
	}
	stdout, _ := must(t, exitFine, shop, ask("--method", "/shop.Cart/Add")...)
	contains(t, "served", stdout, "Listener  grpc of Gateway default/shop: HTTP, port 8080, any host",
		"GRPCRoute default/cart rule 0", "serves", "100% of the calls: Service default/cart:50051 at 192.0.2.1:50051",
		"The reference evaluator agrees.")

	stdout, _ = must(t, exitRefused, shop, ask("--method", "shop.Other/Add")...)
	contains(t, "no rule", stdout, "The proxy answers UNIMPLEMENTED: no rule matches", "no: ")

	stdout, _ = must(t, exitRefused, shop+missing, ask("--method", "shop.Reviews/List")...)
	contains(t, "no Service", stdout, "100% of the calls: the proxy answers UNAVAILABLE: ", "Service default/reviews doesn't exist")

	empty := strings.Replace(shop, `endpoints: [{addresses: ["192.0.2.1"]}]`, "endpoints: []", 1)
	stdout, _ = must(t, exitRefused, empty, ask("--method", "shop.Cart/Add")...)
	contains(t, "no endpoint", stdout, "Service default/cart:50051, UNAVAILABLE: the Service has no ready endpoint")

	stdout, _ = must(t, exitRefused, shop, ask("--method", "shop.Cart/Add", "--port", "9")...)
	contains(t, "no port", stdout, "the connection is refused")

	stdout, _ = must(t, exitFine, shop, ask("--method", "shop.Cart/Add", "-H", "A=b=c", "-o", "json")...)
	var e explain.Explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Candidates) != 1 || !e.Candidates[0].Serves || e.Answer.Backends[0].Service != "default/cart:50051" || !e.Checked ||
		len(e.Call.Headers) != 1 || e.Call.Headers[0] != "a: b=c" {
		t.Errorf("JSON: %s", stdout)
	}
}

// TestOthers: the rules that were not looked at stand in order of precedence, whatever the order in the route.
func TestOthers(t *testing.T) {
	rules := strings.Replace(shop, "  rules:\n", `  rules:
  - {matches: [{}], backendRefs: [{name: cart, port: 50051}]}
  - {matches: [{method: {service: shop.A}}], backendRefs: [{name: cart, port: 50051}]}
  - {matches: [{method: {service: shop.Longer}}, {method: {service: shop.Cart, method: Add}}], backendRefs: [{name: cart, port: 50051}]}
`, 1)
	stdout, _ := must(t, exitFine, rules, "explain", "-f", "-", "--check", "--proxy-version", "1.26.3",
		"--authority", "a.example.com", "--method", "shop.Cart/Add", "-o", "json")
	var e explain.Explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range e.Others {
		got = append(got, o.Wants+": "+o.Why)
	}
	const after = ": it comes after the one that serves"
	want := []string{"/shop.Cart/*" + after, "any method" + after,
		`/shop.Longer/*: service is "shop.Cart", not "shop.Longer"`, `/shop.A/*: service is "shop.Cart", not "shop.A"`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestServerName: clients send a name without the dot that it may end in.
func TestServerName(t *testing.T) {
	text, err := os.ReadFile("../../test/cases/tls-terminate/in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.example.com", "a.example.com.", "A.Example.com."} {
		stdout, _ := must(t, exitFine, string(text), "explain", "-f", "-", "--check", "--proxy-version", "1.26.3",
			"--authority", "a.example.com", "--sni", name, "--method", "acme.v1.Echo/Say")
		contains(t, name, stdout, "100% of the calls")
	}
}
