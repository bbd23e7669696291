package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

func TestExplain(t *testing.T) {
	ask := func(args ...string) []string {
		return append([]string{"explain", "-f", "-", "--check", "--proxy-version", "1.26.3", "--authority", "a.example.com:8080"}, args...)
	}
	stdout, _ := must(t, exitFine, shop, ask("--method", "/shop.Cart/Add")...)
	contains(t, "served", stdout, "Listener  grpc of Gateway default/shop: HTTP, port 8080, any host", "GRPCRoute default/cart rule 0", "serves",
		"100% of the calls: Service default/cart:50051 at 192.0.2.1:50051", "The reference evaluator agrees.")

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
	var e explanation
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
	stdout, _ := must(t, exitFine, rules, "explain", "-f", "-", "--check", "--proxy-version", "1.26.3", "--authority", "a.example.com", "--method", "shop.Cart/Add", "-o", "json")
	var e explanation
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

// TestCheckFindsDisagreement makes sure that --check can fail.
func TestCheckFindsDisagreement(t *testing.T) {
	rule := func(n int) *model.Rule {
		return &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "r", Rule: n}, Matches: []model.Match{{}}}
	}
	m := model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "g", Listeners: []model.Listener{{
		Name: "l", Port: 80, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{rule(0), rule(1)}}},
	}}}}}
	call := model.Call{Port: 80, Authority: "a", Path: "/s/m", Method: "POST"}
	trace := matching.Compile(m).Walk(call)
	if err := checkTrace(m, trace, call); err != nil {
		t.Errorf("no disagreement: %v", err)
	}
	trace.Rule = m.Gateways[0].Listeners[0].Scopes[0].Rules[1]
	if err := checkTrace(m, trace, call); err == nil || !strings.Contains(err.Error(), "the tables say GRPCRoute ns/r rule 1 match 0, the reference evaluator GRPCRoute ns/r rule 0") {
		t.Errorf("a disagreement: %v", err)
	}
}

func TestPercent(t *testing.T) {
	for p, want := range map[float64]string{100: "100%", 0.1: "0.1%", 100.0 / 3: "33.33%", 200.0 / 3: "66.67%", 90: "90%"} {
		if got := percentText(p); got != want {
			t.Errorf("%v: %s, want %s", p, got, want)
		}
	}
}

// TestDrawEscapes draws names that mean something to either language.
func TestDrawEscapes(t *testing.T) {
	edges := []translate.Edge{{
		From:   translate.Node{Kind: "Gateway", Namespace: "ns", Name: `a"]; evil --> x["`},
		To:     translate.Node{Kind: "GRPCRoute", Name: "b\\\"\n&quot;<b>#35;`end`", Section: "rule 0"},
		Label:  `l|"x"|`,
		Reason: "Refused",
	}}
	want := `flowchart LR
  n0["Gateway<br/>ns/a#34;#93;#59; evil --#62; x#91;#34;"]
  n1["GRPCRoute<br/>b#92;#34;#10;#38;quot#59;#60;b#62;#35;35#59;#96;end#96;<br/>rule 0"]
  n0 -.->|"l#124;#34;x#34;#124;<br/>Refused"| n1
  linkStyle 0 stroke:red,color:red
`
	if got := draw(mermaid{}, edges); got != want {
		t.Errorf("mermaid:\n%s\nwant\n%s", got, want)
	}
	want = `digraph gatewright {
  rankdir=LR;
  node [shape=box];
  n0 [label="Gateway\nns/a\"]; evil --> x[\""];
  n1 [label="GRPCRoute\nb\\\" &amp;quot;<b>#35;` + "`end`" + `\nrule 0"];
  n0 -> n1 [label="l|\"x\"|\nRefused", color=red, fontcolor=red, style=dashed];
}
`
	if got := draw(dot{}, edges); got != want {
		t.Errorf("dot:\n%s\nwant\n%s", got, want)
	}
}
