package graph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/apply"
)

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

// translated is a golden case as nginx would serve it.
func translated(t *testing.T, dir string) translate.Result {
	t.Helper()
	snapshot, _, err := resources.Load([]string{"../../test/cases/" + dir + "/in.yaml"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, _ = resources.Complete(snapshot, resources.Completion{
		Controller: translate.DefaultController, Backends: string(translate.BackendsEndpoints),
	})
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3})
	result, err := new(translate.Translator).Try(snapshot, caps, translate.Options{Controller: translate.DefaultController})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestLeftOut: what can't be rendered is among the refused.
func TestLeftOut(t *testing.T) {
	route, set := translated(t, "match-service"), translated(t, "listenerset-routes")
	listener := &route.Gateways.Gateways[0].Listeners[0]
	rule := listener.Scopes[0].Rules[0].Source
	gateway := &set.Gateways.Gateways[0]
	for _, c := range []struct {
		result translate.Result
		part   apply.Part
		want   string
	}{
		{route, apply.RuleOf(rule), fmt.Sprintf("%s %s/%s rule %d", rule.Kind, rule.Namespace, rule.Name, rule.Rule)},
		{set, apply.ListenerOf(gateway, &gateway.Listeners[0]), "Gateway default/gateway web"},
		{set, apply.ListenerOf(gateway, &gateway.Listeners[1]), "ListenerSet team/more web"},
	} {
		refused := func(edges []translate.Edge) (names []string) {
			for _, e := range edges {
				if e.Reason != "" {
					names = append(names, e.To.Kind+" "+e.To.Namespace+"/"+e.To.Name+" "+e.To.Section)
				}
			}
			return names
		}
		before := refused(Edges(c.result, nil))
		got := refused(Edges(c.result, []apply.Culprit{{Part: c.part, Message: "too long"}}))
		if slices.Contains(before, c.want) || !slices.Contains(got, c.want) {
			t.Errorf("refused are %q, before %q; want %q as well", got, before, c.want)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, format := range Formats() {
		if text, err := Draw(format, nil); err != nil || text == "" {
			t.Errorf("%s: %q, %v", format, text, err)
		}
	}
	if _, err := Draw("text", nil); err == nil {
		t.Error("text is no drawing")
	}
}
