package translate

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	calls "github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// kindBackendTLSPolicy is the API's; the other kinds of policies are this project's own.
const kindBackendTLSPolicy = "BackendTLSPolicy"

// maxAncestors is how many Gateways the status of a policy has room for.
const maxAncestors = 16

// policy is one that names Services: a BackendTLSPolicy or a BackendPolicy.
type policy struct {
	kind   string
	object *metav1.ObjectMeta
	// judge says what it comes to; ask graph.judge.
	judge func(g *graph, p *policy) *verdict
	refs  []gatewayv1.LocalPolicyTargetReferenceWithSectionName
	// targets are the Services that it is for, or ports of them.
	targets []policyTarget
	// ancestors are the Gateways with routes that send to one of them.
	ancestors map[name]*gateway
	// verdict is what it comes to, once somebody asks, and label what it is for the graph.
	verdict *verdict
	label   string
}

// verdict is what a policy comes to.
type verdict struct {
	// tls is what a BackendTLSPolicy asks for, backend what a BackendPolicy does; nil when that can't be kept.
	tls     *model.BackendTLS
	backend *backendSettings
	// refused is Accepted=False, refs are ResolvedRefs=False.
	refused *problem
	refs    []problem
	// notes are what to know of one that is accepted.
	notes []problem
}

func (p *policy) String() string { return p.kind + " " + nameOf(p.object).String() }

// policyTarget is a Service, or a port of one by its name.
type policyTarget struct {
	kind    string // of the policy
	service name
	port    string
}

func (t policyTarget) String() string {
	if t.port == "" {
		return "Service " + t.service.String()
	}
	return fmt.Sprintf("Service %s port %q", t.service, t.port)
}

// addPolicies indexes policies by what they target. Of several of a kind for the same the oldest counts, valid or not.
func (x *index) addPolicies(s *resources.Snapshot) {
	list := make([]*policy, 0, len(s.BackendTLSPolicies)+len(s.BackendPolicies))
	for _, o := range s.BackendTLSPolicies {
		list = append(list, &policy{kind: kindBackendTLSPolicy, object: &o.ObjectMeta, refs: o.Spec.TargetRefs, judge: func(g *graph, p *policy) *verdict {
			return g.judgeTLS(p, &o.Spec)
		}, label: "TLS " + string(o.Spec.Validation.Hostname)})
	}
	for _, o := range s.BackendPolicies {
		list = append(list, &policy{kind: calls.BackendKind, object: &o.ObjectMeta, refs: o.Spec.TargetRefs, judge: func(g *graph, p *policy) *verdict {
			return g.judgeBackend(p, &o.Spec)
		}, label: "policy"})
	}
	slices.SortStableFunc(list, func(a, b *policy) int { return older(a.object, b.object) })
	for _, p := range list {
		p.ancestors = map[name]*gateway{}
		x.policyList = append(x.policyList, p)
		for i := range p.refs {
			to := referent.Target(&p.refs[i].LocalPolicyTargetReference, p.object.Namespace)
			if !to.IsService() {
				continue
			}
			t := policyTarget{p.kind, namedBy(to), string(deref(p.refs[i].SectionName, ""))}
			p.targets = append(p.targets, t)
			if x.winners[t] == nil {
				x.winners[t] = p
			}
			if list := x.policies[t.service]; !slices.Contains(list, p) {
				x.policies[t.service] = append(list, p)
			}
		}
	}
}

// policyFor returns the policy of a kind for a port of a Service: one for the port goes before one for all of them.
func (x *index) policyFor(kind string, service name, portName string) *policy {
	return cmp.Or(x.winners[policyTarget{kind, service, portName}], x.winners[policyTarget{kind, service, ""}])
}

// judge reads a policy once, however many Services it is for.
func (g *graph) judge(p *policy) *verdict {
	if p.verdict == nil {
		p.verdict = p.judge(g, p)
	}
	return p.verdict
}

// concerns says whether a policy has something to say about a port of a Service: it is for that, or for a port that isn't there.
func (g *graph) concerns(p *policy, c *cluster) bool {
	return slices.ContainsFunc(p.targets, func(t policyTarget) bool {
		return t.service == c.key.name && (t.port == "" || t.port == c.portName || g.targetMissing(t) != "")
	})
}

// targetMissing says what a policy's target lacks, "" for nothing.
func (g *graph) targetMissing(t policyTarget) string {
	service := g.index.services[t.service]
	switch {
	case service == nil:
		return fmt.Sprintf("Service %s doesn't exist", t.service)
	case t.port != "" && !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == t.port }):
		return fmt.Sprintf("Service %s has no port with the name %q", t.service, t.port)
	}
	return ""
}

