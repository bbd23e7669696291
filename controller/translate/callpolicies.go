package translate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	calls "github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// policyKey names a policy for calls.
type policyKey struct {
	kind string
	name
}

func (k policyKey) String() string { return k.kind + " " + k.name.String() }

// callPolicy is a policy for calls, and who uses it.
type callPolicy struct {
	object metav1.Object
	// apply adds what it asks for.
	apply func(*model.CallPolicy) error
	// uses are rules, and ancestors the Gateways of their routes.
	uses      map[string]bool
	ancestors map[name]bool
}

// policyUse is a rule that refers to a policy, which was that object; nil for none.
type policyUse struct {
	key    policyKey
	rule   int
	object metav1.Object
}

// newCallPolicies indexes the policies.
func newCallPolicies(s *resources.Snapshot) map[policyKey]*callPolicy {
	list := make(map[policyKey]*callPolicy, len(s.GRPCTimeoutPolicies)+len(s.GRPCRetryPolicies))
	add := func(kind string, o metav1.Object, apply func(*model.CallPolicy) error) {
		list[policyKey{kind, nameOf(o)}] = &callPolicy{object: o, apply: apply, uses: map[string]bool{}, ancestors: map[name]bool{}}
	}
	for _, o := range s.GRPCTimeoutPolicies {
		add(calls.TimeoutKind, o, func(p *model.CallPolicy) error { return timeoutPolicy(p, &o.Spec) })
	}
	for _, o := range s.GRPCRetryPolicies {
		add(calls.RetryKind, o, func(p *model.CallPolicy) error { return retryPolicy(p, &o.Spec) })
	}
	return list
}

func timeoutPolicy(p *model.CallPolicy, spec *calls.GRPCTimeoutPolicySpec) (err error) {
	if p.Timeout, err = duration(&spec.Timeout); err != nil {
		return part("spec.timeout", "%w", err)
	}
	if p.Timeout > 0 {
		p.Bypass = p.Bypass && spec.OnBridgeFailure == calls.BridgeBypass
	}
	return nil
}

func retryPolicy(p *model.CallPolicy, spec *calls.GRPCRetryPolicySpec) (err error) {
	r := &model.CallRetry{Retries: int(spec.Retries), RequestBytes: int(deref(spec.RequestBytes, 0))}
	for _, on := range spec.RetryOn {
		r.On = append(r.On, string(on))
	}
	slices.Sort(r.On)
	if r.PerTry, err = duration(spec.PerTryTimeout); err != nil {
		return part("spec.perTryTimeout", "%w", err)
	}
	if r.Backoff, err = duration(spec.Backoff); err != nil {
		return part("spec.backoff", "%w", err)
	}
	budget := deref(spec.Budget, calls.DefaultBudget)
	r.Percent, r.PerSecond = int(budget.Percent), int(budget.PerSecond)
	if p.Retry = nil; r.Retries == 0 {
		return nil // Nothing is asked for.
	}
	p.Retry = r
	p.Bypass = p.Bypass && spec.OnBridgeFailure == calls.BridgeBypass
	return nil
}

