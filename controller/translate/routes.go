package translate

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// maxParents is how many parents the status of a route has room for (R26).
const maxParents = 32

// addRoutes takes the routes that name a Gateway or ListenerSet of ours, oldest first.
func (g *graph) addRoutes() {
	g.routes = make([]*route, 0, len(g.in.GRPCRoutes)+len(g.in.HTTPRoutes))
	for _, o := range g.in.GRPCRoutes {
		if r := g.newRoute(model.GRPCRoute, &o.ObjectMeta, o.Spec.ParentRefs, o.Spec.Hostnames); r != nil {
			r.grpc = o
			g.routes = append(g.routes, r)
		}
	}
	for _, o := range g.in.HTTPRoutes {
		if r := g.newRoute(model.HTTPRoute, &o.ObjectMeta, o.Spec.ParentRefs, o.Spec.Hostnames); r != nil {
			g.routes = append(g.routes, r)
		}
	}
	slices.SortFunc(g.routes, func(a, b *route) int { return cmp.Or(older(a.meta, b.meta), cmp.Compare(a.kind, b.kind)) })
}

// newRoute returns nil for a route that is none of ours.
func (g *graph) newRoute(kind model.RouteKind, meta *metav1.ObjectMeta, refs []gatewayv1.ParentReference, hostnames []gatewayv1.Hostname) *route {
	var parents []*parent
	for i := range refs {
		if p := g.newParent(&refs[i], meta.Namespace); p != nil && len(parents) < maxParents {
			parents = append(parents, p)
		}
	}
	if len(parents) == 0 {
		return nil
	}
	r := &route{
		kind: kind, name: name{meta.Namespace, meta.Name}, meta: meta, parents: parents,
		created: meta.CreationTimestamp.UTC(),
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

func (g *graph) newParent(ref *gatewayv1.ParentReference, namespace string) *parent {
	if deref(ref.Group, groupGateway) != groupGateway {
		return nil
	}
	n := name{string(deref(ref.Namespace, gatewayv1.Namespace(namespace))), string(ref.Name)}
	switch deref(ref.Kind, kindGateway) {
	case kindGateway:
		if gw := g.byName[n]; gw != nil {
			return &parent{ref: ref, gateway: gw}
		}
	case kindListenerSet:
		if s := g.bySet[n]; s != nil {
			return &parent{ref: ref, set: s}
		}
	}
	return nil
}

// object is the route as messages name it.
func (r *route) object() string { return string(r.kind) + " " + r.name.String() }
