package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/generators/model"
)

// reasonBackendTLS is the reason of ResolvedRefs=False for a Service that is to be reached by TLS, where the policy that says so
// can't be kept. The API has none for it.
const reasonBackendTLS gatewayv1.RouteConditionReason = "InvalidBackendTLSPolicy"

// judgeTLS reads a BackendTLSPolicy.
func (g *graph) judgeTLS(p *policy, spec *gatewayv1.BackendTLSPolicySpec) *verdict {
	v := &verdict{}
	tls := &model.BackendTLS{Policy: nameOf(p.object).String(), Hostname: strings.ToLower(string(spec.Validation.Hostname))}
	invalid := func(format string, args ...any) {
		v.refused = join(v.refused, string(gatewayv1.PolicyReasonInvalid), fmt.Sprintf(format, args...))
	}
	if why, missing := g.caps.Missing[model.FeatureBackendTLS]; missing {
		invalid("TLS to backends isn't to be had: %s", why)
	}
	if _, err := netip.ParseAddr(tls.Hostname); err == nil || tls.Hostname == "" {
		invalid("spec.validation.hostname: %q isn't a DNS name, which is what a server is asked for by", tls.Hostname)
	}
	for i := range spec.Validation.SubjectAltNames {
		if why := altNameProblem(&spec.Validation.SubjectAltNames[i]); why != "" {
			invalid("spec.validation.subjectAltNames[%d]%s", i, why)
		}
	}
	tls.SubjectAltNames = altNames(spec.Validation.SubjectAltNames)
	if slices.Equal(tls.SubjectAltNames, []model.SubjectAltName{{Hostname: tls.Hostname}}) {
		tls.SubjectAltNames = nil // It is what counts without them.
	}
	if why := g.unbridged(); why != "" && len(tls.SubjectAltNames) > 0 {
		invalid("spec.validation.subjectAltNames: %s; or give spec.validation.hostname as the only name, or none", why)
	}
	if len(spec.Options) > 0 {
		invalid("spec.options: %s: no option is supported; remove it", joinKeys(spec.Options))
	}
	tls.Bundle = g.authorities(&spec.Validation, p.object.Namespace, v, invalid)
	if v.refused == nil {
		v.tls = tls
	}
	return v
}

func joinKeys(options map[gatewayv1.AnnotationKey]gatewayv1.AnnotationValue) string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(options)) {
		keys = append(keys, string(k))
	}
	return strings.Join(keys, ", ")
}

// authorities finds whom a policy trusts, and returns the name of their bundle: "" is whom the system does. References
// that can't be resolved are left out, so that what only they would verify isn't.
func (g *graph) authorities(validation *gatewayv1.BackendTLSPolicyValidation, namespace string, v *verdict,
	invalid func(string, ...any)) string {
	wellKnown := string(deref(validation.WellKnownCACertificates, ""))
	switch {
	case len(validation.CACertificateRefs) > 0 && wellKnown != "":
		invalid("spec.validation: caCertificateRefs and wellKnownCACertificates exclude each other; remove one of them")
		return ""
	case len(validation.CACertificateRefs) == 0 && wellKnown == "":
		invalid("spec.validation: nothing says whom to trust; give caCertificateRefs, or wellKnownCACertificates System")
		return ""
	case wellKnown != "" && wellKnown != string(gatewayv1.WellKnownCACertificatesSystem):
		invalid("spec.validation.wellKnownCACertificates: %q isn't known; use System", wellKnown)
		return ""
	case wellKnown != "":
		return ""
	}
	var certificates []string
	for i := range validation.CACertificateRefs {
		field := fmt.Sprintf("spec.validation.caCertificateRefs[%d]: ", i)
		b, bad := g.authority(&validation.CACertificateRefs[i], namespace)
		if bad != nil {
			v.refs = append(v.refs, problem{bad.reason, field + bad.message})
			continue
		}
		if b.note != "" {
			v.notes = append(v.notes, problem{message: field + b.object + " " + b.note})
		}
		certificates = append(certificates, b.certificates...)
	}
	if len(v.refs) == len(validation.CACertificateRefs) {
		v.refused = join(v.refused, string(gatewayv1.BackendTLSPolicyReasonNoValidCACertificate),
			"no reference of spec.validation.caCertificateRefs can be used: "+messages(v.refs, "; "))
		return ""
	}
	return g.bundle(certificates)
}

// bundle is the name of the bundle with these certificates, in any order.
func (g *graph) bundle(certificates []string) string {
	slices.Sort(certificates)
	text := strings.Join(slices.Compact(certificates), "")
	b := model.Bundle{Name: digest(text, 20), Certificates: []byte(text)}
	g.bundles[b.Name] = b
	return b.Name
}

// digest is so many hexadecimal digits that depend on a text alone.
func digest(text string, digits int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:digits]
}

// authority reads the certificates that a caCertificateRef names.
func (g *graph) authority(ref *gatewayv1.LocalObjectReference, namespace string) (*caBundle, *problem) {
	to := referent.Authority(ref, namespace)
	if !to.IsConfigMap() && !to.IsSecret() {
		return nil, &problem{string(gatewayv1.BackendTLSPolicyReasonInvalidKind), fmt.Sprintf(
			"%s %q: kind isn't supported; use a ConfigMap or a Secret", groupKind(to.Group, to.Kind), to.Name)}
	}
	b := g.caBundle(to)
	if b.problem != "" {
		return nil, &problem{string(gatewayv1.BackendTLSPolicyReasonInvalidCACertificateRef), b.object + " " + b.problem}
	}
	return b, nil
}

// secure has a cluster reached by TLS as a policy says, or by nothing: never in cleartext.
func (c *cluster) secure(p *policy, v *verdict) {
	if v.tls == nil {
		c.refuse(reasonBackendTLS, fmt.Sprintf("Service %s is to be reached by TLS as BackendTLSPolicy %s says, which can't be kept: its status "+
			"says why", c.key.name, nameOf(p.object)))
		return
	}
	c.setTLS(v.tls)
}

// setTLS gives a cluster its TLS, and a name of its own for it: connections of two that are verified by other rules are
// never shared.
func (c *cluster) setTLS(tls *model.BackendTLS) {
	c.TLS = tls
	text, err := json.Marshal(tls)
	if err != nil {
		panic(err) // It is made of strings.
	}
	c.Name = c.plainName + "/tls/" + digest(string(text), 12)
}
