package translate

import (
	"fmt"
	"maps"
	"slices"

	calls "github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/generators/model"
)

// callDefault is a policy that GatewayParameters name for rules without one of the kind.
type callDefault struct {
	field string
	key   policyKey
	from  *parameters
}

// callDefaults are what rules of GRPCRoutes get at a Gateway.
type callDefaults struct {
	// byKind are the policies, by their kind.
	byKind map[string]callDefault
	// secured and ejecting are Services with calls that pass the bridge by default, though they are reached by TLS, or leave endpoints
	// alone.
	secured, ejecting map[name]bool
}

// defaults are the policies that parameters name.
func (p *parameters) defaults() []callDefault {
	d := deref(p.object.Spec.Defaults, calls.CallDefaults{})
	var out []callDefault
	add := func(field, kind, policy string) {
		if policy != "" {
			out = append(out, callDefault{"spec.defaults." + field, policyKey{kind, name{p.name.namespace, policy}}, p})
		}
	}
	add("timeoutPolicy", calls.TimeoutKind, d.TimeoutPolicy)
	add("retryPolicy", calls.RetryKind, d.RetryPolicy)
	return out
}

// judgeDefault says why a default can't be kept; "" where it can.
func (g *graph) judgeDefault(d callDefault) string {
	p := g.index.callPolicies[d.key]
	if p == nil {
		return fmt.Sprintf("%s: %s doesn't exist; create it, or remove the field", d.field, d.key)
	}
	asked := model.CallPolicy{Bypass: true}
	if err := p.apply(&asked); err != nil {
		return fmt.Sprintf("%s: %s%v", d.field, d.key, err)
	}
	if why := g.unbridged(); why != "" && asked.Bridged() {
		return fmt.Sprintf("%s: %s can't be kept: %s; or remove the field", d.field, d.key, why)
	}
	return ""
}

// addDefaults gives a Gateway the defaults of parameters, in the place of those that it has of the same kinds.
func (gw *gateway) addDefaults(p *parameters) {
	for _, d := range p.defaults() {
		if gw.defaults == nil {
			gw.defaults = &callDefaults{byKind: map[string]callDefault{}, secured: map[name]bool{}, ejecting: map[name]bool{}}
		}
		gw.defaults.byKind[d.key.kind] = d
	}
}

// settleDefaults leaves a Gateway those of its defaults that ask for anything.
func (g *graph) settleDefaults(gw *gateway) {
	if gw.defaults == nil {
		return
	}
	g.useDefaults(gw, slices.Collect(maps.Values(gw.defaults.byKind)))
	maps.DeleteFunc(gw.defaults.byKind, func(_ string, d callDefault) bool {
		var asked model.CallPolicy
		return g.index.callPolicies[d.key].apply(&asked) == nil && asked.Timeout == 0 && asked.Retry == nil
	})
	if len(gw.defaults.byKind) == 0 {
		gw.defaults = nil
	}
}

// useDefaults notes for policies that a Gateway names them.
func (g *graph) useDefaults(gw *gateway, list []callDefault) {
	for _, d := range list {
		if p := g.index.callPolicies[d.key]; p != nil {
			p.uses[fmt.Sprintf("Gateway %s by default", gw.name)] = true
			p.ancestors[gw.name] = true
		}
	}
}

// withDefaults are the rules of a route with the defaults of a Gateway: copies of those that it has a policy for.
func (g *graph) withDefaults(gw *gateway, r *route) []*model.Rule {
	if gw.defaults == nil || r.kind != model.GRPCRoute {
		return r.rules
	}
	clusters := map[string]*cluster{}
	for _, key := range r.sends {
		clusters[g.clusters[key].Name] = g.clusters[key]
	}
	rules := slices.Clone(r.rules)
	for i, rule := range rules {
		rules[i] = g.ruleWithDefaults(gw, r, rule, clusters)
	}
	return rules
}

// ruleWithDefaults is a rule, or a copy with the policies of the kinds that the route's own rule refers to none of.
func (g *graph) ruleWithDefaults(gw *gateway, r *route, rule *model.Rule, clusters map[string]*cluster) *model.Rule {
	missing := maps.Clone(gw.defaults.byKind)
	for _, use := range r.policies {
		if use.rule == rule.Source.Rule {
			delete(missing, use.key.kind)
		}
	}
	if len(missing) == 0 || !slices.ContainsFunc(rule.Backends, func(b model.Backend) bool { return b.Cluster != "" }) {
		return rule
	}
	out := *rule
	out.Gateway = gw.name.String()
	out.Backends = slices.Clone(rule.Backends)
	for i := range out.Backends {
		b := &out.Backends[i]
		c := clusters[b.Cluster]
		if c == nil {
			continue // The proxy answers.
		}
		policy := deref(b.Calls, model.CallPolicy{Bypass: true})
		for _, d := range missing {
			// It was tried when the parameters were judged.
			_ = g.index.callPolicies[d.key].apply(&policy)
			if d.key.kind == calls.RetryKind && policy.Retry != nil {
				policy.RetryFrom = d.from.String()
			} else if d.key.kind == calls.TimeoutKind && policy.Timeout > 0 {
				policy.TimeoutFrom = d.from.String()
			}
		}
		if policy.Bridged() && policy.Bypass && c.TLS != nil {
			policy.Bypass = false
			gw.defaults.secured[c.key.name] = true
		}
		if policy.Bridged() && c.Outliers != nil {
			gw.defaults.ejecting[c.key.name] = true
		}
		b.Calls = &policy
	}
	return &out
}

// noteDefaults tells what else the defaults of a Gateway change.
func (gw *gateway) noteDefaults() {
	if gw.defaults == nil {
		return
	}
	names := func(services map[name]bool) string {
		var list []string
		for n := range services {
			list = append(list, "Service "+n.String())
		}
		slices.Sort(list)
		return summed(list)
	}
	if s := gw.defaults.secured; len(s) > 0 {
		gw.notes = append(gw.notes, fmt.Sprintf("parameters: what is reached by TLS has its calls fail while no bridge runs: onBridgeFailure Bypass "+
			"isn't kept for %s", names(s)))
	}
	if s := gw.defaults.ejecting; len(s) > 0 {
		gw.notes = append(gw.notes, fmt.Sprintf("parameters: outlierDetection isn't kept for calls with policies by default: of %s", names(s)))
	}
}
