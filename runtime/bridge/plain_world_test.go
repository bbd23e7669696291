package bridge

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// serveHTTP is a server of net/http: of HTTP/1.1, and of HTTP/2 with prior knowledge.
func serveHTTP(t testing.TB, handle http.HandlerFunc) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handle, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		done.Wait()
	})
	return l.Addr().String()
}

// echoHTTP answers with the request's body, while it reads that.
func echoHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 has that in any case.
	_, _ = io.Copy(w, r.Body)
}

// plainly has the upstreams of a configuration speak HTTP/1.1.
func plainly(c Config) Config {
	for id, u := range c.Upstreams {
		u.Protocol = HTTP1
		c.Upstreams[id] = u
	}
	return c
}

// asProxy says to the bridge what a proxy does.
type asProxy struct {
	over  http.RoundTripper
	words []string
}

func (p asProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for i := 0; i < len(p.words); i += 2 {
		r.Header.Set(p.words[i], p.words[i+1])
	}
	return p.over.RoundTrip(r)
}

// web is a client of net/http, of HTTP/1.1 or of HTTP/2.
func (b *bridged) web(frames bool, words ...string) *http.Client {
	b.t.Helper()
	client := webTo(b.t, "unix", b.socket, frames)
	client.Transport = asProxy{client.Transport, append([]string{HeaderTarget, "a"}, words...)}
	return client
}

// webTo is one that connects to an address, whatever it asks for.
func webTo(t testing.TB, network, address string, frames bool) *http.Client {
	t.Helper()
	over := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
		Protocols: new(http.Protocols), DisableCompression: true, ExpectContinueTimeout: patience, MaxIdleConnsPerHost: 100,
	}
	over.Protocols.SetHTTP1(!frames)
	over.Protocols.SetUnencryptedHTTP2(frames)
	t.Cleanup(over.CloseIdleConnections)
	return &http.Client{Transport: over, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// socket is a connection on which a test writes and reads bytes.
type socket struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

// raw is such a connection to the bridge.
func (b *bridged) raw() *socket {
	b.t.Helper()
	nc, err := net.Dial("unix", b.socket)
	if err != nil {
		b.t.Fatal(err)
	}
	return newSocket(b.t, nc)
}

func newSocket(t testing.TB, nc net.Conn) *socket {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Error(err)
	}
	return &socket{t, nc, bufio.NewReader(nc)}
}

func (s *socket) say(text ...string) *socket {
	s.t.Helper()
	if _, err := io.WriteString(s.Conn, strings.Join(text, "")); err != nil {
		s.t.Error(err)
	}
	return s
}

// head reads up to an empty line.
func (s *socket) head() string {
	s.t.Helper()
	var out strings.Builder
	for {
		line, err := s.in.ReadString('\n')
		out.WriteString(line)
		if err != nil {
			s.t.Errorf("the head ends after %q: %v", out.String(), err)
			return out.String()
		}
		if line == "\r\n" {
			return out.String()
		}
	}
}

// next reads so many bytes.
func (s *socket) next(n int) string {
	s.t.Helper()
	text := make([]byte, n)
	got, err := io.ReadFull(s.in, text)
	if err != nil {
		s.t.Errorf("%d bytes came, want %d: %v", got, n, err)
	}
	return string(text[:got])
}

// rest reads up to the end.
func (s *socket) rest() string {
	s.t.Helper()
	text, err := io.ReadAll(s.in)
	if err != nil {
		s.t.Errorf("the end: %v", err)
	}
	return string(text)
}

// endpointOf is an endpoint whose connections a test handles, one goroutine each.
func endpointOf(t testing.TB, handle func(s *socket)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	var mu sync.Mutex
	done.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			s := newSocket(t, nc)
			mu.Unlock()
			done.Go(func() {
				defer func() { _ = nc.Close() }()
				handle(s)
			})
		}
	})
	return l.Addr().String()
}

const ask = "GET /p?q=1 HTTP/1.1\r\nHost: example\r\nx-gw-target: a\r\n\r\n"

// bodyOf is a body of so many bytes, none of which looks like its neighbours.
func bodyOf(n int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef\r\n\x00\xff"), n/20+1)[:n]
}

// idleConns is how many connections of HTTP/1.1 to endpoints have no request.
func (b *bridged) idleConns() int {
	n := 0
	for _, e := range b.table.Load().endpoints {
		e.freeMu.Lock()
		n += len(e.free)
		e.freeMu.Unlock()
	}
	return n
}

// ended waits until the bridge has nothing under way.
func (b *bridged) ended() {
	b.t.Helper()
	await(b.t, "the end of all calls", func() bool {
		return b.count("calls_open", nil) == 0 && b.count("held_bytes", nil) == 0 && b.count("held_copy_bytes", nil) == 0
	})
}
