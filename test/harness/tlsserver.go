package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// TLSOptions are what a server with TLS is like.
type TLSOptions struct {
	Pair KeyPair
	// Clients are authorities, PEM; a client has to show a certificate of one of them, unless it is nil.
	Clients []byte
	// Protocol is "grpc", which is a grpc-go server, "h2" or "http/1.1": what ALPN may choose, and nothing else.
	Protocol string
}

// TLSServer is a server of Backends with TLS.
type TLSServer struct {
	mu          sync.Mutex
	certificate tls.Certificate
	seen        []tls.ConnectionState
}

// ListenTLS answers as Listen and ListenHTTP do, by TLS.
func (b *Backends) ListenTLS(name, address string, port int32, o TLSOptions) *TLSServer {
	b.t.Helper()
	s := &TLSServer{}
	s.Use(b.t, o.Pair)
	config := &tls.Config{NextProtos: []string{strings.Replace(o.Protocol, "grpc", "h2", 1)}, GetCertificate: s.get, VerifyConnection: s.note}
	if o.Clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(o.Clients)
	}
	b.listen(name, address, port, func(l net.Listener) {
		serve, stop := b.serverWith(config, o.Protocol)
		b.t.Cleanup(stop)
		go func() {
			if err := serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, http.ErrServerClosed) {
				b.t.Errorf("backend %s: %v", name, err)
			}
		}()
	})
	return s
}

func (b *Backends) serverWith(config *tls.Config, protocol string) (serve func(net.Listener) error, stop func()) {
	if protocol == "grpc" {
		s := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)), grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(b.handle))
		return s.Serve, s.Stop
	}
	s := &http.Server{Handler: http.HandlerFunc(b.serveTLS), TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	if protocol != "h2" {
		s.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	return func(l net.Listener) error { return s.ServeTLS(l, "", "") }, func() { _ = s.Close() } // The test is over.
}

// serveTLS is serveHTTP, and takes a WebSocket, after which it says what it hears.
func (b *Backends) serveTLS(w http.ResponseWriter, r *http.Request) {
	h, ok := w.(http.Hijacker)
	if !ok || !strings.EqualFold(r.Header.Get("upgrade"), "websocket") {
		b.serveHTTP(w, r)
		return
	}
	conn, in, err := h.Hijack()
	if err != nil {
		b.t.Errorf("a WebSocket: %v", err)
		return
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		webSocketAccept(r.Header.Get("sec-websocket-key")))
	if err == nil {
		_, _ = io.Copy(conn, in) // It ends with the client.
	}
	_ = conn.Close() // The client has gone.
}

// Use has connections from now on get another certificate.
func (s *TLSServer) Use(t T, pair KeyPair) {
	t.Helper()
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatalf("a server's certificate: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate = certificate
}

// Seen are the connections whose handshake this side has finished.
func (s *TLSServer) Seen() []tls.ConnectionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]tls.ConnectionState(nil), s.seen...)
}

func (s *TLSServer) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	certificate := s.certificate
	return &certificate, nil
}

func (s *TLSServer) note(state tls.ConnectionState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, state)
	return nil
}

// Issue makes a certificate for the hostnames that an authority of its own signs, which is returned as PEM.
func Issue(t T, hostnames ...string) (ca []byte, pair KeyPair) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	var der []byte
	template := certificateTemplate("authority of " + hostnames[0])
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	if err == nil {
		der, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	}
	var certificate *x509.Certificate
	if err == nil {
		certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatalf("an authority: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), signed(t, authority{certificate: certificate, key: key}, hostnames)
}

// Endpoints is a manifest of an EndpointSlice of a Service whose one port has a name.
func Endpoints(namespace, service, portName, address string, port int32) string {
	return fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: %s, name: %s-1, labels: {kubernetes.io/service-name: %[2]s}}
addressType: IPv4
ports: [{name: %q, port: %d}]
endpoints: [{addresses: [%q]}]
`, namespace, service, portName, port, address)
}
