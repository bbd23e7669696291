package translate

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// tlsSecret is the only type of Secret that a listener's certificate comes from.
const tlsSecret = corev1.SecretTypeTLS

// resolveCertificates finds the key pairs of the HTTPS listeners. A bad one costs only itself: the listener
// keeps the good ones (R30, R31).
func (g *graph) resolveCertificates() {
	for _, gw := range g.gateways {
		for _, l := range gw.listeners {
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
	if group, kind := deref(ref.Group, ""), deref(ref.Kind, kindSecret); group != "" || kind != kindSecret {
		l.badCertificate(gatewayv1.ListenerReasonInvalidCertificateRef,
			fmt.Sprintf("%s: kind %s isn't supported; use a Secret of the core group", field, groupKind(string(group), string(kind))))
		return
	}
	n := name{string(deref(ref.Namespace, gatewayv1.Namespace(l.gateway.name.namespace))), string(ref.Name)}
	r := reference{kindGateway, l.gateway.name.namespace, kindSecret, n.namespace, n.name}
	if !g.index.grants.allow(r) {
		l.badCertificate(gatewayv1.ListenerReasonRefNotPermitted, fmt.Sprintf("%s: Secret %s: %s", field, n, grantHint(r)))
		return
	}
	k := g.keyPair(n)
	if k.problem != "" {
		l.badCertificate(gatewayv1.ListenerReasonInvalidCertificateRef, fmt.Sprintf("%s: Secret %s %s", field, n, k.problem))
		return
	}
	if !slices.Contains(l.keyPairs, k) {
		l.keyPairs = append(l.keyPairs, k)
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
		return k
	}
	var err error
	if k.KeyPair, err = readKeyPair(secret); err != nil {
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

// readKeyPair checks a certificate chain and its key, and writes both anew: what else stands in the Secret
// never reaches the proxy (R32).
func readKeyPair(s *corev1.Secret) (model.KeyPair, error) {
	var none model.KeyPair
	if s.Type != tlsSecret {
		return none, fmt.Errorf("has type %q, want %s", s.Type, tlsSecret)
	}
	certPEM, keyPEM := s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey]
	switch {
	case len(certPEM) == 0:
		return none, errors.New("has no " + corev1.TLSCertKey)
	case len(keyPEM) == 0:
		return none, errors.New("has no " + corev1.TLSPrivateKeyKey)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return none, fmt.Errorf("has a certificate and key that can't be used: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	for i, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return none, fmt.Errorf("has a chain whose certificate %d can't be read: %s", i+1, strings.TrimPrefix(err.Error(), "x509: "))
		}
		if err := acceptable(c); err != nil {
			return none, err
		}
	}
	// Go reads keys under more labels than OpenSSL does.
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return none, fmt.Errorf("has a key that can't be used: %s", strings.TrimPrefix(err.Error(), "x509: "))
	}
	out := model.KeyPair{Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})}
	for _, der := range pair.Certificate {
		out.Certificate = append(out.Certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	for _, h := range pair.Leaf.DNSNames {
		if plainHostname(h) {
			out.Hostnames = append(out.Hostnames, strings.ToLower(h))
		}
	}
	return out, nil
}

// acceptable refuses what the OpenSSL of the proxies would refuse when it loads the certificate, which would
// keep every other listener from starting.
func acceptable(c *x509.Certificate) error {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
		return fmt.Errorf("has an RSA key of %d bits, and the proxies' OpenSSL wants 2048 or more", key.N.BitLen())
	}
	switch c.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			return fmt.Errorf("has a certificate signed with %s, which the proxies' OpenSSL refuses; get one signed with SHA-256", c.SignatureAlgorithm)
		}
	}
	return nil
}

func plainHostname(h string) bool {
	return h != "" && strings.Trim(h, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") == ""
}

// groupKind names a kind with its group, for messages.
func groupKind(group, kind string) string {
	if group == "" {
		return kind
	}
	return kind + "." + group
}
