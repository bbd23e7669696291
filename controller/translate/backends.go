package translate

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/generators/model"
)

// backends shares the calls of a rule over its backendRefs. An invalid one keeps its share and answers it
// itself (R15); one of weight 0 gets none (R14).
func (g *graph) backends(r *route, rule *model.Rule, specs []backendSpec, scope *filterScope, h *handled) {
	codes := codesOf(r.kind)
	switch {
	case h.redirect != nil && len(specs) == 0:
		rule.Backends = []model.Backend{{Weight: 1, Redirect: h.redirect}}
		return
	case len(specs) == 0:
		answer(rule, codes.none, rule.Source.String()+" has no backendRefs")
		return
	}
	rule.Backends = make([]model.Backend, 0, len(specs))
	for i := range specs {
		ref := specs[i].ref
		weight := deref(ref.Weight, 1)
		c, bad := g.resolveBackend(r, ref)
		if bad != nil {
			bad = &problem{bad.reason, fmt.Sprintf("%s.backendRefs[%d]: %s", ruleField(rule.Source.Rule), i, bad.message)}
			r.refs = append(r.refs, *bad)
		}
		if bad == nil && c.flaw != nil {
			r.refs = append(r.refs, problem{c.flaw.reason, fmt.Sprintf("%s.backendRefs[%d]: %s", ruleField(rule.Source.Rule), i, c.flaw.message)})
		}
		if bad == nil && c.lack != nil && weight > 0 {
			r.lacks = append(r.lacks, problem{c.lack.reason, fmt.Sprintf("%s.backendRefs[%d]: %s", ruleField(rule.Source.Rule), i, c.lack.message)})
		}
		b := model.Backend{Weight: weight, Handling: h.Handling}
		if bad == nil {
			b.Cluster = c.Name
			if bad = backendFilters(r, &b, specs[i].filters, scope, rule.Source.Rule, i); bad == nil {
				bad = g.rewritable(r, &b, c, rule.Source.Rule, i)
				withoutBypass(r, &b, c)
			}
		} else {
			b = model.Backend{Weight: weight, Status: newStatus(codes.invalid, r.object()+": "+bad.message)}
		}
		if bad == nil && c.Outliers != nil && (len(b.Mirrors) > 0 || b.Calls.Bridged() || b.Web || b.Retry != nil || c.TLS.Bridged()) {
			r.note(fmt.Sprintf("Service %s: outlierDetection isn't kept for calls with mirrors, retries, policies, gRPC-Web or subjectAltNames",
				c.key.name))
		}
		r.addTarget(target{rule: int32(rule.Source.Rule), weight: weight, problem: deref(bad, problem{})}, ref)
		if weight > 0 {
			rule.Backends = append(rule.Backends, b)
			if b.Cluster != "" {
				r.sends = append(r.sends, c.key)
			}
		}
	}
	if len(rule.Backends) == 0 {
		answer(rule, codes.unweighted, rule.Source.String()+": all backendRefs have weight 0")
	}
}

// codes are what answers a rule, or a share, that has no backend to send to.
type codes struct{ none, invalid, unweighted model.Code }

// codesOf are those of the API: an HTTPRoute's is HTTP 500, see model.Status.
func codesOf(kind model.RouteKind) codes {
	if kind == model.HTTPRoute {
		return codes{model.Internal, model.Internal, model.Internal}
	}
	return codes{model.Unimplemented, model.Unavailable, model.Unavailable}
}

// backendFilters adds a backendRef's own filters to its share. One that can't be applied costs this share
// only, and its calls get an error (R22).
func backendFilters(r *route, b *model.Backend, filters []filterSpec, scope *filterScope, rule, i int) *problem {
	if len(filters) == 0 {
		return nil
	}
	field := func() string { return fmt.Sprintf("%s.backendRefs[%d].filters", ruleField(rule), i) }
	own := *scope
	own.backend = true
	h, bad, unresolved := own.filters(filters, field)
	switch {
	case bad != nil:
		r.drop(rule, bad)
	case unresolved != nil:
		r.refs = append(r.refs, *unresolved)
		bad = unresolved
	case h.redirect != nil:
		*b = model.Backend{Weight: b.Weight, Redirect: h.redirect}
		return nil
	default:
		b.Handling = b.Then(h.Handling)
		return nil
	}
	*b = model.Backend{Weight: b.Weight, Status: newStatus(model.Internal, r.object()+": "+bad.message)}
	return bad
}

// rewritable refuses a rewrite that the proxy can't make for the protocol of a backend: its share gets an error (R22).
func (g *graph) rewritable(r *route, b *model.Backend, c *cluster, rule, i int) *problem {
	why, missing := g.caps.Missing[model.FeatureRewriteH2C]
	if !missing || c.Protocol != model.BackendH2C || b.Rewrite == nil || b.Rewrite.Path == nil || b.Cluster == "" {
		return nil
	}
	bad := unsupported(fmt.Sprintf("%s.backendRefs[%d]", ruleField(rule), i), fmt.Errorf(": a URLRewrite of the path can't be done for "+
		"Service %s port %d, which is spoken to by HTTP/2: %s; remove it, or the port's appProtocol", c.key.name, c.key.port, why))
	r.drop(rule, bad)
	*b = model.Backend{Weight: b.Weight, Status: newStatus(model.Internal, r.object()+": "+bad.message)}
	return bad
}

// resolveBackend finds the cluster of a backendRef. The order of the checks is such that nothing is said about
// an object of another namespace unless a ReferenceGrant allows to look.
func (g *graph) resolveBackend(r *route, ref *gatewayv1.BackendRef) (*cluster, *problem) {
	to := referent.Backend(&ref.BackendObjectReference, r.name.namespace)
	if !to.IsService() {
		return nil, &problem{string(gatewayv1.RouteReasonInvalidKind), fmt.Sprintf(
			"%s %q: kind isn't supported; use a Service", groupKind(to.Group, to.Kind), to.Name)}
	}
	n := namedBy(to)
	by := reference{string(r.kind), r.name.namespace, kindService, n.namespace, n.name}
	if !g.index.grants.allow(by) {
		r.looks = append(r.looks, look{by: by})
		return nil, &problem{string(gatewayv1.RouteReasonRefNotPermitted), fmt.Sprintf("Service %s: %s", n, grantHint(by))}
	}
	if ref.Port == nil {
		return nil, &problem{string(gatewayv1.RouteReasonBackendNotFound),
			fmt.Sprintf("Service %s: no port is given; name a port of the Service", n)}
	}
	c := g.cluster(clusterKey{name: n, port: *ref.Port, http: r.kind == model.HTTPRoute})
	r.looks = append(r.looks, look{by, c.key, true, c.Name, c.problem, c.flaw, c.lack, c.notes, c.Outliers != nil})
	for _, note := range c.notes {
		r.note(note)
	}
	return c, c.problem
}

// note adds to the message of Accepted, once.
func (r *routeRules) note(text string) {
	if !slices.Contains(r.notes, text) {
		r.notes = append(r.notes, text)
	}
}

// addTarget notes what a backendRef of a rule is, for the graph.
func (r *route) addTarget(t target, ref *gatewayv1.BackendRef) {
	to := referent.Backend(&ref.BackendObjectReference, r.name.namespace)
	t.port, t.to = deref(ref.Port, 0), Node{Kind: to.Kind, Namespace: to.Namespace, Name: to.Name}
	r.targets = append(r.targets, t)
}
