package translate

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/generators/model"
)

// maxParents is how many parents the status of a route has room for (R26).
const maxParents = 32

// addRoutes takes the routes that name a Gateway or ListenerSet of ours, oldest first. Those that the last snapshot had come in the
// order that they had there.
func (g *graph) addRoutes() {
	var known, fresh []*route
	if g.before != nil {
		known = make([]*route, len(g.before.routes))
	}
	add := func(meta *metav1.ObjectMeta, common *gatewayv1.CommonRouteSpec, read func() *routeSpec) {
		parents := g.newParents(common.ParentRefs, meta.Namespace)
		if len(parents) == 0 {
			return
		}
		if i := g.before.place(meta); i >= 0 {
			known[i] = &route{routeSpec: g.before.routes[i].routeSpec, parents: parents}
		} else {
			fresh = append(fresh, &route{routeSpec: read(), parents: parents})
		}
	}
	for _, o := range g.in.GRPCRoutes {
		add(&o.ObjectMeta, &o.Spec.CommonRouteSpec, func() *routeSpec { return readGRPCRoute(o) })
	}
	for _, o := range g.in.HTTPRoutes {
		add(&o.ObjectMeta, &o.Spec.CommonRouteSpec, func() *routeSpec { return g.readHTTPRoute(o) })
	}
	slices.SortFunc(fresh, compareRoutes)
	g.routes = merge(slices.DeleteFunc(known, func(r *route) bool { return r == nil }), fresh)
}

func compareRoutes(a, b *route) int {
	return cmp.Or(older(a.meta, b.meta), cmp.Compare(a.kind, b.kind))
}

// merge makes one list of two that are in order.
func merge(a, b []*route) []*route {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	out := make([]*route, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compareRoutes(b[0], a[0]) < 0 {
			out, b = append(out, b[0]), b[1:]
		} else {
			out, a = append(out, a[0]), a[1:]
		}
	}
	return append(append(out, a...), b...)
}

// newParents are the references to a Gateway or ListenerSet of ours.
func (g *graph) newParents(refs []gatewayv1.ParentReference, namespace string) []*parent {
	var parents []*parent
	for i := range refs {
		p := parent{ref: &refs[i]}
		if !g.findParent(&p, namespace) || len(parents) == maxParents {
			continue
		}
		if len(g.parentSlab) == cap(g.parentSlab) {
			g.parentSlab = make([]parent, 0, 256)
		}
		g.parentSlab = append(g.parentSlab, p)
		parents = append(parents, &g.parentSlab[len(g.parentSlab)-1])
	}
	return parents
}

// newRouteSpec is what routes of all kinds have.
func newRouteSpec(kind model.RouteKind, meta *metav1.ObjectMeta, common *gatewayv1.CommonRouteSpec,
	hostnames []gatewayv1.Hostname) *routeSpec {
	r := &routeSpec{
		kind: kind, name: nameOf(meta), meta: meta, created: meta.CreationTimestamp.UTC(), defaultGateways: common.UseDefaultGateways,
	}
	for _, h := range hostnames {
		if lower := strings.ToLower(string(h)); !slices.Contains(r.hostnames, lower) {
			r.hostnames = append(r.hostnames, lower)
		}
	}
	if len(r.hostnames) == 0 {
		r.hostnames = anyHost
	}
	return r
}

// anyHost is the hostname of a route without any.
var anyHost = []string{""}

// findParent finds what a parentRef names, and says whether that is ours.
func (g *graph) findParent(p *parent, namespace string) bool {
	switch to := referent.Parent(p.ref, namespace); {
	case to.IsGateway():
		p.gateway = g.byName[namedBy(to)]
	case to.IsListenerSet():
		if p.set = g.bySet[namedBy(to)]; p.set != nil {
			p.gateway = p.set.gateway
		}
	}
	return p.gateway != nil
}

// object is the route as messages name it.
func (r *routeSpec) object() string { return string(r.kind) + " " + r.name.String() }
