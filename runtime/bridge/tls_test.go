package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// ca is an authority that signs certificates.
type ca struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newCA(t *testing.T) *ca {
	t.Helper()
	c := &ca{t: t}
	c.cert, c.key, c.pem, _ = c.make(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return c
}

// make signs a certificate, by itself for the authority's own.
func (c *ca) make(template *x509.Certificate) (cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM, keyPEM string) {
	c.t.Helper()
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	parent, signer := c.cert, c.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err == nil {
		cert, err = x509.ParseCertificate(der)
	}
	var raw []byte
	if err == nil {
		raw, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// leaf is a certificate for a name and a URI.
func (c *ca) leaf(name, uri string) (certPEM, keyPEM string) {
	c.t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{DNSNames: []string{name}}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if uri != "" {
		template.URIs = []*url.URL{u}
	}
	_, _, certPEM, keyPEM = c.make(template)
	return certPEM, keyPEM
}

func pairOf(t *testing.T, certPEM, keyPEM string) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// fileOf is the path of a file with a text.
func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTLS connects to endpoints that are who they must be, and sends the others nothing.
func TestTLS(t *testing.T) {
	good, other := newCA(t), newCA(t)
	const uri = "spiffe://cluster.local/ns/shop/sa/cart"
	var names []string
	begun := 0
	cert, key := good.leaf("a.example", uri)
	s := serve(t, func(srv any, s grpc.ServerStream) error {
		begun++
		if p, ok := peer.FromContext(s.Context()); ok {
			names = append(names, p.AuthInfo.(credentials.TLSInfo).State.ServerName)
		}
		return echo(srv, s)
	}, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pairOf(t, cert, key)}})))
	b := start(t, plain(t, s.address))
	for _, c := range []struct {
		name  string
		tls   TLS
		names []SubjectAltName
		want  codes.Code
	}{
		{"its name", TLS{ServerName: "a.example", CAs: good.pem}, nil, codes.OK},
		{"authorities of a file", TLS{ServerName: "a.example", CAsFile: fileOf(t, good.pem)}, nil, codes.OK},
		{"another authority of a file", TLS{ServerName: "a.example", CAsFile: fileOf(t, other.pem)}, nil, codes.Unavailable},
		{"authorities and a file", TLS{ServerName: "a.example", CAs: other.pem, CAsFile: fileOf(t, good.pem)}, nil, codes.Unavailable},
		{"another name", TLS{ServerName: "b.example", CAs: good.pem}, nil, codes.Unavailable},
		{"another authority", TLS{ServerName: "a.example", CAs: other.pem}, nil, codes.Unavailable},
		{"both authorities", TLS{ServerName: "a.example", CAs: other.pem + good.pem}, nil, codes.OK},
		{"the system's authorities", TLS{ServerName: "a.example"}, nil, codes.Unavailable},
		{"its URI", TLS{ServerName: "b.example", CAs: good.pem}, []SubjectAltName{{URI: uri}}, codes.OK},
		{"one of them", TLS{ServerName: "b.example", CAs: good.pem}, []SubjectAltName{{URI: "x:y"}, {Hostname: "a.example"}}, codes.OK},
		{"another URI", TLS{ServerName: "a.example", CAs: good.pem}, []SubjectAltName{{URI: uri + "2"}}, codes.Unavailable},
		{"another hostname", TLS{ServerName: "a.example", CAs: good.pem}, []SubjectAltName{{Hostname: "b.example"}}, codes.Unavailable},
		{"a pattern", TLS{ServerName: "a.example", CAs: good.pem}, []SubjectAltName{{Hostname: "*.example"}}, codes.Unavailable},
		{"its URI of another authority", TLS{ServerName: "a.example", CAs: other.pem}, []SubjectAltName{{URI: uri}}, codes.Unavailable},
	} {
		config := plain(t, s.address)
		u := config.Upstreams["u"]
		c.tls.SubjectAltNames = c.names
		u.TLS = &c.tls
		config.Upstreams["u"] = u
		b.configure(config)
		begun, names = 0, nil
		out, err := unary(background(t), b.client(), []byte("m"))
		wantCode(t, c.name, err, c.want)
		if c.want == codes.OK && (string(out) != "m" || len(names) != 1 || names[0] != c.tls.ServerName) || c.want != codes.OK && begun > 0 {
			t.Errorf("%s: %q, begun %d times, asked for %v", c.name, out, begun, names)
		}
		if err != nil && (strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "spiffe")) {
			t.Errorf("%s: clients are told %v", c.name, err)
		}
	}
}

// TestTLSClient shows the bridge's own certificate to endpoints that ask for one.
func TestTLSClient(t *testing.T) {
	authority := newCA(t)
	serverCert, serverKey := authority.leaf("a.example", "")
	pool := x509.NewCertPool()
	pool.AddCert(authority.cert)
	s := serve(t, echo, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pairOf(t, serverCert, serverKey)},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})))
	own := TLS{ServerName: "a.example", CAs: authority.pem}
	none := own
	own.Certificate, own.Key = authority.leaf("bridge", "")
	b := start(t, plain(t, s.address))
	for _, c := range []struct {
		tls  TLS
		want codes.Code
	}{{own, codes.OK}, {none, codes.Unavailable}, {own, codes.OK}} {
		config := plain(t, s.address)
		u := config.Upstreams["u"]
		u.TLS = &c.tls
		config.Upstreams["u"] = u
		b.configure(config)
		_, err := unary(background(t), b.client(), []byte("m"))
		wantCode(t, "with a certificate: "+c.tls.Certificate[:min(20, len(c.tls.Certificate))], err, c.want)
	}
}

func TestTLSRefuses(t *testing.T) {
	for name, c := range map[string]TLS{
		"tls.serverName":         {},
		"tls.subjectAltNames[0]": {ServerName: "a", SubjectAltNames: []SubjectAltName{{}}},
		"tls.cas":                {ServerName: "a", CAs: "x"},
		"tls.casFile: open":      {ServerName: "a", CAsFile: "/no/such/file"},
		"tls.casFile: /dev/null": {ServerName: "a", CAsFile: "/dev/null"},
		"tls.certificate":        {ServerName: "a", Certificate: "x"},
	} {
		config := plain(t)
		config.Upstreams["u"] = Upstream{TLS: &c}
		if _, err := Parse(written(t, config)); err == nil || !strings.Contains(err.Error(), `upstreams["u"].`+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
