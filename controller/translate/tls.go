package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
)

// resolveCertificates finds the key pairs of the HTTPS listeners, and those that Gateways show to endpoints. A bad one costs only itself: the listener
// keeps the good ones (R30, R31).
func (g *graph) resolveCertificates() {
	for _, gw := range g.gateways {
		g.resolveClientCertificate(gw)
		for _, l := range gw.all {
			if l.spec.Protocol != gatewayv1.HTTPSProtocolType {
				continue
			}
			if l.spec.TLS == nil || len(l.spec.TLS.CertificateRefs) == 0 {
				l.badCertificate(gatewayv1.ListenerReasonInvalidCertificateRef,
					l.field+".tls.certificateRefs: an HTTPS listener needs a certificate; name a Secret of type "+string(tlsSecret))
				continue
			}
			for i := range l.spec.TLS.CertificateRefs {
				g.resolveCertificate(l, i)
			}
		}
	}
}

func (g *graph) resolveCertificate(l *listener, i int) {
	ref := &l.spec.TLS.CertificateRefs[i]
	field := fmt.Sprintf("%s.tls.certificateRefs[%d]", l.field, i)
	to := referent.Certificate(ref, l.namespace())
	if !to.IsSecret() {
		l.badCertificate(gatewayv1.ListenerReasonInvalidCertificateRef,
			fmt.Sprintf("%s: kind %s isn't supported; use a Secret of the core group", field, groupKind(to.Group, to.Kind)))
		return
	}
	n := namedBy(to)
	r := reference{l.ownerKind(), l.namespace(), kindSecret, n.namespace, n.name}
	if !g.index.grants.allow(r) {
		l.badCertificate(gatewayv1.ListenerReasonRefNotPermitted, fmt.Sprintf("%s: Secret %s: %s", field, n, grantHint(r)))
		return
	}
	k := g.keyPair(n)
	if k.problem != "" {
		l.badCertificate(gatewayv1.ListenerReasonInvalidCertificateRef, fmt.Sprintf("%s: Secret %s %s", field, n, k.problem))
		return
	}
	if slices.Contains(l.keyPairs, k) {
		return
	}
	l.keyPairs = append(l.keyPairs, k)
	if k.note != "" {
		l.notes = append(l.notes, fmt.Sprintf("%s: Secret %s %s", field, n, k.note))
	}
}

func (l *listener) badCertificate(reason gatewayv1.ListenerConditionReason, message string) {
	l.refs = append(l.refs, problem{string(reason), message})
}

// keyPair reads a Secret once, however many listeners name it.
func (g *graph) keyPair(n name) *keyPair {
	if k, ok := g.keyPairs[n]; ok {
		return k
	}
	k := &keyPair{}
	g.keyPairs[n] = k
	secret := g.index.secrets[n]
	if secret == nil {
		k.problem = "doesn't exist"
		if why := g.index.unreadable[n]; why != "" {
			k.problem = "can't be read, which is tried again: " + why
		}
		return k
	}
	var err error
	if k.KeyPair, k.note, err = readKeyPair(secret); err != nil {
		k.problem = err.Error()
	}
	k.Name = keyPairName(n)
	return k
}

// maxFileName is the most bytes of a key pair's name: file systems take names of 255, and generators add an ending.
const maxFileName = 240

// keyPairName makes a file's name of a Secret's. A namespace has no "_", so two Secrets never get the same one.
func keyPairName(n name) string {
	full := n.namespace + "_" + n.name
	if len(full) <= maxFileName {
		return full
	}
	// No Secret's name has a second "_".
	sum := sha256.Sum256([]byte(full))
	return full[:maxFileName-21] + "_" + hex.EncodeToString(sum[:10])
}

// groupKind names a kind with its group, for messages.
func groupKind(group, kind string) string {
	if group == "" {
		return kind
	}
	return kind + "." + group
}
