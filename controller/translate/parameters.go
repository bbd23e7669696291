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
)

// parameters are a GatewayParameters, and who uses it.
type parameters struct {
	object *calls.GatewayParameters
	name   name
	// bad is why it can't be kept, "" for nothing, once it is judged.
	bad    string
	judged bool
	// users are Gateways and GatewayClasses, as messages name them, and ancestors the Gateways.
	users     map[string]bool
	ancestors map[name]bool
}

func (p *parameters) String() string { return calls.ParametersKind + " " + p.name.String() }

func newParameters(s *resources.Snapshot) map[name]*parameters {
	list := make(map[name]*parameters, len(s.GatewayParameters))
	for _, o := range s.GatewayParameters {
		list[nameOf(o)] = &parameters{object: o, name: nameOf(o), users: map[string]bool{}, ancestors: map[name]bool{}}
	}
	return list
}

// parametersRef is a parametersRef, of a Gateway or a GatewayClass.
type parametersRef struct {
	field, group, kind string
	name
}

// resolve finds what a parametersRef names. The text says why it can't be used; "" where it can.
func (g *graph) resolve(ref parametersRef) (*parameters, string) {
	switch {
	case ref.group != calls.Group || ref.kind != calls.ParametersKind:
		return nil, fmt.Sprintf("%s: %s %q: kind isn't supported; use a %s, or remove it", ref.field, groupKind(ref.group, ref.kind), ref.name.name,
			groupKind(calls.Group, calls.ParametersKind))
	case ref.namespace == "":
		return nil, fmt.Sprintf("%s: a %s is in a namespace, and none is given; give the namespace of %q", ref.field, ref.kind, ref.name.name)
	}
	p := g.index.parameters[ref.name]
	if p == nil {
		return nil, fmt.Sprintf("%s: %s %s doesn't exist; create it, or remove the reference", ref.field, ref.kind, ref.name)
	}
	if !p.judged {
		p.bad, p.judged = g.judgeParameters(p), true
	}
	if p.bad != "" {
		return p, fmt.Sprintf("%s: %s: %s", ref.field, p, p.bad)
	}
	return p, ""
}

// classParameters are those of a GatewayClass.
func (g *graph) classParameters(c *class) {
	ref := c.object.Spec.ParametersRef
	if ref == nil {
		return
	}
	c.parameters, c.refused = g.resolve(parametersRef{"spec.parametersRef", string(ref.Group), string(ref.Kind),
		name{string(deref(ref.Namespace, "")), ref.Name}})
	if c.parameters != nil {
		c.parameters.users["GatewayClass "+c.object.Name] = true
	}
}

// checkParameters refuses a Gateway whose parameters can't be kept, and gives others theirs: a field of its own goes before that of the
// class.
func (g *graph) checkParameters(gw *gateway) {
	if in := gw.object.Spec.Infrastructure; in != nil && in.ParametersRef != nil {
		ref, bad := in.ParametersRef, ""
		if gw.parameters, bad = g.resolve(parametersRef{"spec.infrastructure.parametersRef", string(ref.Group), string(ref.Kind),
			name{gw.name.namespace, ref.Name}}); bad != "" {
			gw.refuse(gatewayv1.GatewayReasonInvalidParameters, bad)
		}
	}
	if gw.class.refused != "" {
		gw.refuse(gatewayv1.GatewayReasonInvalidParameters,
			fmt.Sprintf("spec.gatewayClassName: GatewayClass %q isn't accepted: %s", gw.class.object.Name, gw.class.refused))
	}
	// From the widest to the nearest: a later one replaces what an earlier one says.
	for _, p := range []*parameters{gw.class.parameters, gw.parameters} {
		if p == nil {
			continue
		}
		p.ancestors[gw.name] = true
		if p == gw.parameters {
			p.users["Gateway "+gw.name.String()] = true
		}
		if p.bad == "" {
			gw.addDefaults(p)
			gw.addConnections(p)
		} else {
			g.useDefaults(gw, p.defaults())
		}
	}
	g.settleDefaults(gw)
}

// judgeParameters says why parameters can't be kept; "" where they can.
func (g *graph) judgeParameters(p *parameters) string {
	var bad []string
	for _, d := range p.defaults() {
		if why := g.judgeDefault(d); why != "" {
			bad = append(bad, why)
		}
	}
	return strings.Join(append(bad, g.judgeConnections(p)...), "; ")
}

// parametersReports are about the parameters that Gateways of ours use.
func (g *graph) parametersReports() []status.Report {
	var out []status.Report
	for _, p := range g.index.parameters {
		if len(p.ancestors) == 0 {
			continue
		}
		r := newReport(calls.ParametersKind, p.object)
		r.APIVersion = calls.Group + "/" + calls.Version
		accepted := status.PolicyAccepted(r.Generation, "used by "+summed(slices.Sorted(maps.Keys(p.users))))
		if p.bad != "" {
			accepted = status.PolicyInvalid(r.Generation, p.bad)
		}
		r.Policy = g.ancestorStatus(p.ancestors, accepted)
		out = append(out, r)
	}
	return out
}

// ancestorStatus says the same of Gateways, as many as there is room for.
func (g *graph) ancestorStatus(gateways map[name]bool, condition metav1.Condition) *gatewayv1.PolicyStatus {
	out := &gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{}}
	ancestors := slices.SortedFunc(maps.Keys(gateways), compareNames)
	for _, n := range ancestors[:min(len(ancestors), maxAncestors)] {
		out.Ancestors = append(out.Ancestors, gatewayv1.PolicyAncestorStatus{AncestorRef: gatewayReference(n),
			ControllerName: gatewayv1.GatewayController(g.options.Controller), Conditions: []metav1.Condition{condition}})
	}
	return out
}

// parametersEdge leads from a Gateway or a class to its parameters.
func parametersEdge(from Node, p *parameters) []Edge {
	if p == nil {
		return nil
	}
	e := Edge{From: from, To: Node{Kind: calls.ParametersKind, Namespace: p.name.namespace, Name: p.name.name}, Label: "parameters"}
	if p.bad != "" {
		e.Reason = string(gatewayv1.GatewayReasonInvalidParameters)
	}
	return []Edge{e}
}
