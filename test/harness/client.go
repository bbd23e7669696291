package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// DefaultTimeout is how long a call may take when it doesn't say.
const DefaultTimeout = 20 * time.Second

// Call is one gRPC call.
type Call struct {
	// Address is the IP address and port to connect to.
	Address string
	// TLS speaks TLS with SNI as the server name; else cleartext HTTP/2 with prior knowledge.
	TLS bool
	// SNI is the server name to ask for and to verify; the authority's host when it is "".
	SNI string
	// Unverified takes any certificate, and sends no server name when SNI is "-".
	Unverified bool
	// Client is the certificate that is shown to a server that asks for one; nil for none.
	Client    *KeyPair
	Authority string
	// Path is "/service/method".
	Path     string
	Metadata metadata.MD
	Message  []byte
	// Timeout is DefaultTimeout when it is 0.
	Timeout time.Duration
}

// Reply is how a call ended.
type Reply struct {
	Code    codes.Code
	Message string
	// Echo is what the backend said; zero when none answered.
	Echo Echo
	// Body is the message that came back.
	Body              []byte
	Headers, Trailers metadata.MD
	// Certificate is the server's; nil without TLS.
	Certificate *x509.Certificate
}

// Backend is the Service that answered: its name, with "namespace/" before it unless that is "default". When
// the call failed it is the name of the code, such as "Unavailable".
func (r Reply) Backend() string {
	if r.Code != codes.OK {
		return r.Code.String()
	}
	name, _, _ := strings.Cut(r.Echo.Backend, ":")
	return strings.TrimPrefix(name, "default/")
}

// FromServer says whether the reply came over the wire: a status that the client made up has no content type.
func (r Reply) FromServer() bool {
	// A reply without a message has one header block only, which grpc-go takes for trailers.
	return len(r.Headers.Get("content-type")) > 0 || len(r.Trailers.Get("content-type")) > 0
}

// Client makes calls, over one connection for each address and server name.
type Client struct {
	mu          sync.Mutex
	connections map[connection]*grpc.ClientConn
}

type connection struct {
	address, sni    string
	tls, unverified bool
	client          *KeyPair
}

// NewClient returns a client whose connections close with the test.
func NewClient(t T) *Client {
	c := &Client{connections: map[connection]*grpc.ClientConn{}}
	t.Cleanup(c.Close)
	return c
}

// Close closes all connections; calls after it open new ones.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, conn := range c.connections {
		_ = conn.Close() // It was only read from.
		delete(c.connections, key)
	}
}

// Do makes a unary call.
func (c *Client) Do(call Call) Reply {
	conn, ctx, cancel, options, err := c.prepare(call)
	defer cancel()
	if err != nil {
		return Reply{Code: codes.Internal, Message: err.Error()}
	}
	var r Reply
	var p peer.Peer
	options = append(options, grpc.Header(&r.Headers), grpc.Trailer(&r.Trailers), grpc.Peer(&p))
	err = conn.Invoke(ctx, call.Path, call.Message, &r.Body, options...)
	r.end(err)
	if info, ok := p.AuthInfo.(anyAuthority); ok && len(info.State.PeerCertificates) > 0 {
		r.Certificate = info.State.PeerCertificates[0]
	}
	return r
}

func (r *Reply) end(err error) {
	s := status.Convert(err)
	r.Code, r.Message = s.Code(), s.Message()
	if len(r.Body) > 0 {
		// A body that is no Echo is for the caller to look at.
		_ = json.Unmarshal(r.Body, &r.Echo)
	}
}

// Stream opens a stream of any direction. The caller ends it by Stream.Close.
func (c *Client) Stream(call Call) (*Stream, error) {
	conn, ctx, cancel, options, err := c.prepare(call)
	if err != nil {
		cancel()
		return nil, err
	}
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	s, err := conn.NewStream(ctx, desc, call.Path, options...)
	if err != nil {
		cancel()
		return nil, err
	}
	return &Stream{ClientStream: s, cancel: cancel}, nil
}

// Stream is an open stream of messages in bytes.
type Stream struct {
	grpc.ClientStream
	cancel context.CancelFunc
}

// Send sends one message.
func (s *Stream) Send(message []byte) error { return s.SendMsg(message) }

// Receive returns the next message; io.EOF ends a good stream.
func (s *Stream) Receive() ([]byte, error) {
	var message []byte
	err := s.RecvMsg(&message)
	return message, err
}

// ReceiveEcho returns the next message, which is an Echo.
func (s *Stream) ReceiveEcho() (Echo, error) {
	var e Echo
	message, err := s.Receive()
	if err == nil {
		err = json.Unmarshal(message, &e)
	}
	return e, err
}

// Close gives the stream up, whatever state it is in.
func (s *Stream) Close() { s.cancel() }

func (c *Client) prepare(call Call) (*grpc.ClientConn, context.Context, context.CancelFunc, []grpc.CallOption, error) {
	timeout := call.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	if call.Metadata != nil {
		ctx = metadata.NewOutgoingContext(ctx, call.Metadata)
	}
	conn, err := c.connection(call)
	return conn, ctx, cancel, []grpc.CallOption{grpc.CallAuthority(call.Authority)}, err
}

func (c *Client) connection(call Call) (*grpc.ClientConn, error) {
	key := connection{address: call.Address, tls: call.TLS, unverified: call.Unverified, client: call.Client}
	if call.TLS {
		key.sni = call.SNI
		if key.sni == "" {
			key.sni = hostOf(call.Authority)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.connections[key]; conn != nil {
		return conn, nil
	}
	conn, err := grpc.NewClient("passthrough:///"+key.address,
		grpc.WithTransportCredentials(key.credentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}),
			grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
	)
	if err == nil {
		c.connections[key] = conn
	}
	return conn, err
}

func (k connection) credentials() credentials.TransportCredentials {
	if !k.tls {
		return insecure.NewCredentials()
	}
	return anyAuthorityCredentials{credentials.NewTLS(k.config())}
}

func (k connection) config() *tls.Config {
	config := &tls.Config{RootCAs: roots(), ServerName: k.sni, InsecureSkipVerify: k.unverified}
	if k.unverified && k.sni == "-" {
		// An IP address is a name that Go doesn't send.
		config.ServerName, _, _ = net.SplitHostPort(k.address)
	}
	if k.client != nil {
		// Shown whatever the server says of the CAs that it knows.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := k.client.TLS()
			return &pair, err
		}
	}
	return config
}

func hostOf(authority string) string {
	host, _, found := strings.Cut(authority, ":")
	if !found {
		host = authority
	}
	return strings.TrimSuffix(host, ".")
}

// anyAuthorityCredentials let a call ask for any authority over a connection made for another server name,
// as a client that shares connections does.
type anyAuthorityCredentials struct {
	credentials.TransportCredentials
}

func (c anyAuthorityCredentials) ClientHandshake(ctx context.Context, name string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, name, conn)
	if t, ok := info.(credentials.TLSInfo); ok {
		return conn, anyAuthority{t}, err
	}
	return conn, info, err
}

func (c anyAuthorityCredentials) Clone() credentials.TransportCredentials {
	return anyAuthorityCredentials{c.TransportCredentials.Clone()}
}

type anyAuthority struct{ credentials.TLSInfo }

func (anyAuthority) ValidateAuthority(string) error { return nil }
