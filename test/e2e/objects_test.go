package e2e

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/test/harness"
)

// smaller are copies of the objects with one thing less, big things first.
func (o *objects) smaller() []*objects {
	var all []*objects
	add := func(change func(*objects)) {
		c := *o
		c.Gateways, c.Routes, c.HTTPRoutes = nil, nil, nil
		for _, g := range o.Gateways {
			c.Gateways = append(c.Gateways, g.DeepCopy())
		}
		for _, r := range o.Routes {
			c.Routes = append(c.Routes, r.DeepCopy())
		}
		for _, r := range o.HTTPRoutes {
			c.HTTPRoutes = append(c.HTTPRoutes, r.DeepCopy())
		}
		change(&c)
		all = append(all, &c)
	}
	for i, r := range o.Routes {
		if len(o.Routes)+len(o.HTTPRoutes) > 1 {
			add(func(c *objects) { c.Routes = slices.Delete(c.Routes, i, i+1) })
		}
		for j, rule := range r.Spec.Rules {
			if len(r.Spec.Rules) > 1 {
				add(func(c *objects) { c.Routes[i].Spec.Rules = slices.Delete(c.Routes[i].Spec.Rules, j, j+1) })
			}
			for k, match := range rule.Matches {
				if len(rule.Matches) > 1 {
					add(func(c *objects) {
						c.Routes[i].Spec.Rules[j].Matches = slices.Delete(c.Routes[i].Spec.Rules[j].Matches, k, k+1)
					})
				}
				for h := range match.Headers {
					add(func(c *objects) {
						m := &c.Routes[i].Spec.Rules[j].Matches[k]
						m.Headers = slices.Delete(m.Headers, h, h+1)
					})
				}
			}
			if len(rule.Filters) > 0 {
				add(func(c *objects) { c.Routes[i].Spec.Rules[j].Filters = nil })
			}
		}
		for j := range r.Spec.Hostnames {
			add(func(c *objects) { c.Routes[i].Spec.Hostnames = slices.Delete(c.Routes[i].Spec.Hostnames, j, j+1) })
		}
	}
	o.smallerHTTP(add)
	for i, g := range o.Gateways {
		for j := range g.Spec.Listeners {
			if len(g.Spec.Listeners) > 1 {
				add(func(c *objects) { c.Gateways[i].Spec.Listeners = slices.Delete(c.Gateways[i].Spec.Listeners, j, j+1) })
			}
		}
	}
	return all
}

// grant lets routes of the other namespace use the Services, which are all in the default one.
const grant = `apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {namespace: default, name: routes}
spec:
  from:
  - {group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: other}
  - {group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other}
  to: [{group: "", kind: Service}]
`

// manifests are the objects as YAML, without Services.
func (o *objects) manifests() string {
	var texts []string
	for _, g := range o.Gateways {
		texts = append(texts, marshal(g))
	}
	for _, r := range o.Routes {
		texts = append(texts, marshal(r))
	}
	for _, r := range o.HTTPRoutes {
		texts = append(texts, marshal(r))
	}
	return strings.Join(append(texts, grant), "---\n")
}

// marshal writes an object as a user does: without a status, and without fields that are null.
func marshal(object any) string {
	var fields map[string]any
	text, err := yaml.Marshal(object)
	if err == nil {
		err = yaml.Unmarshal(text, &fields)
	}
	delete(fields, "status")
	if metadata, ok := fields["metadata"].(map[string]any); ok && metadata["creationTimestamp"] == nil {
		delete(metadata, "creationTimestamp")
	}
	if err == nil {
		text, err = yaml.Marshal(fields)
	}
	if err != nil {
		return fmt.Sprintf("# %v\n", err)
	}
	return string(text)
}

// snapshot goes the way of all manifests: through YAML.
func (o *objects) snapshot(t harness.T, more ...string) *resources.Snapshot {
	t.Helper()
	texts := append([]string{o.manifests()}, more...)
	services := make([]string, len(o.Services))
	for i, name := range o.Services {
		namespace, bare, _ := strings.Cut(name, "/")
		services[i] = harness.Service(namespace, bare, 50051)
		if o.H2C[name] {
			services[i] = strings.Replace(services[i], "port:", "appProtocol: kubernetes.io/h2c, port:", 1)
		}
	}
	return harness.Load(t, "", append(texts, strings.Join(services, "---\n"))...)
}

func (o *objects) crossServing() translate.CrossServing {
	if o.Shares {
		return translate.CrossServingShare
	}
	return translate.CrossServingExclusive
}

func (o *objects) endpoints() map[string][]bool {
	endpoints := map[string][]bool{}
	for name := range o.Empty {
		endpoints[name] = nil
	}
	return endpoints
}
