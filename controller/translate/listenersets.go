package translate

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// noListenerSets is why a ListenerSet, and a route that names one, isn't served.
const noListenerSets = "ListenerSets aren't supported yet; put the listeners into the Gateway"

// addListenerSets takes the ListenerSets of our Gateways, to refuse them by name.
func (g *graph) addListenerSets() {
	for _, o := range g.in.ListenerSets {
		ref := &o.Spec.ParentRef
		if deref(ref.Group, groupGateway) != groupGateway || deref(ref.Kind, kindGateway) != kindGateway {
			continue
		}
		gw := g.byName[name{string(deref(ref.Namespace, gatewayv1.Namespace(o.Namespace))), string(ref.Name)}]
		if gw == nil {
			continue
		}
		s := &listenerSet{object: o, name: nameOf(o), gateway: gw}
		g.sets = append(g.sets, s)
		g.bySet[s.name] = s
	}
	slices.SortFunc(g.sets, func(a, b *listenerSet) int { return strings.Compare(a.name.String(), b.name.String()) })
}
