package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// StandardClient is a client of net/http that connects to where a request goes, in its version of HTTP: for bodies of any
// length, read and written as they come.
func StandardClient(t T, r HTTPRequest) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", r.Address)
	}
	transport := &http.Transport{DialContext: dial, Protocols: new(http.Protocols)}
	switch {
	case r.TLS:
		transport.TLSClientConfig = connection{address: r.Address, sni: hostOf(r.Host), tls: true}.config()
		transport.Protocols.SetHTTP2(r.HTTP2)
	default:
		transport.Protocols.SetUnencryptedHTTP2(r.HTTP2)
	}
	transport.Protocols.SetHTTP1(!r.HTTP2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: DefaultTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// Standard is the request for StandardClient.
func (r HTTPRequest) Standard(t T, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequest(r.Method, map[bool]string{false: "http://", true: "https://"}[r.TLS]+r.Host+r.Target, body)
	if err != nil {
		t.Fatalf("a request: %v", err)
	}
	for i := 0; i+1 < len(r.Headers); i += 2 {
		request.Header.Add(r.Headers[i], r.Headers[i+1])
	}
	return request
}

// ReadEcho reads what a backend says about an HTTP request.
func ReadEcho(body io.Reader, echo *HTTPEcho) error { return json.NewDecoder(body).Decode(echo) }

// Dial connects to where a request goes, and closes the connection with the test. Everything on it takes DefaultTimeout at
// most.
func (r HTTPRequest) Dial(t T) net.Conn {
	t.Helper()
	key := httpKey{connection{address: r.Address, tls: r.TLS, unverified: r.Unverified, sni: r.SNI, client: r.Client}, r.HTTP2}
	if r.TLS && key.sni == "" {
		key.sni = hostOf(r.Host)
	}
	conn, err := key.connect(DefaultTimeout)
	if err != nil {
		t.Fatalf("connect to %s: %v", r.Address, err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // It was only read from.
	return conn
}

// DialRaw connects as Dial does, for requests of HTTP/2.
func (r HTTPRequest) DialRaw(t T) *RawClient {
	t.Helper()
	r.HTTP2 = true
	c, err := newRawClient(r.Dial(t))
	if err != nil {
		t.Fatalf("a raw client: %v", err)
	}
	return c
}

// Exchange sends bytes on a connection of HTTP/1.1 as they stand and returns the answers until the last one, which the
// function tells, or until no other one comes. It waits for one so long at most.
func Exchange(conn net.Conn, text string, wait time.Duration, last func(*HTTPReply) bool) (replies []HTTPReply) {
	// A server may answer before it has read all: what it says counts.
	_, _ = io.WriteString(conn, text)
	in := bufio.NewReader(conn)
	for {
		_ = conn.SetDeadline(time.Now().Add(wait)) // A connection that is closed says so by reading.
		reply, again := readReply(in, http.MethodGet)
		reply.read()
		replies = append(replies, reply)
		if last(&reply) || !again {
			return replies
		}
	}
}

// Waits says whether there was no answer, and no end either.
func (r *HTTPReply) Waits() bool { return errors.Is(r.Err, errTimeout) }
