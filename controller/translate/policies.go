package translate

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/status"
)

// noBackendTLS is why a BackendTLSPolicy, and a backend that one asks TLS for, isn't served. Plain text would
// reach such a backend otherwise (R17).
const noBackendTLS = "BackendTLSPolicies aren't supported yet; remove the policy to speak cleartext HTTP/2"

// maxAncestors is how many Gateways the status of a policy has room for.
const maxAncestors = 16

// addPolicies indexes BackendTLSPolicies by the Services that they target, the oldest first.
func (x *index) addPolicies(objects []*gatewayv1.BackendTLSPolicy) {
	sorted := slices.SortedFunc(slices.Values(objects), func(a, b *gatewayv1.BackendTLSPolicy) int {
		return older(&a.ObjectMeta, &b.ObjectMeta)
	})
	for _, o := range sorted {
		p := &policy{object: o, ancestors: map[name]*gateway{}}
		x.policyList = append(x.policyList, p)
		for i := range o.Spec.TargetRefs {
			if to := referent.Target(&o.Spec.TargetRefs[i].LocalPolicyTargetReference, o.Namespace); to.IsService() {
				x.policies[namedBy(to)] = append(x.policies[namedBy(to)], p)
			}
		}
	}
}

// policyFor returns the oldest policy that asks for TLS to a port of a Service.
func (x *index) policyFor(service name, portName string) *policy {
	for _, p := range x.policies[service] {
		for i := range p.object.Spec.TargetRefs {
			t := &p.object.Spec.TargetRefs[i]
			if to := referent.Target(&t.LocalPolicyTargetReference, p.object.Namespace); to.IsService() && namedBy(to) == service &&
				(t.SectionName == nil || string(*t.SectionName) == portName) {
				return p
			}
		}
	}
	return nil
}

// policyReport refuses a policy for each Gateway whose routes send to what it targets.
func (g *graph) policyReport(p *policy) status.Report {
	r := newReport("BackendTLSPolicy", p.object)
	r.Policy = &gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{}}
	gateways := make([]name, 0, len(p.ancestors))
	for n := range p.ancestors {
		gateways = append(gateways, n)
	}
	slices.SortFunc(gateways, compareNames)
	for _, n := range gateways[:min(len(gateways), maxAncestors)] {
		group, kind, namespace := gatewayv1.Group(groupGateway), gatewayv1.Kind(kindGateway), gatewayv1.Namespace(n.namespace)
		r.Policy.Ancestors = append(r.Policy.Ancestors, gatewayv1.PolicyAncestorStatus{
			AncestorRef: gatewayv1.ParentReference{
				Group: &group, Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(n.name),
			},
			ControllerName: gatewayv1.GatewayController(g.options.Controller),
			Conditions:     []metav1.Condition{status.PolicyInvalid(r.Generation, noBackendTLS)},
		})
	}
	return r
}
