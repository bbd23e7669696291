package apply

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
)

// PartKind is the kind of a thing that can be left out of a model.
type PartKind string

// The kinds of parts.
const (
	ListenerPart PartKind = "listener"
	KeyPairPart  PartKind = "certificate"
	RulePart     PartKind = "rule"
	ClusterPart  PartKind = "backend"
)

// Part is something that can be left out of a model while everything else is served.
type Part struct {
	Kind PartKind
	// Namespace and Name are the Gateway's of a listener and the route's of a rule; a key pair and a cluster
	// have their name in the model as Name.
	Namespace, Name string
	// Listener is the name of a listener.
	Listener string
	// RouteKind and Rule tell a rule of a route.
	RouteKind model.RouteKind
	Rule      int
}

// String names a part in a log: "GRPCRoute ns/name rule 0", "Gateway ns/name listener web".
func (p Part) String() string {
	switch p.Kind {
	case ListenerPart:
		return fmt.Sprintf("Gateway %s/%s listener %q", p.Namespace, p.Name, p.Listener)
	case RulePart:
		return fmt.Sprintf("%s %s/%s rule %d", p.RouteKind, p.Namespace, p.Name, p.Rule)
	}
	return string(p.Kind) + " " + p.Name
}

// RuleOf is the part that a rule is.
func RuleOf(s model.Source) Part {
	return Part{Kind: RulePart, RouteKind: s.Kind, Namespace: s.Namespace, Name: s.Name, Rule: s.Rule}
}

// ListenerOf is the part that a listener is.
func ListenerOf(g *model.Gateway, l *model.Listener) Part {
	return Part{Kind: ListenerPart, Namespace: g.Namespace, Name: g.Name, Listener: l.Name}
}

func keyPairOf(name string) Part { return Part{Kind: KeyPairPart, Name: name} }

func clusterOf(name string) Part { return Part{Kind: ClusterPart, Name: name} }

// listeners are the parts that the listeners of a model are, in its order.
func listeners(m model.Gateways) []Part {
	var out []Part
	for i := range m.Gateways {
		for j := range m.Gateways[i].Listeners {
			out = append(out, ListenerOf(&m.Gateways[i], &m.Gateways[i].Listeners[j]))
		}
	}
	return out
}

// rules are the parts that the rules of a model are, each once, in its order.
func rules(m model.Gateways) []Part {
	var out []Part
	seen := map[Part]bool{}
	eachRule(m, func(_ *model.Listener, _ string, r *model.Rule) {
		if p := RuleOf(r.Source); !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	})
	return out
}

func eachRule(m model.Gateways, f func(l *model.Listener, scope string, r *model.Rule)) {
	for i := range m.Gateways {
		for j := range m.Gateways[i].Listeners {
			l := &m.Gateways[i].Listeners[j]
			for k := range l.Scopes {
				for _, r := range l.Scopes[k].Rules {
					f(l, l.Scopes[k].Hostname, r)
				}
			}
		}
	}
}

// reduce is the model with only the parts that keep allows. What depends on a part that is left out goes with
// it, or answers UNAVAILABLE in its place: an HTTPS listener without a certificate is left out, the share of a
// cluster is refused. What nothing refers to any more is left out too.
func reduce(m model.Gateways, keep func(Part) bool) model.Gateways {
	var out model.Gateways
	clusters, pairs, bundles := map[string]bool{}, map[string]bool{}, map[string]bool{}
	keep = withoutPairs(m, keep)
	for _, g := range m.Gateways {
		all := g.Listeners
		g.Listeners = nil
		for _, l := range all {
			if !keep(ListenerOf(&g, &l)) {
				continue
			}
			if l.Protocol == model.HTTPS {
				l.KeyPairs = slices.DeleteFunc(slices.Clone(l.KeyPairs), func(name string) bool { return !keep(keyPairOf(name)) })
				if len(l.KeyPairs) == 0 {
					continue
				}
			}
			for _, name := range l.KeyPairs {
				pairs[name] = true
			}
			l.Scopes = reduceScopes(l.Scopes, keep, clusters)
			g.Listeners = append(g.Listeners, l)
		}
		if len(g.Listeners) > 0 {
			out.Gateways = append(out.Gateways, g)
		}
	}
	for _, c := range m.Clusters {
		if !clusters[c.Name] {
			continue
		}
		out.Clusters = append(out.Clusters, c)
		if c.TLS != nil {
			pairs[c.TLS.KeyPair], bundles[c.TLS.Bundle] = true, true
		}
	}
	for _, b := range m.Bundles {
		if bundles[b.Name] {
			out.Bundles = append(out.Bundles, b)
		}
	}
	for _, p := range m.KeyPairs {
		if pairs[p.Name] {
			out.KeyPairs = append(out.KeyPairs, p)
		}
	}
	return out
}

