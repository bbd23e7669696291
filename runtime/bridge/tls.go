package bridge

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/generators/relay"
)

// tlsConfig is what crypto/tls makes of it, for endpoints of a protocol.
func tlsConfig(t *TLS, protocol relay.Protocol) (*tls.Config, error) {
	if t.ServerName == "" {
		return nil, errors.New("tls.serverName: name the server")
	}
	for i, n := range t.SubjectAltNames {
		if (n.Hostname == "") == (n.URI == "") {
			return nil, fmt.Errorf("tls.subjectAltNames[%d]: want a hostname or a uri", i)
		}
	}
	roots, err := rootsOf(t)
	if err != nil {
		return nil, err
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

// rootsOf are who may have signed a certificate; nil is whom the system trusts.
func rootsOf(t *TLS) (*x509.CertPool, error) {
	field, text := "tls.cas", []byte(t.CAs)
	switch {
	case t.CAs == "" && t.CAsFile == "":
		return nil, nil
	case t.CAs == "":
		var err error
		if text, err = os.ReadFile(t.CAsFile); err != nil {
			return nil, fmt.Errorf("tls.casFile: %w", err)
		}
		field = "tls.casFile: " + t.CAsFile
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in PEM is there", field)
	}
	return roots, nil
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
		if certifies(chain[0], n) {
			return nil
		}
	}
	return fmt.Errorf("the endpoint's certificate has none of the names %v: it is for %v and %v", names, chain[0].DNSNames, chain[0].URIs)
}

// certifies says whether a certificate has a name.
func certifies(c *x509.Certificate, n SubjectAltName) bool {
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

// tlsID tells one way to speak TLS from another; "" is none.
func tlsID(t *TLS) string {
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