// extension applies what an ExtensionRef refers to. An unresolved one is never skipped (R22).
func (s *filterScope) extension(ref *gatewayv1.LocalObjectReference, h *handled) (bad, unresolved *problem) {
	field := s.at() + ".extensionRef"
	key := policyKey{string(ref.Kind), name{s.route.name.namespace, string(ref.Name)}}
	if string(ref.Group) != calls.Group || key.kind != calls.TimeoutKind && key.kind != calls.RetryKind {
		return nil, &problem{string(gatewayv1.RouteReasonInvalidKind), fmt.Sprintf(
			"%s: %s %q: kind isn't supported; remove the filter, its calls get an error until then", field,
			groupKind(string(ref.Group), string(ref.Kind)), ref.Name)}
	}
	switch {
	case s.route.kind != model.GRPCRoute:
		return unsupported(field, fmt.Errorf(": a %s is for GRPCRoutes; an HTTPRoute's rule has timeouts and retry of its own", key.kind)), nil
	case s.backend:
		return unsupported(field, fmt.Errorf(": a %s is for a whole rule; put it into the rule's filters", key.kind)), nil
	}
	p := s.index.callPolicies[key]
	use := policyUse{key: key, rule: s.rule}
	if p != nil {
		use.object = p.object
	}
	s.route.policies = append(s.route.policies, use)
	if p == nil {
		return nil, &problem{string(gatewayv1.RouteReasonBackendNotFound), fmt.Sprintf(
			"%s: %s doesn't exist; its calls get an error until it does", field, key)}
	}
	if h.Calls == nil {
		h.Calls = &model.CallPolicy{Bypass: true}
	}
	if err := p.apply(h.Calls); err != nil {
		return unsupported(field+": "+key.String(), err), nil
	}
	if why := s.unbridged(); why != "" && h.Calls.Bridged() {
		return unsupported(field, fmt.Errorf(": %s can't be kept: %s", key, why)), nil
	}
	return nil, nil
}

// withoutBypass has the calls of a share fail while no bridge runs, whatever its policies say, where the Service is reached by TLS:
// past the bridge the proxy would speak cleartext. The route's status tells of it.
func withoutBypass(r *route, b *model.Backend, c *cluster) {
	if c.TLS == nil || !b.Calls.Bridged() || !b.Calls.Bypass {
		return
	}
	policy := *b.Calls
	policy.Bypass = false
	b.Calls = &policy
	r.note(fmt.Sprintf("Service %s is reached by TLS, so that calls with policies fail while no bridge runs: onBridgeFailure Bypass isn't kept",
		c.key.name))
}

// unbridged says why no call can pass a bridge; "" where it can.
func (g *graph) unbridged() string {
	if why, missing := g.caps.Missing[model.FeatureBridge]; missing {
		return why
	}
	if g.options.Backends == BackendsDNS {
		return "a bridge sends to IP addresses only, and Services are reached by their DNS names; use --backends endpoints or clusterip"
	}
	return ""
}

// samePolicies says whether the policies that rules refer to are what they were.
func (g *graph) samePolicies(r *routeRules) bool {
	for _, u := range r.policies {
		p := g.index.callPolicies[u.key]
		if p == nil && u.object != nil || p != nil && p.object != u.object {
			return false
		}
	}
	return true
}

// usePolicies notes which policies a route uses at a Gateway.
func (g *graph) usePolicies(r *route, gateway name) {
	for _, u := range r.policies {
		if p := g.index.callPolicies[u.key]; p != nil {
			p.uses[fmt.Sprintf("%s rule %d", r.object(), u.rule)] = true
			p.ancestors[gateway] = true
		}
	}
}

// callPolicyReports are about the policies that rules of ours use.
func (g *graph) callPolicyReports() []status.Report {
	var out []status.Report
	for key, p := range g.index.callPolicies {
		if len(p.ancestors) == 0 {
			continue
		}
		r := newReport(key.kind, p.object)
		r.APIVersion = calls.Group + "/" + calls.Version
		accepted := status.PolicyAccepted(r.Generation, "used by "+summed(slices.Sorted(maps.Keys(p.uses))))
		if err := p.apply(&model.CallPolicy{}); err != nil {
			accepted = status.PolicyInvalid(r.Generation, strings.TrimPrefix(err.Error(), "."))
		}
		r.Policy = g.ancestorStatus(p.ancestors, accepted)
		out = append(out, r)
	}
	return out
}

// gatewayReference names a Gateway as the ancestor of a policy.
func gatewayReference(n name) gatewayv1.ParentReference {
	group, kind, namespace := gatewayv1.Group(groupGateway), gatewayv1.Kind(kindGateway), gatewayv1.Namespace(n.namespace)
	return gatewayv1.ParentReference{Group: &group, Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(n.name)}
}

// summed joins names, of many the first.
func summed(names []string) string {
	if len(names) > maxNamed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
	}
	return strings.Join(names, ", ")
}
