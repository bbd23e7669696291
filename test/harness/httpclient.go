package harness

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// HTTPRequest is one HTTP request, which is sent as it stands: nothing is checked, escaped, or put in order.
type HTTPRequest struct {
	// Address, TLS, SNI, Unverified and Client are as in Call.
	Address    string
	TLS        bool
	SNI        string
	Unverified bool
	Client     *KeyPair
	// HTTP2 speaks HTTP/2, in cleartext with prior knowledge; else HTTP/1.1.
	HTTP2 bool
	// Method is GET when it is "".
	Method string
	// Target is what stands in the request line or in :path.
	Target string
	// Host is the Host header or :authority.
	Host    string
	Headers Fields
	// Body is small: it is sent whatever windows the server gives. Nil is none.
	Body []byte
	// Timeout is DefaultTimeout when it is 0.
	Timeout time.Duration
}

// HTTPReply is what came back.
type HTTPReply struct {
	// Status is 0 when there was no answer: Err says why.
	Status            int
	Headers, Trailers http.Header
	Body              []byte
	// Echo is what the backend said; zero when none did. That of a gRPC server has no more than the Backend.
	Echo HTTPEcho
	// Err is why the answer isn't whole; a Handshake when there was no TLS.
	Err error
}

// Handshake is the error of a TLS handshake.
type Handshake struct{ error }

// GRPC says whether the answer is one to a gRPC call.
func (r *HTTPReply) GRPC() bool {
	return strings.HasPrefix(r.Headers.Get("content-type"), "application/grpc")
}

// Backend is the Service that answered, with whatever status, or the HTTP status in digits, or the name of a gRPC code, or the error.
func (r *HTTPReply) Backend() string {
	status := r.Trailers.Get("grpc-status")
	if status == "" {
		status = r.Headers.Get("grpc-status")
	}
	code, err := strconv.Atoi(status)
	switch {
	case r.Err != nil:
		return r.Err.Error()
	case r.GRPC() && err == nil && code != 0:
		return codes.Code(code).String()
	case r.Echo.Backend != "":
		return r.Echo.Service()
	case r.Headers.Get(BackendHeader) != "":
		return (&HTTPEcho{Backend: r.Headers.Get(BackendHeader)}).Service()
	}
	return strconv.Itoa(r.Status)
}

// String is a reply in short, for messages.
func (r *HTTPReply) String() string {
	if r.Err != nil {
		return fmt.Sprintf("%d, then %v", r.Status, r.Err)
	}
	return fmt.Sprintf("%d %s %.200q", r.Status, r.Headers.Get("content-type"), r.Body)
}

// HTTPClient makes HTTP requests, over connections that it uses again.
type HTTPClient struct {
	mu   sync.Mutex
	idle map[httpKey][]*httpConn
}

type httpKey struct {
	connection
	http2 bool
}

// httpConn is a connection of either version.
type httpConn struct {
	net.Conn
	in   *bufio.Reader
	h2   *RawClient
	used bool
}

// NewHTTPClient returns a client whose connections close with the test.
func NewHTTPClient(t T) *HTTPClient {
	c := &HTTPClient{idle: map[httpKey][]*httpConn{}}
	t.Cleanup(c.Close)
	return c
}

// Close closes all connections; requests after it open new ones.
func (c *HTTPClient) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, conns := range c.idle {
		for _, conn := range conns {
			_ = conn.Close() // It was only read from.
		}
		delete(c.idle, key)
	}
}

// Do makes a request.
func (c *HTTPClient) Do(r HTTPRequest) HTTPReply {
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	deadline := time.Now().Add(r.Timeout)
	for {
		key, conn, err := c.take(&r)
		if err != nil {
			return HTTPReply{Err: err}
		}
		_ = conn.SetDeadline(deadline) // A connection that is closed says so by reading.
		reply, again := conn.do(&r)
		if conn.used && reply.Err != nil && reply.Status == 0 && !errors.Is(reply.Err, errTimeout) && time.Now().Before(deadline) {
			_ = conn.Close() // The server closed it while it was idle: that is no answer.
			continue
		}
		if again && reply.Err == nil {
			conn.used = true
			c.mu.Lock()
			c.idle[key] = append(c.idle[key], conn)
			c.mu.Unlock()
		} else {
			_ = conn.Close()
		}
		reply.read()
		return reply
	}
}

var errTimeout = errors.New("nothing until the deadline")

// take returns a connection that is idle, or a new one.
func (c *HTTPClient) take(r *HTTPRequest) (httpKey, *httpConn, error) {
	key := httpKey{connection{address: r.Address, tls: r.TLS, unverified: r.Unverified, client: r.Client}, r.HTTP2}
	if r.TLS {
		if key.sni = r.SNI; key.sni == "" {
			key.sni = hostOf(r.Host)
		}
	}
	c.mu.Lock()
	if list := c.idle[key]; len(list) > 0 {
		conn := list[len(list)-1]
		c.idle[key] = list[:len(list)-1]
		c.mu.Unlock()
		return key, conn, nil
	}
	c.mu.Unlock()
	conn, err := key.dial(r.Timeout)
	return key, conn, err
}

func (k httpKey) dial(timeout time.Duration) (*httpConn, error) {
	conn, err := k.connect(timeout)
	if err != nil {
		return nil, err
	}
	c := &httpConn{Conn: conn, in: bufio.NewReader(conn)}
	if k.http2 {
		c.h2, err = newRawClient(conn)
	}
	return c, err
}

