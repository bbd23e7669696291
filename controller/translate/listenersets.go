package translate

import (
	"slices"
	"strings"

	"github.com/gatewright/gatewright/controller/referent"
)

// noListenerSets is why a ListenerSet, and a route that names one, isn't served.
const noListenerSets = "ListenerSets aren't supported yet; put the listeners into the Gateway"

// addListenerSets takes the ListenerSets of our Gateways, to refuse them by name.
func (g *graph) addListenerSets() {
	for _, o := range g.in.ListenerSets {
		to := referent.SetParent(o)
		gw := g.byName[namedBy(to)]
		if gw == nil || !to.IsGateway() {
			continue
		}
		s := &listenerSet{object: o, name: nameOf(o), gateway: gw}
		g.sets = append(g.sets, s)
		g.bySet[s.name] = s
	}
	slices.SortFunc(g.sets, func(a, b *listenerSet) int { return strings.Compare(a.name.String(), b.name.String()) })
}
