package translate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// Node is an object, or a part of one, in the picture of how things hang together.
type Node struct {
	Kind, Namespace, Name string
	// Section is the name of a listener, or "rule 0"; "" for the whole object.
	Section string
}

// Edge joins two nodes: GatewayClass to Gateway to listener to route to rule to Service.
type Edge struct {
	From, To Node
	// Label is what a person wants to know of it: a protocol and port, hostnames, a match, a weight.
	Label string
	// Reason is why it is refused; "" when it is fine.
	Reason string
}

func (g *graph) edges() []Edge {
	var out []Edge
	for _, c := range g.classes {
		out = append(out, parametersEdge(Node{Kind: "GatewayClass", Name: c.object.Name}, c.parameters)...)
	}
	for _, gw := range g.gateways {
		out = append(out, gw.edges()...)
	}
	for _, s := range slices.SortedFunc(slices.Values(g.sets), func(a, b *listenerSet) int { return compareNames(a.name, b.name) }) {
		out = append(out, s.edges()...)
	}
	// By name, not by age: a person looks for a name.
	sorted := slices.SortedFunc(slices.Values(g.routes), func(a, b *route) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), compareNames(a.name, b.name))
	})
	n := 0
	for _, r := range sorted {
		n += len(r.parents) + len(r.rules) + len(r.targets) + len(r.dropped)
	}
	out = slices.Grow(out, n)
	for _, r := range sorted {
		out = r.appendEdges(out)
	}
	for _, p := range g.policies {
		out = g.appendPolicy(out, p)
	}
	return out
}

// ListenerNode is the node of a listener of a Gateway in the model: a part of the Gateway, or of a ListenerSet.
func ListenerNode(namespace, gateway, listener string) Node {
	if in, set, name := model.CutListener(listener); set != "" {
		return Node{Kind: kindListenerSet, Namespace: in, Name: set, Section: name}
	}
	return Node{Kind: kindGateway, Namespace: namespace, Name: gateway, Section: listener}
}

func gatewayNode(n name, section string) Node {
	return Node{Kind: kindGateway, Namespace: n.namespace, Name: n.name, Section: section}
}

func (g *gateway) edges() []Edge {
	top := Edge{From: Node{Kind: "GatewayClass", Name: g.class.object.Name}, To: gatewayNode(g.name, ""),
		Label: strings.Join(g.addresses, ", ")}
	for _, p := range []*problem{g.refused, g.unprogrammed} {
		if p != nil {
			top.Reason = p.reason
			break
		}
	}
	out := append([]Edge{top}, parametersEdge(gatewayNode(g.name, ""), g.parameters)...)
	return append(out, listenerEdges(g.listeners)...)
}

func (s *listenerSet) edges() []Edge {
	top := Edge{From: gatewayNode(s.gateway.name, ""), To: s.node("")}
	if s.refused != nil {
		top.Reason = s.refused.reason
	}
	return append([]Edge{top}, listenerEdges(s.listeners)...)
}

func (s *listenerSet) node(section string) Node {
	return Node{Kind: kindListenerSet, Namespace: s.name.namespace, Name: s.name.name, Section: section}
}

// node is what a listener stands in, or a part of that.
func (l *listener) node(section string) Node {
	if l.set != nil {
		return l.set.node(section)
	}
	return gatewayNode(l.gateway.name, section)
}

// listenerEdges lead from an object to its listeners.
func listenerEdges(listeners []*listener) []Edge {
	var out []Edge
	for _, l := range listeners {
		e := Edge{From: l.node(""), To: l.node(string(l.spec.Name))}
		e.Label = string(l.spec.Protocol) + " :" + strconv.Itoa(int(l.spec.Port))
		if l.hostname != "" {
			e.Label += " " + l.hostname
		}
		if l.clients != nil {
			e.Label += ", client certificates"
		}
		switch {
		case l.conflict != nil:
			e.Reason = l.conflict.reason
		case l.refused != nil:
			e.Reason = l.refused.reason
		case len(l.refs) > 0:
			e.Reason = l.refs[0].reason
		}
		out = append(out, e)
	}
	return out
}

func (r *route) appendEdges(out []Edge) []Edge {
	node := Node{Kind: string(r.kind), Namespace: r.name.namespace, Name: r.name.name}
	hosts := strings.Join(r.hostnames, ", ")
	for _, p := range r.parents {
		switch {
		case p.refused != nil && p.set != nil:
			out = append(out, Edge{From: p.set.node(string(deref(p.ref.SectionName, ""))), To: node, Label: hosts, Reason: p.refused.reason})
		case p.refused != nil:
			out = append(out, Edge{From: gatewayNode(p.gateway.name, string(deref(p.ref.SectionName, ""))),
				To: node, Label: hosts, Reason: p.refused.reason})
		default:
			for _, l := range p.listeners {
				out = append(out, Edge{From: l.node(string(l.spec.Name)), To: node, Label: hosts})
			}
		}
	}
	rules, targets := r.rules, r.targets
	for i := range r.specs {
		to := node
		to.Section = section(i)
		e := Edge{From: node, To: to}
		if len(rules) > 0 && rules[0].Source.Rule == i {
			e.Label, rules = rules[0].Label(), rules[1:]
		}
		if p := r.ruleProblem(i); p != nil {
			e.Reason = p.reason
		}
		out = append(out, e)
		for len(targets) > 0 && int(targets[0].rule) == i {
			out = append(out, targets[0].edge(to))
			targets = targets[1:]
		}
	}
	return out
}

// ruleProblem is why a rule isn't served as written.
func (r *route) ruleProblem(i int) *problem {
	for _, list := range [][]dropped{r.dropped, r.unresolved} {
		for j := range list {
			if list[j].rule == i {
				return &list[j].problem
			}
		}
	}
	return nil
}

func (t target) edge(from Node) Edge {
	e := Edge{From: from, To: t.to, Reason: t.problem.reason}
	if t.port > 0 {
		e.Label = ":" + strconv.Itoa(int(t.port))
	}
	switch {
	case t.mirror:
		e.Label += " mirror"
	case t.weight != 1:
		e.Label += " weight " + strconv.Itoa(int(t.weight))
	}
	return e
}

func section(rule int) string { return "rule " + strconv.Itoa(rule) }
