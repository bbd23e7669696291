package matching

import (
	"cmp"
	"strconv"
)

// ScopeNames names the scopes so that a change elsewhere renames none: by their hostname, "*" for every host, and where
// several have it by the first listener that leads to them too. "" is a scope that no class leads to.
func (t *Tables) ScopeNames() []string {
	names, used := make([]string, len(t.Scopes)), map[string]bool{}
	for i := range t.Ports {
		p := &t.Ports[i]
		for _, c := range p.Classes {
			for s := c.Scope; s >= 0 && names[s] == ""; s = t.Scopes[s].Parent {
				name := cmp.Or(t.Scopes[s].Hostname, "*")
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
	return names
}
