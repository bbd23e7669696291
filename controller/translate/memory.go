package translate

import (
	"net/netip"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/generators/model"
)

// Translator translates one snapshot after the other. What the rules of a route came to is good for as long as the
// object and what they refer to stay as they are, so of thousands of routes only those are translated again that a
// change is about. The results are those of Translate, and share what is the same with those of the snapshot before. One goroutine
// at a time may use it; the zero value is ready.
type Translator struct {
	caps model.Capabilities
	// routes are those of the last snapshot, oldest first, and places tell where an object's is.
	routes []remembered
	places map[*metav1.ObjectMeta]int
	// addresses are those of the last snapshot's Gateways.
	addresses map[types.UID][]netip.Addr
}

// remembered is what is kept of a route.
type remembered struct {
	*routeSpec
	*routeRules
}

// Translate works out what to serve and what to say about it. Whatever is wrong with a resource is in its
// status: there is no error to return.
func (t *Translator) Translate(s *resources.Snapshot, caps model.Capabilities, o Options) Result {
	g := newGraph(s, caps, o)
	if reflect.DeepEqual(t.caps, caps) {
		g.before = t
	}
	result := g.translate()
	t.remember(g)
	return result
}

// Try is Translate with a panic, which is a fault of this program, as an error: what is served stays.
func (t *Translator) Try(s *resources.Snapshot, caps model.Capabilities, o Options) (r Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fault{v}
		}
	}()
	return t.Translate(s, caps, o), nil
}

// remember keeps what the next snapshot may have as well.
func (t *Translator) remember(g *graph) {
	t.caps = g.caps
	t.routes, t.places = make([]remembered, len(g.routes)), make(map[*metav1.ObjectMeta]int, len(g.routes))
	for i, r := range g.routes {
		t.routes[i], t.places[r.meta] = remembered{r.routeSpec, r.routeRules}, i
	}
	t.rememberAddresses(g)
}

// rememberAddresses keeps what Gateways were given, for as long as no status says so.
func (t *Translator) rememberAddresses(g *graph) {
	t.addresses = map[types.UID][]netip.Addr{}
	for _, gw := range g.gateways {
		for _, a := range gw.addresses {
			if ip, err := netip.ParseAddr(a); err == nil && gw.object.UID != "" {
				t.addresses[gw.object.UID] = append(t.addresses[gw.object.UID], ip)
			}
		}
	}
}

// addressesOf are those that a Gateway was given in the last snapshot.
func (t *Translator) addressesOf(gw *gateway) []netip.Addr {
	if t == nil {
		return nil
	}
	return t.addresses[gw.object.UID]
}

// place is where a route was before; -1 when it wasn't there.
func (t *Translator) place(meta *metav1.ObjectMeta) int {
	if t != nil {
		if i, ok := t.places[meta]; ok {
			return i
		}
	}
	return -1
}

// look is what a backendRef was resolved to.
type look struct {
	by  reference
	key clusterKey
	// allowed says that a ReferenceGrant, or the namespace, lets it refer; the rest is empty otherwise.
	allowed bool
	// cluster, problem, flaw and lack are the cluster's.
	cluster       string
	problem, flaw *problem
	lack          *problem
	notes         []string
	// outliers says that the cluster leaves endpoints alone.
	outliers bool
}

// same says whether a backendRef comes to the same now.
func (l *look) same(g *graph) bool {
	if g.index.grants.allow(l.by) != l.allowed {
		return false
	}
	if !l.allowed {
		return true
	}
	c := g.cluster(l.key)
	return c.Name == l.cluster && sameProblem(c.problem, l.problem) && sameProblem(c.flaw, l.flaw) && sameProblem(c.lack, l.lack) &&
		slices.Equal(c.notes, l.notes) &&
		(c.Outliers != nil) == l.outliers
}

func sameProblem(a, b *problem) bool { return a == b || a != nil && b != nil && *a == *b }

// reuse takes the rules that the route came to in the last snapshot, if they are still good.
func (g *graph) reuse(r *route) bool {
	i := g.before.place(r.meta)
	if i < 0 {
		return false
	}
	rules := g.before.routes[i].routeRules
	for j := range rules.looks {
		if !rules.looks[j].same(g) {
			return false
		}
	}
	if !g.samePolicies(rules) {
		return false
	}
	r.routeRules = rules
	return true
}
