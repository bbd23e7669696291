package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/gatewright/gatewright/test/harness"
)

const secureGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: ecdsa, port: 443, protocol: HTTPS, hostname: ecdsa.example.com, tls: {certificateRefs: [{name: ecdsa}]}}
  - {name: rsa, port: 443, protocol: HTTPS, hostname: rsa.example.com, tls: {certificateRefs: [{name: rsa}]}}
`

// strong are the suites of TLS 1.2 that are taken, in the order of preference, by the kind of key.
var strong = map[string][]uint16{
	"ecdsa": {tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
	"rsa": {tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
}

// strong13 are those of TLS 1.3. The others of its first range are CCM.
var strong13 = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}

// suites are all numbers that suites have been given, or may be, but some. The two that are signals for servers, not
// suites, aren't among them.
func suites(but ...uint16) []uint16 {
	var all []uint16
	for _, high := range []uint16{0x00, 0xc0, 0xcc, 0xd0} {
		for low := range uint16(0x100) {
			if s := high<<8 | low; s != 0x00ff && !slices.Contains(but, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

func serveSecure(t *testing.T, p harness.Proxy) *harness.Served {
	t.Helper()
	return harness.Serve(t, p, harness.Load(t, "", secureGateway, harness.Service("default", "s", 50051), rule("r", "", "", "s.A", "", "s"),
		harness.Secret("default", "ecdsa", selfSigned(t, "ecdsa.example.com", false)),
		harness.Secret("default", "rsa", selfSigned(t, "rsa.example.com", true)),
	), harness.Options{})
}

// selfSigned is a certificate with a key of either kind.
func selfSigned(t *testing.T, name string, isRSA bool) harness.KeyPair {
	t.Helper()
	var key any
	var public any
	if isRSA {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		key, public = k, &k.PublicKey
	} else {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, public = k, &k.PublicKey
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return harness.KeyPair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}),
	}
}

// TestSuites: each suite that is strong is taken when a client has no other, and nothing is when it has all but those.
func TestSuites(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := serveSecure(t, p)
			address := s.Call("gw/ecdsa").Address
			for kind, good := range strong {
				name := kind + ".example.com"
				for _, suite := range good {
					if got, err := (hello{tls12, name, []uint16{suite}}).offer(t, address); err != nil || got != suite {
						t.Errorf("%s: %#04x offered: got %#04x, %v", kind, suite, got, err)
					}
				}
				// Without ChaCha20, which HAProxy takes when a client has it first: such a client has no AES in its processor.
				backwards := []uint16{good[1], good[0]}
				if got, err := (hello{tls12, name, backwards}).offer(t, address); err != nil || got != good[0] {
					t.Errorf("%s: %#04x offered: got %#04x, %v, want %#04x", kind, backwards, got, err, good[0])
				}
				if got, err := (hello{tls12, name, suites(good...)}).offer(t, address); err == nil {
					t.Errorf("%s: TLS 1.2 with all suites but the strong ones: the server takes %#04x", kind, got)
				}
				if got, err := (hello{tls11, name, suites()}).offer(t, address); err == nil {
					t.Errorf("%s: TLS 1.1: the server takes %#04x", kind, got)
				}
				for _, suite := range strong13 {
					if got, err := (hello{tls13, name, []uint16{suite}}).offer(t, address); err != nil || got != suite {
						t.Errorf("%s: %#04x offered for TLS 1.3: got %#04x, %v", kind, suite, got, err)
					}
				}
				if got, err := (hello{tls13, name, []uint16{0x1304, 0x1305}}).offer(t, address); err == nil {
					t.Errorf("%s: TLS 1.3 with CCM: the server takes %#04x", kind, got)
				}
			}
			// A name of no listener gets none of the weak ones either, though the server for it is another one.
			if got, err := (hello{tls11, "other.example.com", suites()}).offer(t, address); err == nil {
				t.Errorf("TLS 1.1 for a name of no listener: the server takes %#04x", got)
			}
		})
	}
}

// TestSessions: clients resume their sessions at any worker, and nothing goes wrong when a reload comes between: nginx
// has its sessions across it, HAProxy begins anew.
func TestSessions(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := serveSecure(t, p)
			address := s.Call("gw/ecdsa").Address
			// Go's client resumes sessions of TLS 1.2 by tickets alone.
			config := &tls.Config{
				ServerName: "ecdsa.example.com", InsecureSkipVerify: true, MinVersion: tls13,
				NextProtos: []string{"h2"}, ClientSessionCache: tls.NewLRUClientSessionCache(10),
			}
			handshake(t, address, config)
			for i := range 8 {
				if !handshake(t, address, config).DidResume {
					t.Errorf("connection %d doesn't resume the session", i+1)
				}
			}
			s.Proxy.Reload(s.Process)
			if !handshake(t, address, config).DidResume && p.Name == "nginx" {
				t.Error("the first connection after a reload doesn't resume the session")
			}
			// A session that an old worker still resumes is of no use to the new ones.
			harness.Until(t, "resume sessions after a reload", harness.DefaultTimeout, func() error {
				for range 4 {
					if !handshake(t, address, config).DidResume {
						return errors.New("a connection doesn't")
					}
				}
				return nil
			}, func() string { return "" })
		})
	}
}

// handshake connects and waits for the server's first frame, which comes behind what a session takes.
func handshake(t *testing.T, address string, config *tls.Config) tls.ConnectionState {
	t.Helper()
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if _, err := framer.ReadFrame(); err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Fatal(err)
	}
	return conn.ConnectionState()
}
