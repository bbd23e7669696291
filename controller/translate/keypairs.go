package translate

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// tlsSecret is the only type of Secret that a listener's certificate comes from.
const tlsSecret = corev1.SecretTypeTLS

// certificateLabels are those that OpenSSL reads a certificate under. Behind a trusted one stands what OpenSSL trusts it with.
var certificateLabels = []string{"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}

// readKeyPair checks a certificate chain and its key, and writes both anew: what else stands in the Secret never reaches
// the proxy (R32), and no certificate of it is lost on the way (R30). The note says what was done to it, "" for nothing.
func readKeyPair(s *corev1.Secret) (pair model.KeyPair, note string, err error) {
	if s.Type != tlsSecret {
		return pair, "", fmt.Errorf("has type %q, want %s", s.Type, tlsSecret)
	}
	chain, err := readChain(s.Data[corev1.TLSCertKey])
	if err != nil {
		return pair, "", err
	}
	key, err := readKey(s.Data[corev1.TLSPrivateKeyKey], chain)
	if err != nil {
		return pair, "", err
	}
	sent := inOrder(chain)
	if !slices.Equal(sent, chain) {
		note = "has a chain in the wrong order; it is sent with each certificate after the one that it signed"
	}
	pair.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for _, c := range sent {
		pair.Certificate = append(pair.Certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	for _, h := range chain[0].DNSNames {
		if plainHostname(h) {
			pair.Hostnames = append(pair.Hostnames, strings.ToLower(h))
		}
	}
	return pair, note, nil
}

// readChain reads every certificate of a text. Keys and parameters may stand there too.
func readChain(text []byte) ([]*x509.Certificate, error) {
	if len(text) == 0 {
		return nil, errors.New("has no " + corev1.TLSCertKey)
	}
	blocks, err := readPEM(text)
	if err != nil {
		return nil, fmt.Errorf("has a %s that can't be read: %w", corev1.TLSCertKey, err)
	}
	var chain []*x509.Certificate
	for _, b := range blocks {
		switch {
		case slices.Contains(certificateLabels, b.Type):
		case strings.HasSuffix(b.Type, "PRIVATE KEY"), strings.HasSuffix(b.Type, "PARAMETERS"):
			continue
		default:
			return nil, fmt.Errorf("has a block %q in line %d of %s; a chain is made of blocks %q", b.Type, b.line, corev1.TLSCertKey,
				certificateLabels[0])
		}
		c, err := readCertificate(b)
		if err == nil {
			err = acceptable(c)
		}
		if err != nil {
			return nil, fmt.Errorf("has a certificate, number %d of its chain, in line %d of %s, that can't be used: %w", len(chain)+1, b.line,
				corev1.TLSCertKey, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("has no certificate in %s: want PEM, blocks that begin with -----BEGIN %s-----", corev1.TLSCertKey,
			certificateLabels[0])
	}
	return chain, nil
}

func readCertificate(b pemBlock) (*x509.Certificate, error) {
	if b.encrypted() {
		return nil, errors.New("it is encrypted")
	}
	der := b.Bytes
	if b.Type == "TRUSTED CERTIFICATE" {
		var first asn1.RawValue
		if _, err := asn1.Unmarshal(der, &first); err == nil {
			der = first.FullBytes
		}
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "x509: "))
	}
	return c, nil
}

// acceptable refuses what the OpenSSL of the proxies would refuse when it loads the certificate, which would
// keep every other listener from starting.
func acceptable(c *x509.Certificate) error {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
		return fmt.Errorf("it has an RSA key of %d bits, and the proxies' OpenSSL wants 2048 or more", key.N.BitLen())
	}
	switch c.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			return fmt.Errorf("it is signed with %s, which the proxies' OpenSSL refuses; get one signed with SHA-256", c.SignatureAlgorithm)
		}
	}
	return nil
}

// readKey finds the key of the first certificate, and returns it as PKCS #8: Go reads keys under more labels than OpenSSL
// does.
func readKey(text []byte, chain []*x509.Certificate) ([]byte, error) {
	const file = corev1.TLSPrivateKeyKey
	if len(text) == 0 {
		return nil, errors.New("has no " + file)
	}
	blocks, err := readPEM(text)
	if err != nil {
		return nil, fmt.Errorf("has a %s that can't be read: %w", file, err)
	}
	misfit := fmt.Errorf("has no private key in %s: want PEM, a block that begins with -----BEGIN PRIVATE KEY-----", file)
	for _, b := range blocks {
		if !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			continue
		}
		if b.encrypted() {
			return nil, fmt.Errorf("has an encrypted private key in line %d of %s, and nobody to ask for its passphrase; "+
				"store it without one: openssl pkey -in %[2]s -out plain.key", b.line, file)
		}
		key, public := parseKey(b.Bytes)
		if public == nil {
			return nil, fmt.Errorf("has a private key %q in line %d of %s that can't be read; want RSA, ECDSA or Ed25519, as PKCS #8, PKCS #1 or "+
				"SEC 1", b.Type, b.line, file)
		}
		switch i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) }); {
		case i == 0:
			return key, nil
		case i > 0:
			misfit = fmt.Errorf("has a chain in the wrong order: the private key is that of certificate %d of %d, %q; it has to be the first, "+
				"and those that signed it after it", i+1, len(chain), chain[i].Subject)
		default:
			misfit = errors.New("has a private key that doesn't belong to its certificate")
		}
	}
	return nil, misfit
}

// publicKey is what all public keys of the standard library are.
type publicKey interface{ Equal(crypto.PublicKey) bool }

// parseKey reads a private key in any of the usual forms, and returns it as PKCS #8 with its public key; nil when it can't.
func parseKey(der []byte) ([]byte, publicKey) {
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(der)
		if err != nil {
			continue
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, nil
		}
		public, ok := signer.Public().(publicKey)
		text, err := x509.MarshalPKCS8PrivateKey(key)
		if !ok || err != nil {
			return nil, nil
		}
		return text, public
	}
	return nil, nil
}

// inOrder puts each certificate of a chain behind one that it signed, as TLS wants it. Those that signed none stay in their
// order behind the others: a chain may end in two ways.
func inOrder(chain []*x509.Certificate) []*x509.Certificate {
	rest := slices.Clone(chain[1:])
	out := chain[:1:1]
	for len(rest) > 0 {
		last := out[len(out)-1]
		i := 0 // Behind one that has signed itself, anything.
		if !signed(last, last) {
			i = max(0, slices.IndexFunc(rest, func(c *x509.Certificate) bool { return signed(c, last) }))
		}
		out = append(out, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return out
}

// signed says whether one certificate is by its names that of the other's issuer.
func signed(issuer, c *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, c.RawIssuer) &&
		(len(issuer.SubjectKeyId) == 0 || len(c.AuthorityKeyId) == 0 || bytes.Equal(issuer.SubjectKeyId, c.AuthorityKeyId))
}

func plainHostname(h string) bool {
	return h != "" && strings.Trim(h, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") == ""
}
