package translate

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The groups and kinds that references name.
const (
	groupGateway    = gatewayv1.GroupName
	kindGateway     = "Gateway"
	kindListenerSet = "ListenerSet"
	kindService     = "Service"
	kindSecret      = "Secret"
	kindConfigMap   = "ConfigMap"
)

// reference is who refers and to what kind, as a ReferenceGrant sees it. All referents of this project are in
// the core group.
type reference struct {
	fromKind, fromNamespace string // group gateway.networking.k8s.io
	toKind, toNamespace     string
	toName                  string // "" in a grant for all names
}

// grants are the references over namespaces that the other side allows.
type grants map[reference]struct{}

func newGrants(objects []*gatewayv1.ReferenceGrant) grants {
	g := grants{}
	for _, o := range objects {
		for _, from := range o.Spec.From {
			for _, to := range o.Spec.To {
				if from.Group != groupGateway || to.Group != "" {
					continue
				}
				r := reference{
					fromKind: string(from.Kind), fromNamespace: string(from.Namespace),
					toKind: string(to.Kind), toNamespace: o.Namespace,
				}
				if to.Name != nil {
					r.toName = string(*to.Name)
				}
				g[r] = struct{}{}
			}
		}
	}
	return g
}

// allow says whether a reference stays in its namespace or is granted in the other one.
func (g grants) allow(r reference) bool {
	if r.fromNamespace == r.toNamespace {
		return true
	}
	if _, ok := g[r]; ok {
		return true
	}
	r.toName = ""
	_, ok := g[r]
	return ok
}

// grantHint says what to do about a reference that isn't allowed.
func grantHint(r reference) string {
	return "no ReferenceGrant in namespace " + r.toNamespace + " allows a " + r.fromKind + " of namespace " +
		r.fromNamespace + " to refer to it; add one there"
}

// deref is the value of an optional field.
func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
