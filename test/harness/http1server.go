package harness

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2"
)

// serveBoth answers on a listener in HTTP/1.1 and in HTTP/2, gRPC included: the first bytes of a connection tell.
func (b *Backends) serveBoth(l net.Listener) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	b.t.Cleanup(func() {
		_ = l.Close() // It only accepts.
		mu.Lock()
		defer mu.Unlock()
		for conn := range open {
			_ = conn.Close() // The test is over.
		}
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			go func() {
				b.serveConn(conn)
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			}()
		}
	}()
}

// readFirst is a connection whose first bytes have been read already.
type readFirst struct {
	net.Conn
	*bufio.Reader
}

func (c readFirst) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// serveConn answers all requests of a connection.
func (b *Backends) serveConn(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	preface := []byte(http2.ClientPreface)
	for n := 1; ; n++ {
		head, err := r.Peek(n)
		if err != nil {
			return
		}
		if !bytes.Equal(head, preface[:n]) {
			break
		}
		if n == len(preface) {
			//lint:ignore SA1019 net/http serves listeners, and this is one connection
			new(http2.Server).ServeConn(readFirst{conn, r}, &http2.ServeConnOpts{Handler: http.HandlerFunc(b.serveHTTP2),
				BaseConfig: quietServer})
			return
		}
	}
	for b.serveHTTP1(conn, r) {
	}
}

// quietServer says nothing of connections that clients break.
var quietServer = &http.Server{ErrorLog: log.New(io.Discard, "", 0)}

// serveHTTP2 gives calls to the gRPC server, which takes no other content types of those that begin like its own.
func (b *Backends) serveHTTP2(w http.ResponseWriter, r *http.Request) {
	kind := r.Header.Get("content-type")
	if r.Header.Get(AskMode) == "" && r.Method == http.MethodPost && r.Header.Get("te") == "trailers" &&
		(kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")) {
		b.server.ServeHTTP(w, r)
		return
	}
	b.serveHTTP(w, r)
}

// serveHTTP1 answers one request, and says whether the connection is for another one. It takes what it gets: it doesn't
// judge the target, the host or the names of headers.
func (b *Backends) serveHTTP1(conn net.Conn, in *bufio.Reader) bool {
	line, err := readLine(in)
	if err != nil {
		return false
	}
	method, rest, _ := strings.Cut(line, " ")
	space := strings.LastIndexByte(rest, ' ')
	if space < 0 {
		return false
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.LocalAddrContextKey, conn.LocalAddr()))
	defer cancel()
	r := (&http.Request{Method: method, RequestURI: rest[:space], Proto: rest[space+1:], Header: http.Header{}}).WithContext(ctx)
	for {
		if line, err = readLine(in); err != nil {
			return false
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		name = http.CanonicalHeaderKey(name)
		r.Header[name] = append(r.Header[name], strings.TrimSpace(value))
	}
	r.Host = r.Header.Get("host")
	w := &http1Answer{conn: conn, in: in, cancel: cancel, request: r, header: http.Header{}}
	r.Body = w.body()
	b.serveHTTP(w, r)
	return w.finish() && r.Proto == "HTTP/1.1" && !strings.EqualFold(r.Header.Get("connection"), "close")
}

// webSocketAccept is what a server of WebSockets says to a client's key (RFC 6455).
func webSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// http1Answer writes the answer to one request of HTTP/1.1.
type http1Answer struct {
	conn    net.Conn
	in      *bufio.Reader
	cancel  context.CancelFunc
	request *http.Request
	header  http.Header
	status  int
	// kept is the body until it is sent, whole or in chunks.
	kept bytes.Buffer
	// begun says that the headers are sent, closed that the answer ends where it is, and last that no request follows.
	begun, closed, last bool
}

// body is what the request's headers say that it is.
func (w *http1Answer) body() io.ReadCloser {
	r := w.request
	switch length, err := strconv.ParseInt(r.Header.Get("content-length"), 10, 64); {
	case strings.EqualFold(r.Header.Get("transfer-encoding"), "chunked"):
		return io.NopCloser(&expected{w: w, from: &chunks{from: httputil.NewChunkedReader(w.in), in: w.in}})
	case err == nil && length > 0:
		return io.NopCloser(&expected{w: w, from: io.LimitReader(w.in, length)})
	}
	return http.NoBody
}

