package outcome

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
)

// setSample is a Gateway with a listener that is refused, and a ListenerSet with two that aren't. Both have listeners called web.
func setSample() (model.Gateways, []status.Report) {
	m := model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "gw", Listeners: []model.Listener{
		{Name: model.SetListener("team", "more", "web"), Protocol: model.HTTP},
		{Name: model.SetListener("team", "more", "tls"), Protocol: model.HTTPS, KeyPairs: []string{"pair"}},
	}}}}
	const gen = 7
	gateway := &gatewayv1.GatewayStatus{Listeners: []gatewayv1.ListenerStatus{{Name: "web"}}}
	gateway.Conditions = append(gateway.Conditions, status.GatewayPending(gen))
	gateway.Listeners[0].Conditions = append(gateway.Listeners[0].Conditions, status.ListenerNotProgrammed(gen, "refused"))
	set := &gatewayv1.ListenerSetStatus{Conditions: []metav1.Condition{status.ListenerSetPending(gen)}}
	for _, l := range []string{"web", "tls"} {
		entry := gatewayv1.ListenerEntryStatus{Name: gatewayv1.SectionName(l)}
		entry.Conditions = append(entry.Conditions, status.ListenerResolvedRefs(gen), status.ListenerPending(gen))
		set.Listeners = append(set.Listeners, entry)
	}
	return m, []status.Report{
		{Kind: "Gateway", Namespace: "ns", Name: "gw", Generation: gen, Gateway: gateway},
		{Kind: "ListenerSet", Namespace: "team", Name: "more", Generation: gen, ListenerSet: set},
	}
}

// TestListenerSets: what becomes of the listeners of a ListenerSet is told there, and the Gateway is programmed when any of its
// listeners is served, its own or theirs.
func TestListenerSets(t *testing.T) {
	m, reports := setSample()
	web := model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "gw", Listeners: m.Gateways[0].Listeners[:1]}}}
	culprit := func(i int, reason string) apply.Culprit {
		return apply.Culprit{Part: apply.ListenerOf(&m.Gateways[0], &m.Gateways[0].Listeners[i]), Message: "no", Reason: reason}
	}
	for _, c := range []struct {
		name     string
		out      apply.Outcome
		rendered bool
		// want is Programmed with its reason: the Gateway's, the ListenerSet's and its listeners'.
		want []string
	}{
		{"all fine", apply.Outcome{Served: m}, false,
			[]string{"True Programmed", "True Programmed", "True Programmed", "True Programmed"}},
		{"failed", apply.Outcome{Err: errors.New("no answer")}, false,
			[]string{"Unknown Pending", "Unknown Pending", "Unknown Pending", "Unknown Pending"}},
		{"rendered", apply.Outcome{}, true,
			[]string{"Unknown Pending", "Unknown Pending", "Unknown Pending", "Unknown Pending"}},
		{"one listener", apply.Outcome{Served: web, LeftOut: []apply.Culprit{culprit(1, "")}}, false,
			[]string{"True Programmed", "True Programmed", "True Programmed", "False Invalid"}},
		{"a certificate", apply.Outcome{Served: web, LeftOut: []apply.Culprit{{Part: apply.Part{Kind: apply.KeyPairPart, Name: "pair"}}}}, false,
			[]string{"True Programmed", "True Programmed", "True Programmed", "False Invalid"}},
		{"all listeners", apply.Outcome{LeftOut: []apply.Culprit{culprit(0, "PortUnavailable"), culprit(1, "")}}, false,
			[]string{"False Invalid", "False ListenersNotValid", "False PortUnavailable", "False Invalid"}},
		{"all ports", apply.Outcome{LeftOut: []apply.Culprit{culprit(0, "PortUnavailable"), culprit(1, "PortUnavailable")}}, false,
			[]string{"False Invalid", "False PortUnavailable", "False PortUnavailable", "False PortUnavailable"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Complete(reports, m, c.out)
			if c.rendered {
				got = Rendered(reports, m, nil)
			}
			var programmed []string
			add := func(conditions []metav1.Condition) {
				for _, c := range conditions {
					if c.Type == string(gatewayv1.ListenerSetConditionProgrammed) {
						programmed = append(programmed, fmt.Sprintf("%s %s", c.Status, c.Reason))
					}
				}
			}
			add(got[0].Gateway.Conditions)
			add(got[1].ListenerSet.Conditions)
			for _, l := range got[1].ListenerSet.Listeners {
				add(l.Conditions)
			}
			if !slices.Equal(programmed, c.want) {
				t.Errorf("Programmed is %q, want %q", programmed, c.want)
			}
			if c := got[0].Gateway.Listeners[0].Conditions[0]; c.Message != "refused" {
				t.Errorf("the Gateway's own listener of the same name has %+v", c)
			}
		})
	}
}
