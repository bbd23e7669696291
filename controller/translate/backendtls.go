package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
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

// authorityKey is where the certificates of authorities stand in a ConfigMap or a Secret.
const authorityKey = "ca.crt"

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
		list, bad := g.authority(&validation.CACertificateRefs[i], namespace)
		if bad != nil {
			v.refs = append(v.refs, problem{bad.reason, fmt.Sprintf("spec.validation.caCertificateRefs[%d]: %s", i, bad.message)})
		}
		certificates = append(certificates, list...)
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

// authority reads the certificates that a caCertificateRef names, each as PEM.
func (g *graph) authority(ref *gatewayv1.LocalObjectReference, namespace string) ([]string, *problem) {
	to := referent.Authority(ref, namespace)
	n := namedBy(to)
	var text []byte
	var found, has bool
	var unreadable string
	switch {
	case to.IsConfigMap():
		if o := g.index.configMaps[n]; o != nil {
			found = true
			if value, ok := o.Data[authorityKey]; ok {
				text, has = []byte(value), true
			} else {
				text, has = o.BinaryData[authorityKey]
			}
		}
		unreadable = g.index.unreadableMaps[n]
	case to.IsSecret():
		if o := g.index.secrets[n]; o != nil {
			found = true
			text, has = o.Data[authorityKey]
		}
		unreadable = g.index.unreadable[n]
	default:
		return nil, &problem{string(gatewayv1.BackendTLSPolicyReasonInvalidKind), fmt.Sprintf(
			"%s %q: kind isn't supported; use a ConfigMap or a Secret", groupKind(to.Group, to.Kind), to.Name)}
	}
	invalid := func(why string) *problem {
		return &problem{string(gatewayv1.BackendTLSPolicyReasonInvalidCACertificateRef), fmt.Sprintf("%s %s %s", to.Kind, n, why)}
	}
	switch {
	case unreadable != "":
		return nil, invalid("can't be read, which is tried again: " + unreadable)
	case !found:
		return nil, invalid("doesn't exist")
	case !has:
		return nil, invalid("has no key " + authorityKey)
	}
	list, err := readAuthorities(text)
	if err != nil {
		return nil, invalid(err.Error())
	}
	return list, nil
}

// readAuthorities reads every certificate of a text, and writes each anew: nothing else of it reaches the proxy (R32).
func readAuthorities(text []byte) ([]string, error) {
	blocks, err := readPEM(text)
	if err != nil {
		return nil, fmt.Errorf("has a %s that can't be read: %w", authorityKey, err)
	}
	var list []string
	for _, b := range blocks {
		if !slices.Contains(certificateLabels, b.Type) {
			return nil, fmt.Errorf("has a block %q in line %d of %s; it is made of blocks %q", b.Type, b.line, authorityKey, certificateLabels[0])
		}
		c, err := readCertificate(b)
		if err != nil {
			return nil, fmt.Errorf("has a certificate in line %d of %s that can't be used: %w", b.line, authorityKey, err)
		}
		list = append(list, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	if len(list) == 0 {
		return nil, errors.New("has no certificate in " + authorityKey + ": want PEM, blocks that begin with -----BEGIN CERTIFICATE-----")
	}
	return list, nil
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
