package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// KeyPair is a certificate with its key, both PEM.
type KeyPair struct {
	Certificate, Key []byte
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	err         error
}

// testAuthority signs every certificate of this process, and clients trust nothing else.
var testAuthority = sync.OnceValue(func() authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{err: err}
	}
	template := certificateTemplate("test authority")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return authority{err: err}
	}
	certificate, err := x509.ParseCertificate(der)
	return authority{certificate: certificate, key: key, err: err}
})

// Authority is the certificate, PEM, of the authority that signs all of this process.
func Authority(t T) []byte {
	t.Helper()
	ca := testAuthority()
	if ca.err != nil {
		t.Fatalf("the authority of the tests: %v", ca.err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.certificate.Raw})
}

// Certificate makes a certificate for the hostnames or IP addresses. Its common name is the first of them.
func Certificate(t T, hostnames ...string) KeyPair {
	t.Helper()
	ca := testAuthority()
	if ca.err != nil {
		t.Fatalf("the authority of the tests: %v", ca.err)
	}
	return signed(t, ca, hostnames)
}

// Chain is Certificate with some certificates between it and the authority. The links are the PEM of each, that of the
// hostnames first; all of them together are the pair's.
func Chain(t T, between int, hostnames ...string) (pair KeyPair, links []string) {
	t.Helper()
	issuer := testAuthority()
	for i := range between {
		if issuer.err != nil {
			t.Fatalf("the authority of the tests: %v", issuer.err)
		}
		next := authority{}
		next.key, next.err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if next.err == nil {
			template := certificateTemplate(fmt.Sprintf("intermediate %d", i))
			template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
			var der []byte
			if der, next.err = x509.CreateCertificate(rand.Reader, template, issuer.certificate, &next.key.PublicKey, issuer.key); next.err == nil {
				next.certificate, next.err = x509.ParseCertificate(der)
				links = append([]string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}, links...)
			}
		}
		issuer = next
	}
	if issuer.err != nil {
		t.Fatalf("a chain for %v: %v", hostnames, issuer.err)
	}
	pair = signed(t, issuer, hostnames)
	links = append([]string{string(pair.Certificate)}, links...)
	pair.Certificate = []byte(strings.Join(links, ""))
	return pair, links
}

// signed is a certificate that an authority gives.
func signed(t T, ca authority, hostnames []string) KeyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("a key for %v: %v", hostnames, err)
	}
	template := certificateTemplate(hostnames[0])
	for _, h := range hostnames {
		uri, err := url.Parse(h)
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if err == nil && uri.Scheme != "" {
			template.URIs = append(template.URIs, uri)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatalf("a certificate for %v: %v", hostnames, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("the key for %v: %v", hostnames, err)
	}
	return KeyPair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

func certificateTemplate(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		serial = big.NewInt(time.Now().UnixNano())
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

// roots trusts the tests' own authority.
func roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if ca := testAuthority(); ca.err == nil {
		pool.AddCert(ca.certificate)
	}
	return pool
}

// Secret is a manifest of a TLS Secret with a key pair.
func Secret(namespace, name string, pair KeyPair) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {namespace: %s, name: %s}
data:
  tls.crt: %s
  tls.key: %s
`, namespace, name, base64.StdEncoding.EncodeToString(pair.Certificate), base64.StdEncoding.EncodeToString(pair.Key))
}

// Service is a manifest of a Service with the ports.
func Service(namespace, name string, ports ...int32) string {
	text := fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {namespace: %s, name: %s}\nspec:\n  ports:\n", namespace, name)
	for _, p := range ports {
		text += fmt.Sprintf("  - {name: p%d, port: %d}\n", p, p)
	}
	return text
}
