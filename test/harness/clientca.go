package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// ClientCA signs the certificates of clients. Each is a CA of its own.
type ClientCA struct {
	t T
	authority
	// links are the certificates between it and the one that nobody has signed, PEM.
	links string
}

// NewClientCA makes a CA with a name.
func NewClientCA(t T, name string) *ClientCA {
	t.Helper()
	return newClientCA(t, name, nil)
}

// Below makes a CA that this one vouches for.
func (c *ClientCA) Below(name string) *ClientCA {
	c.t.Helper()
	return newClientCA(c.t, name, c)
}

func newClientCA(t T, name string, above *ClientCA) *ClientCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("the key of CA %s: %v", name, err)
	}
	ca := &ClientCA{t: t}
	ca.key = key
	template := certificateTemplate(name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	issuer, signer := template, key
	if above != nil {
		issuer, signer = above.certificate, above.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, signer)
	if err == nil {
		ca.certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatalf("CA %s: %v", name, err)
	}
	if above != nil {
		ca.links = ca.PEM() + above.links
	}
	return ca
}

// PEM is the CA's own certificate.
func (c *ClientCA) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.certificate.Raw}))
}

// Client is the certificate of a client, which ends so long from now.
func (c *ClientCA) Client(name string, ends time.Duration) *KeyPair {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatalf("the key of client %s: %v", name, err)
	}
	template := certificateTemplate(name)
	template.NotBefore, template.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(ends)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, c.certificate, &key.PublicKey, c.key)
	if err != nil {
		c.t.Fatalf("the certificate of client %s: %v", name, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatalf("the key of client %s: %v", name, err)
	}
	return &KeyPair{
		Certificate: []byte(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + c.links),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// Escaped is the first certificate as endpoints get it from the proxy.
func (k *KeyPair) Escaped(t T) string {
	t.Helper()
	block, _ := pem.Decode(k.Certificate)
	if block == nil {
		t.Fatalf("no certificate in %q", k.Certificate)
	}
	return strings.ReplaceAll(url.QueryEscape(string(pem.EncodeToMemory(block))), "+", "%20")
}

// TLS is the pair as crypto/tls has it.
func (k *KeyPair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(k.Certificate, k.Key) }

// ConfigMap is a manifest of a ConfigMap with the certificates of a CA, PEM.
func ConfigMap(namespace, name, certificates string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: %s}\ndata:\n  ca.crt: |\n    %s\n", namespace, name,
		strings.ReplaceAll(strings.TrimSpace(certificates), "\n", "\n    "))
}
