package explain

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

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
	const want = "the tables say GRPCRoute ns/r rule 1 match 0, the reference evaluator GRPCRoute ns/r rule 0"
	if err := checkTrace(m, trace, call); err == nil || !strings.Contains(err.Error(), want) {
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