// withoutPairs is keep with the clusters left out whose endpoints would be shown a certificate that is left out.
func withoutPairs(m model.Gateways, keep func(Part) bool) func(Part) bool {
	pairs := map[string]string{}
	for i := range m.Clusters {
		if t := m.Clusters[i].TLS; t != nil && t.KeyPair != "" {
			pairs[m.Clusters[i].Name] = t.KeyPair
		}
	}
	if len(pairs) == 0 {
		return keep
	}
	return func(p Part) bool {
		if p.Kind == ClusterPart && pairs[p.Name] != "" && !keep(keyPairOf(pairs[p.Name])) {
			return false
		}
		return keep(p)
	}
}

func reduceScopes(scopes []model.Scope, keep func(Part) bool, clusters map[string]bool) []model.Scope {
	var out []model.Scope
	for _, s := range scopes {
		all := s.Rules
		s.Rules = nil
		for _, r := range all {
			if !keep(RuleOf(r.Source)) {
				continue
			}
			r = reduceRule(r, keep)
			for _, name := range r.Clusters() {
				clusters[name] = true
			}
			s.Rules = append(s.Rules, r)
		}
		if len(s.Rules) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// reduceRule answers the shares of clusters that are left out with a status (R15).
func reduceRule(r *model.Rule, keep func(Part) bool) *model.Rule {
	if !slices.ContainsFunc(r.Clusters(), func(name string) bool { return !keep(clusterOf(name)) }) {
		return r
	}
	return r.WithClusters(func(name string) (string, *model.Status) {
		if keep(clusterOf(name)) {
			return name, nil
		}
		return "", &model.Status{Code: model.Unavailable, Message: r.Source.String() + ": the proxy refuses the backend's configuration"}
	})
}

// hash tells whether a part is still what it was.
type hash [sha256.Size]byte

// hashes are those of the given parts as a model has them; one that the model doesn't have is left out.
func hashes(m model.Gateways, parts map[Part]bool) (map[Part]hash, error) {
	out := map[Part]hash{}
	var failed error
	// A rule is in several scopes: its hash is a chain of all of them.
	add := func(p Part, values ...any) {
		if !parts[p] {
			return
		}
		h := sha256.New()
		before := out[p]
		h.Write(before[:])
		for _, v := range values {
			text, err := json.Marshal(v)
			if err != nil && failed == nil {
				failed = fmt.Errorf("%s: %w", p, err)
			}
			h.Write(text)
			h.Write([]byte{0})
		}
		out[p] = hash(h.Sum(nil))
	}
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			l := g.Listeners[j]
			l.Scopes = nil
			add(ListenerOf(g, &l), l, g.Addresses)
		}
	}
	eachRule(m, func(l *model.Listener, scope string, r *model.Rule) { add(RuleOf(r.Source), l.Name, scope, r) })
	shown := map[string][]any{}
	for _, p := range m.KeyPairs {
		add(keyPairOf(p.Name), p.Certificate, p.Key)
		shown[p.Name] = []any{p.Certificate, p.Key}
	}
	for _, c := range m.Clusters {
		values := []any{c}
		if c.TLS != nil {
			values = append(values, shown[c.TLS.KeyPair]...)
		}
		add(clusterOf(c.Name), values...)
	}
	return out, failed
}
