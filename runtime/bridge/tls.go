package bridge

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TLS is how the endpoints of an upstream are spoken to, and who they must be. A change of anything in it makes connections anew:
// what isn't trusted any more serves no further call.
type TLS struct {
	// ServerName is what is asked for (SNI), and the name that the certificate must have unless SubjectAltNames says others.
	ServerName string `json:"serverName"`
	// SubjectAltNames are names of which the certificate must have one, instead of ServerName.
	SubjectAltNames []SubjectAltName `json:"subjectAltNames,omitempty"`
	// CAs are who may have signed it, as certificates in PEM; "" is those that the system trusts.
	CAs string `json:"cas,omitempty"`
	// Certificate and Key are the bridge's own, in PEM, for endpoints that ask for one.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

// SubjectAltName is a name in a certificate: one of the two.
type SubjectAltName struct {
	// Hostname is a DNS name. "*.example.com" is a certificate's that has it so.
	Hostname string `json:"hostname,omitempty"`
	// URI is compared as it stands: "spiffe://cluster.local/ns/shop/sa/cart".
	URI string `json:"uri,omitempty"`
}

// config is what crypto/tls makes of it, for endpoints of a protocol.
func (t *TLS) config(protocol string) (*tls.Config, error) {
	if t.ServerName == "" {
		return nil, errors.New("tls.serverName: name the server")
	}
	for i, n := range t.SubjectAltNames {
		if (n.Hostname == "") == (n.URI == "") {
			return nil, fmt.Errorf("tls.subjectAltNames[%d]: want a hostname or a uri", i)
		}
	}
	var roots *x509.CertPool
	if t.CAs != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(t.CAs)) {
			return nil, errors.New("tls.cas: no certificate in PEM is there")
		}
	}
	c := &tls.Config{ServerName: t.ServerName, NextProtos: []string{alpn(protocol == HTTP1)}, MinVersion: tls.VersionTLS12, RootCAs: roots}
	if len(t.SubjectAltNames) > 0 {
		// The library would compare with the server's name. All of its check but that is made here, for each handshake.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, roots, t.SubjectAltNames) }
	}
	if t.Certificate != "" || t.Key != "" {
		own, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key))
		if err != nil {
			return nil, fmt.Errorf("tls.certificate, tls.key: %w", err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// alpn is a protocol's name in TLS.
func alpn(plain bool) string {
	if plain {
		return "http/1.1"
	}
	return http2.NextProtoTLS
}

// verify holds a server to who signed its certificate, and to one of the names.
func verify(chain []*x509.Certificate, roots *x509.CertPool, names []SubjectAltName) error {
	if len(chain) == 0 {
		return errors.New("the endpoint has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return err
	}
	for _, n := range names {
		if n.in(chain[0]) {
			return nil
		}
	}
	return fmt.Errorf("the endpoint's certificate has none of the names %v: it is for %v and %v", names, chain[0].DNSNames, chain[0].URIs)
}

func (n SubjectAltName) in(c *x509.Certificate) bool {
	switch {
	case n.URI != "":
		for _, u := range c.URIs {
			if u.String() == n.URI {
				return true
			}
		}
		return false
	case strings.HasPrefix(n.Hostname, "*."):
		return slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, n.Hostname) })
	}
	return c.VerifyHostname(n.Hostname) == nil
}

// String is the name.
func (n SubjectAltName) String() string { return n.Hostname + n.URI }

// id tells one way to speak TLS from another; "" is none.
func (t *TLS) id() string {
	if t == nil {
		return ""
	}
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // It has strings only.
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// schemed are a request's fields with the scheme that the endpoint is spoken to by.
func (e *endpoint) schemed(fields []hpack.HeaderField) []hpack.HeaderField {
	if e.tls == nil {
		return fields
	}
	out := slices.Clone(fields)
	for i := range out {
		if out[i].Name == ":scheme" {
			out[i].Value = "https"
		}
	}
	return out
}
