package translate

import (
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
)

// caKey is the key of a ConfigMap or a Secret under which the certificates of a CA stand.
const caKey = corev1.ServiceAccountRootCAKey

// caBundle is what a ConfigMap or a Secret has of a CA.
type caBundle struct {
	// object is its kind and name.
	object string
	// certificates are PEM blocks, written anew and each there once: what else stands in the object never reaches the proxy (R32).
	certificates []string
	// note is what is odd about it, "" for nothing.
	note    string
	problem string
}

// caCertificates reads what a reference of an object of this kind and namespace names as the certificates of a CA of clients. The reason
// of the problem is the one that a listener's ResolvedRefs has for it.
func (g *graph) caCertificates(to referent.Object, fromKind, fromNamespace string) (*caBundle, *problem) {
	if !to.IsConfigMap() {
		return nil, &problem{string(gatewayv1.ListenerReasonInvalidCACertificateKind), fmt.Sprintf(
			"kind %s isn't supported; use a ConfigMap of the core group with the key %s", groupKind(to.Group, to.Kind), caKey)}
	}
	n := namedBy(to)
	r := reference{fromKind, fromNamespace, kindConfigMap, n.namespace, n.name}
	if !g.index.grants.allow(r) {
		return nil, &problem{string(gatewayv1.ListenerReasonRefNotPermitted), fmt.Sprintf("ConfigMap %s: %s", n, grantHint(r))}
	}
	b := g.caBundle(to)
	if b.problem != "" {
		return nil, &problem{string(gatewayv1.ListenerReasonInvalidCACertificateRef), b.object + " " + b.problem}
	}
	return b, nil
}

// caBundle reads a ConfigMap or a Secret once, however many refer to it.
func (g *graph) caBundle(to referent.Object) *caBundle {
	if b, ok := g.caBundles[to]; ok {
		return b
	}
	b := &caBundle{object: to.Kind + " " + namedBy(to).String()}
	g.caBundles[to] = b
	text, unreadable, found := g.caText(to)
	switch {
	case unreadable != "":
		b.problem = "can't be read, which is tried again: " + unreadable
	case !found:
		b.problem = "doesn't exist"
	default:
		if err := b.read(text); err != nil {
			b.problem = err.Error()
		}
	}
	return b
}

// caText is what an object has under the key of a CA.
func (g *graph) caText(to referent.Object) (text []byte, unreadable string, found bool) {
	n := namedBy(to)
	if to.IsSecret() {
		o := g.index.secrets[n]
		if o != nil {
			text = o.Data[caKey]
		}
		return text, g.index.unreadable[n], o != nil
	}
	o := g.index.configMaps[n]
	if o != nil {
		if text = []byte(o.Data[caKey]); len(text) == 0 {
			text = o.BinaryData[caKey]
		}
	}
	return text, g.index.unreadableMaps[n], o != nil
}

// read reads the certificates of a PEM text. A revocation list, or what OpenSSL trusts a certificate with, would be lost on
// the way, so that more is trusted than the text says: nothing but certificates may stand in it.
func (b *caBundle) read(text []byte) error {
	if len(strings.TrimSpace(string(text))) == 0 {
		return errors.New("has no " + caKey)
	}
	blocks, err := readPEM(text)
	if err != nil {
		return fmt.Errorf("has a %s that can't be read: %w", caKey, err)
	}
	seen := map[[sha256.Size]byte]bool{}
	var odd []string
	rooted := false
	for i, block := range blocks {
		if !slices.Contains(certificateLabels[:2], block.Type) {
			return fmt.Errorf("has a block %q in line %d of %s; only blocks %q can be used", block.Type, block.line, caKey,
				certificateLabels[0])
		}
		c, err := readCertificate(block)
		if err != nil {
			return fmt.Errorf("has a certificate, number %d, in line %d of %s, that can't be used: %w", i+1, block.line, caKey, err)
		}
		if sum := sha256.Sum256(c.Raw); !seen[sum] {
			seen[sum] = true
			b.certificates = append(b.certificates, string(pem.EncodeToMemory(&pem.Block{Type: certificateLabels[0], Bytes: c.Raw})))
			if err := acceptable(c); err != nil {
				odd = append(odd, fmt.Sprintf("certificate %d vouches for nothing: %v", i+1, err))
			}
			rooted = rooted || signed(c, c)
		}
	}
	if len(b.certificates) == 0 {
		return fmt.Errorf("has no certificate in %s: want PEM, blocks that begin with -----BEGIN %s-----", caKey, certificateLabels[0])
	}
	if !rooted {
		odd = append(odd, "no certificate is a root, one that has signed itself, and none vouches for anything without its root beside it")
	}
	if len(odd) > 0 {
		b.note = "can be used only in part: " + strings.Join(odd, "; ")
	}
	return nil
}