// connect connects, by TLS where the key says so. Everything on the connection takes so long at most.
func (k httpKey) connect(timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", k.address, timeout)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(timeout)) // A connection that is closed says so by reading.
	if !k.tls {
		return conn, nil
	}
	config := k.config()
	config.NextProtos = []string{map[bool]string{false: "http/1.1", true: "h2"}[k.http2]}
	secure := tls.Client(conn, config)
	if err := secure.Handshake(); err != nil {
		_ = conn.Close()
		return nil, Handshake{err}
	}
	return secure, nil
}

// do makes a request on a connection, and says whether it can take another one.
func (c *httpConn) do(r *HTTPRequest) (reply HTTPReply, again bool) {
	if c.h2 != nil {
		return c.do2(r)
	}
	// A server may answer before it has read all: what it says counts.
	_, wrote := c.Write(r.Text())
	reply, again = readReply(c.in, r.Method)
	if wrote != nil && reply.Err != nil {
		reply.Err = fmt.Errorf("%w (%w)", reply.Err, wrote)
	}
	return reply, again && wrote == nil
}

// readReply reads an answer of HTTP/1.1, and says whether another one can follow.
func readReply(in *bufio.Reader, method string) (reply HTTPReply, again bool) {
	response, err := http.ReadResponse(in, &http.Request{Method: method})
	for err == nil && response.StatusCode/100 == 1 && response.StatusCode != http.StatusSwitchingProtocols {
		response, err = http.ReadResponse(in, &http.Request{Method: method})
	}
	if err != nil {
		reply.Err = cause(err)
		return reply, false
	}
	reply.Status, reply.Headers = response.StatusCode, response.Header
	if reply.Status == http.StatusSwitchingProtocols {
		return reply, false
	}
	reply.Body, err = io.ReadAll(response.Body)
	reply.Trailers = response.Trailer
	if err != nil {
		reply.Err = cause(err)
	}
	return reply, !response.Close && err == nil
}

// Text is the request as HTTP/1.1 has it.
func (r *HTTPRequest) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", cmp.Or(r.Method, http.MethodGet), r.Target)
	if r.Host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", r.Host)
	}
	for i := 0; i+1 < len(r.Headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", r.Headers[i], r.Headers[i+1])
	}
	if r.Body != nil {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	fmt.Fprintf(&b, "\r\n%s", r.Body)
	return b.Bytes()
}

// do2 is do in HTTP/2.
func (c *httpConn) do2(r *HTTPRequest) (reply HTTPReply, again bool) {
	c.h2.timeout = r.Timeout
	scheme := map[bool]string{false: "http", true: "https"}[r.TLS]
	fields := Fields{":method", r.Method, ":scheme", scheme, ":path", r.Target}
	if r.Host != "" {
		fields = append(fields, ":authority", r.Host)
	}
	stream := c.h2.Open(append(fields, r.Headers...), r.Body == nil)
	for rest := r.Body; rest != nil; {
		part := rest[:min(len(rest), maxFrame)]
		if rest = rest[len(part):]; len(rest) == 0 {
			rest = nil
		}
		c.h2.Data(stream, rest == nil, part)
	}
	raw := c.h2.Wait(stream)
	reply = raw.reply()
	n, err := strconv.Atoi(reply.Headers.Get("content-length"))
	if err == nil && n != len(reply.Body) && r.Method != http.MethodHead && reply.Err == nil {
		reply.Err = fmt.Errorf("%d bytes of %d: %w", len(reply.Body), n, io.ErrUnexpectedEOF)
	}
	return reply, raw.Ended
}

// reply is what came back as of an HTTP request.
func (raw *RawReply) reply() (reply HTTPReply) {
	reply.Status, _ = strconv.Atoi(raw.Headers.Get(":status")) // None is 0.
	reply.Headers, reply.Trailers, reply.Body = raw.Headers.header(), raw.Trailers.header(), raw.Data
	switch {
	case raw.Reset != nil && *raw.Reset == 0 && reply.Status != 0:
		// The server has said all and wants no more of the body.
	case raw.Reset != nil:
		reply.Err = fmt.Errorf("reset: %s", *raw.Reset)
	case raw.Err != nil:
		reply.Err = cause(raw.Err)
	}
	return reply
}

// Request makes an HTTP request of the fields, with a body where there is one, and waits for the answer so long at most.
func (c *RawClient) Request(fields Fields, body []byte, wait time.Duration) HTTPReply {
	c.timeout = wait
	var stream uint32
	c.note(c.conn.together(func() {
		stream = c.Open(fields, len(body) == 0)
		if len(body) > 0 {
			c.Data(stream, true, body)
		}
	}))
	reply := c.Wait(stream).reply()
	reply.read()
	return reply
}

// header are the fields of a block but for those of HTTP/2 itself.
func (f Fields) header() http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(f); i += 2 {
		if !strings.HasPrefix(f[i], ":") {
			h.Add(f[i], f[i+1])
		}
	}
	return h
}

// cause tells a timeout from all else.
func cause(err error) error {
	var n net.Error
	if errors.As(err, &n) && n.Timeout() {
		return fmt.Errorf("%w: %w", errTimeout, err)
	}
	return err
}

// read takes the echo out of the body: a gRPC message has a prefix. A body that is no echo is for the caller to look at.
func (r *HTTPReply) read() {
	text := r.Body
	if r.GRPC() && len(text) > 5 && text[0] == 0 {
		text = text[5:]
	}
	if json.Unmarshal(text, &r.Echo) != nil {
		r.Echo = HTTPEcho{}
	}
}
