package translate

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/generators/model"
)

// clientCertificate is what a Gateway shows to endpoints that it speaks TLS to.
type clientCertificate struct {
	// keyPair is nil when it can't be had. The Gateway reaches no endpoint by TLS then: without it, or with rights that weren't
	// meant, it would be somebody else.
	keyPair *keyPair
}

// resolveClientCertificate finds the key pair that a Gateway shows to endpoints.
func (g *graph) resolveClientCertificate(gw *gateway) {
	t := gw.object.Spec.TLS
	if t == nil || t.Backend == nil || t.Backend.ClientCertificateRef == nil {
		return
	}
	gw.client = &clientCertificate{}
	refuse := func(reason gatewayv1.GatewayConditionReason, format string, args ...any) {
		gw.refs = append(gw.refs, problem{string(reason), "spec.tls.backend.clientCertificateRef: " + fmt.Sprintf(format, args...) +
			"; until then no backend is reached by TLS"})
	}
	to := referent.Certificate(t.Backend.ClientCertificateRef, gw.name.namespace)
	if !to.IsSecret() {
		refuse(gatewayv1.GatewayReasonInvalidClientCertificateRef, "kind %s isn't supported; use a Secret of the core group",
			groupKind(to.Group, to.Kind))
		return
	}
	n := namedBy(to)
	r := reference{kindGateway, gw.name.namespace, kindSecret, n.namespace, n.name}
	if !g.index.grants.allow(r) {
		refuse(gatewayv1.GatewayReasonRefNotPermitted, "Secret %s: %s", n, grantHint(r))
		return
	}
	k := g.keyPair(n)
	if k.problem != "" {
		refuse(gatewayv1.GatewayReasonInvalidClientCertificateRef, "Secret %s %s", n, k.problem)
		return
	}
	gw.client.keyPair = k
	if k.note != "" {
		gw.notes = append(gw.notes, fmt.Sprintf("spec.tls.backend.clientCertificateRef: Secret %s %s", n, k.note))
	}
}

// clusterFor is the cluster that calls of a Gateway go to instead of one: another where the Gateway shows a certificate, none
// where it can't.
func (g *graph) clusterFor(gw *gateway, key clusterKey) *cluster {
	c := g.clusters[key]
	if gw.client == nil || c.TLS == nil {
		return c
	}
	if gw.client.keyPair == nil {
		return nil
	}
	key.gateway = gw.name
	own := g.clusters[key]
	if own == nil {
		copied := *c
		own = &copied
		own.key, own.used = key, false
		tls := *c.TLS
		tls.KeyPair = gw.client.keyPair.Name
		own.setTLS(&tls)
		g.clusters[key] = own
	}
	return own
}

// rulesFor are the rules of a route as a Gateway serves them: its own copies where the Gateway has defaults, or is somebody to endpoints.
func (g *graph) rulesFor(gw *gateway, r *route) []*model.Rule {
	if gw.client == nil && gw.defaults == nil {
		return r.rules
	}
	rules, ok := gw.rules[r]
	if !ok {
		rules = g.withCertificate(gw, r, g.withDefaults(gw, r))
		if gw.rules == nil {
			gw.rules = map[*route][]*model.Rule{}
		}
		gw.rules[r] = rules
	}
	return rules
}

// withCertificate are rules of a route that send to the Gateway's own clusters where it shows a certificate.
func (g *graph) withCertificate(gw *gateway, r *route, rules []*model.Rule) []*model.Rule {
	if gw.client == nil {
		return rules
	}
	keys := map[string]clusterKey{}
	for _, key := range r.sends {
		if c := g.clusters[key]; c.TLS != nil {
			keys[c.Name] = key
		}
	}
	if len(keys) > 0 {
		rules = slices.Clone(rules)
		for i, rule := range rules {
			rules[i] = g.ruleFor(gw, rule, keys)
		}
	}
	return rules
}

// ruleFor is a rule, or a copy that sends to the Gateway's own clusters in place of those with the names.
func (g *graph) ruleFor(gw *gateway, rule *model.Rule, keys map[string]clusterKey) *model.Rule {
	if !slices.ContainsFunc(rule.Clusters(), func(name string) bool { _, ok := keys[name]; return ok }) {
		return rule
	}
	out := rule.WithClusters(func(name string) (string, *model.Status) {
		key, ok := keys[name]
		if !ok {
			return name, nil
		}
		if c := g.clusterFor(gw, key); c != nil {
			return c.Name, nil
		}
		return "", newStatus(codesOf(rule.Source.Kind).invalid, fmt.Sprintf(
			"%s: Gateway %s has a client certificate for backends that can't be used; its status says why", rule.Source, gw.name))
	})
	out.Gateway = gw.name.String()
	return out
}