// chunks reads a chunked body with what stands behind it.
type chunks struct {
	from  io.Reader
	in    *bufio.Reader
	ended bool
}

func (c *chunks) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	for err == io.EOF && !c.ended {
		line, bad := readLine(c.in)
		if bad != nil {
			return n, io.ErrUnexpectedEOF
		}
		c.ended = line == ""
	}
	return n, err
}

// expected says that the body may come, to a client that waits for that.
type expected struct {
	w    *http1Answer
	from io.Reader
	said bool
}

func (e *expected) Read(p []byte) (int, error) {
	if !e.said && strings.EqualFold(e.w.request.Header.Get("expect"), "100-continue") {
		e.w.raw("HTTP/1.1 100 Continue\r\n\r\n")
	}
	e.said = true
	return e.from.Read(p)
}

// Header, WriteHeader, Write and Flush are those of an http.ResponseWriter.
func (w *http1Answer) Header() http.Header { return w.header }

// WriteHeader sets the status.
func (w *http1Answer) WriteHeader(status int) { w.status = status }

// Write keeps a part of the body.
func (w *http1Answer) Write(p []byte) (int, error) {
	n, err := w.kept.Write(p)
	if w.kept.Len() > 1<<16 {
		w.Flush()
	}
	return n, err
}

// Flush sends what has been written so far.
func (w *http1Answer) Flush() {
	if !w.begun && w.header.Get("content-length") == "" && w.status != http.StatusNoContent {
		w.header.Set("transfer-encoding", "chunked")
	}
	w.head()
	if w.kept.Len() == 0 {
		return
	}
	if w.header.Get("transfer-encoding") == "chunked" {
		fmt.Fprintf(w.conn, "%x\r\n%s\r\n", w.kept.Len(), w.kept.Bytes())
	} else {
		w.raw(w.kept.String())
	}
	w.kept.Reset()
}

// head sends the status line and the headers, once.
func (w *http1Answer) head() {
	if w.begun {
		return
	}
	w.begun = true
	if w.status == 0 {
		w.status = http.StatusOK
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&text) // A buffer takes all.
	text.WriteString("\r\n")
	w.raw(text.String())
}

// raw sends bytes as they are. The client sees what is missing.
func (w *http1Answer) raw(text string) { _, _ = io.WriteString(w.conn, text) }

// close ends the connection under the answer.
func (w *http1Answer) close() {
	if w.kept.Len() > 0 {
		w.Flush()
	}
	w.closed = true
}

// finish sends the rest, and says whether the connection can go on.
func (w *http1Answer) finish() bool {
	if w.closed {
		return false
	}
	empty := w.request.Method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified
	if !w.begun && w.status != http.StatusNoContent {
		w.header.Set("content-length", strconv.Itoa(w.kept.Len()))
	}
	if empty {
		w.kept.Reset()
	}
	w.Flush()
	if w.header.Get("transfer-encoding") == "chunked" && !empty {
		w.raw("0\r\n\r\n")
	}
	if w.last {
		return false
	}
	// What an answer didn't wait for isn't the next request.
	_, err := io.Copy(io.Discard, w.request.Body)
	return err == nil
}

// watch cancels the request when its client goes. Nothing is read from the connection afterwards.
func (w *http1Answer) watch() {
	w.last = true
	go func() {
		_, _ = io.Copy(io.Discard, w.in) // Its end is what matters.
		w.cancel()
	}()
}

// upgrade takes any protocol that a request asks to change to, and then says what it hears.
func (w *http1Answer) upgrade(r *http.Request) bool {
	protocol := r.Header.Get("upgrade")
	if protocol == "" || !strings.Contains(strings.ToLower(r.Header.Get("connection")), "upgrade") {
		return false
	}
	w.status = http.StatusSwitchingProtocols
	w.header.Set("connection", "Upgrade")
	w.header.Set("upgrade", protocol)
	if key := r.Header.Get("sec-websocket-key"); key != "" {
		w.header.Set("sec-websocket-accept", webSocketAccept(key))
	}
	w.head()
	w.closed = true
	_, _ = io.Copy(w.conn, w.in) // It ends with the client.
	return true
}
