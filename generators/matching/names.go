package matching

import (
	"cmp"
	"strconv"

	"github.com/gatewright/gatewright/generators/model"
)

// ScopeNames names the scopes so that a change elsewhere renames none: by their hostname, "*" for every host, "http:" before
// it for those of HTTPRoutes, and where
// several have it by the first listener that leads to them too. "" is a scope that no class leads to.
func (t *Tables) ScopeNames() []string {
	names, used := make([]string, len(t.Scopes)), map[string]bool{}
	for i := range t.Ports {
		p := &t.Ports[i]
		for _, c := range p.Classes {
			for _, first := range c.Scopes() {
				for s := first; s >= 0 && names[s] == ""; s = t.Scopes[s].Parent {
					name := t.nameOf(s)
					if used[name] {
						l := &p.Listeners[c.Listener]
						name += "@" + l.Gateway + "/" + l.Name
					}
					for base, n := name, 2; used[name]; n++ {
						name = base + "+" + strconv.Itoa(n)
					}
					names[s], used[name] = name, true
				}
			}
		}
	}
	return names
}

// nameOf is the hostname of a scope, with its kind where that isn't gRPC.
func (t *Tables) nameOf(scope int) string {
	s := &t.Scopes[scope]
	name := cmp.Or(s.Hostname, "*")
	if s.Kind == model.HTTPRoute {
		return "http:" + name
	}
	return name
}