// addAncestor notes that a route of a Gateway sends to what policies are for.
func (g *graph) addAncestor(gw *gateway, r *route) {
	if len(g.policies) == 0 {
		return
	}
	for i := range r.looks {
		l := &r.looks[i]
		if !l.allowed {
			continue
		}
		for _, p := range g.index.policies[l.key.name] {
			if g.concerns(p, g.clusters[l.key]) {
				p.ancestors[gw.name] = gw
			}
		}
	}
}

// policyReport says of a policy for each Gateway whose routes send to what it targets what it comes to.
func (g *graph) policyReport(p *policy) status.Report {
	r := newReport(p.kind, p.object)
	if p.kind == calls.BackendKind {
		r.APIVersion = calls.Group + "/" + calls.Version
	}
	r.Policy = &gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{}}
	gateways := make([]name, 0, len(p.ancestors))
	for n := range p.ancestors {
		gateways = append(gateways, n)
	}
	slices.SortFunc(gateways, compareNames)
	for _, n := range gateways[:min(len(gateways), maxAncestors)] {
		r.Policy.Ancestors = append(r.Policy.Ancestors, gatewayv1.PolicyAncestorStatus{
			AncestorRef:    gatewayReference(n),
			ControllerName: gatewayv1.GatewayController(g.options.Controller),
			Conditions:     g.policyConditions(p, r.Generation),
		})
	}
	return r
}

func (g *graph) policyConditions(p *policy, gen int64) []metav1.Condition {
	v := g.judge(p)
	accepted := status.PolicyAccepted(gen, "the policy is accepted")
	bad, notes := g.ineffective(p)
	notes = append(notes, v.notes...)
	if bad == nil {
		bad = v.refused
	}
	switch {
	case bad != nil:
		accepted = status.PolicyNotAccepted(gen, gatewayv1.PolicyConditionReason(bad.reason), bad.message)
	case len(notes) > 0:
		accepted = status.PolicyAccepted(gen, "the policy is accepted; "+messages(notes, "; "))
	}
	if p.kind == calls.BackendKind {
		return []metav1.Condition{accepted} // It refers to nothing else.
	}
	if len(v.refs) > 0 {
		return []metav1.Condition{accepted, status.PolicyRefsNotResolved(gen, gatewayv1.PolicyConditionReason(v.refs[0].reason),
			messages(v.refs, "; "))}
	}
	return []metav1.Condition{accepted, status.PolicyResolvedRefs(gen)}
}

// ineffective says why no target of a policy gets what it says, or which ones don't while others do.
func (g *graph) ineffective(p *policy) (all *problem, some []problem) {
	for i := range p.refs {
		if to := referent.Target(&p.refs[i].LocalPolicyTargetReference, p.object.Namespace); !to.IsService() {
			some = append(some, problem{string(gatewayv1.PolicyReasonTargetNotFound), fmt.Sprintf(
				"spec.targetRefs[%d]: kind %s isn't supported; use a Service", i, groupKind(to.Group, to.Kind))})
		}
	}
	for _, t := range p.targets {
		if w := g.index.winners[t]; w != p {
			some = append(some, problem{string(gatewayv1.PolicyReasonConflicted), fmt.Sprintf(
				"%s goes first for %s: of two policies for the same the oldest counts, then the first by name", w, t)})
		} else if missing := g.targetMissing(t); missing != "" {
			some = append(some, problem{string(gatewayv1.PolicyReasonTargetNotFound), missing})
		}
	}
	if len(some) < len(p.refs) {
		return nil, some
	}
	reason := some[0].reason
	if i := slices.IndexFunc(some, func(p problem) bool { return p.reason == string(gatewayv1.PolicyReasonConflicted) }); i >= 0 {
		reason = some[i].reason
	}
	return &problem{reason, messages(some, "; ")}, nil
}

// appendPolicy adds a policy that Gateways have to do with, and the Services that it is for.
func (g *graph) appendPolicy(out []Edge, p *policy) []Edge {
	if len(p.ancestors) == 0 {
		return out
	}
	n := nameOf(p.object)
	for _, t := range p.targets {
		e := Edge{From: Node{Kind: p.kind, Namespace: n.namespace, Name: n.name},
			To: Node{Kind: kindService, Namespace: t.service.namespace, Name: t.service.name}, Label: p.label}
		if t.port != "" {
			e.Label += " port " + t.port
		}
		switch {
		case g.index.winners[t] != p:
			e.Reason = string(gatewayv1.PolicyReasonConflicted)
		case g.targetMissing(t) != "":
			e.Reason = string(gatewayv1.PolicyReasonTargetNotFound)
		case g.judge(p).refused != nil:
			e.Reason = g.judge(p).refused.reason
		}
		out = append(out, e)
	}
	return out
}
