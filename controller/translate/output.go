package translate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
)

// model writes out what is served, and nothing that only refused objects refer to.
func (g *graph) model() model.Gateways {
	var out model.Gateways
	for _, gw := range g.gateways {
		m := model.Gateway{Namespace: gw.name.namespace, Name: gw.name.name, Addresses: gw.addresses, Connections: gw.connections}
		for _, l := range gw.all {
			if l.served() {
				m.Listeners = append(m.Listeners, l.model())
			}
		}
		if len(m.Listeners) > 0 {
			out.Gateways = append(out.Gateways, m)
		}
	}
	slices.SortFunc(out.Gateways, func(a, b model.Gateway) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	bundles := map[string]model.Bundle{}
	for _, c := range g.clusters {
		if !c.used {
			continue
		}
		out.Clusters = append(out.Clusters, c.Cluster)
		if c.TLS == nil {
			continue
		}
		if b, ok := g.bundles[c.TLS.Bundle]; ok {
			bundles[b.Name] = b
		}
		if c.TLS.KeyPair != "" {
			g.byName[c.key.gateway].client.keyPair.used = true
		}
	}
	out.Bundles = slices.SortedFunc(maps.Values(bundles), func(a, b model.Bundle) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Clusters, func(a, b model.Cluster) int { return cmp.Compare(a.Name, b.Name) })
	for _, k := range g.keyPairs {
		if k.used {
			out.KeyPairs = append(out.KeyPairs, k.KeyPair)
		}
	}
	slices.SortFunc(out.KeyPairs, func(a, b model.KeyPair) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (l *listener) model() model.Listener {
	m := model.Listener{
		Name: l.fullName(), Port: l.spec.Port, Protocol: model.Protocol(l.spec.Protocol), Hostname: l.hostname, Clients: l.clients,
	}
	for _, k := range l.keyPairs {
		k.used = true
		m.KeyPairs = append(m.KeyPairs, k.Name)
	}
	for _, s := range l.scopes {
		m.Scopes = append(m.Scopes, model.Scope{Hostname: s.hostname, Rules: s.rules})
	}
	slices.SortFunc(m.Scopes, func(a, b model.Scope) int {
		return cmp.Or(cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.Kind(), b.Kind()))
	})
	return m
}
