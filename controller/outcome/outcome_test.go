package outcome

import (
	"errors"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
)

func rule(route string, n int, cluster string) *model.Rule {
	return &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: route, Rule: n},
		Backends: []model.Backend{{Weight: 1, Cluster: cluster}}}
}

func sample() (model.Gateways, []status.Report) {
	m := model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "gw", Listeners: []model.Listener{
		{Name: "web", Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{rule("a", 0, "x"), rule("a", 1, "y"),
			rule("b", 0, "x")}}}},
		{Name: "tls", Protocol: model.HTTPS, KeyPairs: []string{"pair"}},
	}}}}
	const gen = 7
	listener := func(name string) gatewayv1.ListenerStatus {
		l := gatewayv1.ListenerStatus{Name: gatewayv1.SectionName(name)}
		l.Conditions = append(l.Conditions, status.ListenerAccepted(gen), status.ListenerResolvedRefs(gen), status.ListenerPending(gen))
		return l
	}
	refused := listener("old")
	refused.Conditions[2] = status.ListenerNotProgrammed(gen, "conflicted")
	gateway := &gatewayv1.GatewayStatus{Listeners: []gatewayv1.ListenerStatus{listener("web"), listener("tls"), refused}}
	gateway.Conditions = append(gateway.Conditions, status.GatewayPending(gen))
	reports := []status.Report{{Kind: "Gateway", Namespace: "ns", Name: "gw", Generation: gen, Gateway: gateway}}
	for _, name := range []string{"a", "b"} {
		parent := gatewayv1.RouteParentStatus{}
		parent.Conditions = append(parent.Conditions, status.RouteAccepted(gen, "accepted"), status.RouteResolvedRefs(gen))
		reports = append(reports, status.Report{Kind: "GRPCRoute", Namespace: "ns", Name: name, Generation: gen,
			Route: &gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{parent}}})
	}
	return m, reports
}

// conditions are the reports as text.
func conditions(t *testing.T, reports []status.Report) string {
	t.Helper()
	text, err := status.Marshal(reports)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestComplete(t *testing.T) {
	m, reports := sample()
	before := conditions(t, reports)
	web := model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "gw", Listeners: m.Gateways[0].Listeners[:1]}}}
	for _, c := range []struct {
		name string
		out  apply.Outcome
		// want are the refusals: "object: Type Reason: message".
		want []string
		// programmed are the values of Programmed: the Gateway's and its listeners'.
		programmed string
	}{
		{"all fine", apply.Outcome{Served: m}, nil, "True True True False"},
		{"failed", apply.Outcome{Err: errors.New("no answer")}, nil, "Unknown Unknown Unknown False"},
		{"a rule", apply.Outcome{Served: m, LeftOut: []apply.Culprit{{Part: apply.RuleOf(rule("a", 1, "").Source), Message: "too large"}}},
			[]string{"GRPCRoute ns/a: PartiallyInvalid UnsupportedValue: Dropped Rule 1: too large"}, "True True True False"},
		{"the only rule", apply.Outcome{Served: m, LeftOut: []apply.Culprit{{Part: apply.RuleOf(rule("b", 0, "").Source), Message: "too large"}}},
			[]string{"GRPCRoute ns/b: Accepted UnsupportedValue: Dropped Rule 0: too large"}, "True True True False"},
		{"a backend", apply.Outcome{Served: m, LeftOut: []apply.Culprit{{Part: apply.Part{Kind: apply.ClusterPart, Name: "y"},
			Message: "no such host"}}},
			[]string{"GRPCRoute ns/a: ResolvedRefs BackendNotFound: the proxy refuses a backend of rule 1: no such host"}, "True True True False"},
		{"a certificate", apply.Outcome{Served: web, LeftOut: []apply.Culprit{{Part: apply.Part{Kind: apply.KeyPairPart, Name: "pair"},
			Message: "key too small"}}},
			[]string{"Gateway ns/gw: ResolvedRefs InvalidCertificateRef: the proxy refuses a certificate: key too small",
				"Gateway ns/gw: Programmed Invalid: it has no certificate that the proxy takes: key too small"}, "True True False False"},
		{"a listener", apply.Outcome{Served: web, LeftOut: []apply.Culprit{{Part: apply.ListenerOf(&m.Gateways[0], &m.Gateways[0].Listeners[1]),
			Message: "no such address"}}},
			[]string{"Gateway ns/gw: Programmed Invalid: the proxy refuses it: no such address"}, "True True False False"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Complete(reports, m, c.out)
			var refused []string
			for _, r := range status.Refusals(got) {
				if r.Message != "conflicted" {
					refused = append(refused, r.Object+": "+r.Condition+" "+r.Reason+": "+r.Message)
				}
			}
			if !slices.Equal(refused, c.want) {
				t.Errorf("refused\n%q\nwant\n%q", refused, c.want)
			}
			if s := strings.Join(programmedOf(got[0]), " "); s != c.programmed {
				t.Errorf("Programmed is %s, want %s", s, c.programmed)
			}
		})
	}
	if after := conditions(t, reports); after != before {
		t.Errorf("the reports that were given have changed:\n%s", after)
	}
}

func programmedOf(r status.Report) []string {
	var out []string
	for _, c := range r.Gateway.Conditions {
		if c.Type == string(gatewayv1.GatewayConditionProgrammed) {
			out = append(out, string(c.Status))
		}
	}
	for _, l := range r.Gateway.Listeners {
		for _, c := range l.Conditions {
			if c.Type == string(gatewayv1.ListenerConditionProgrammed) {
				out = append(out, string(c.Status))
			}
		}
	}
	return out
}
