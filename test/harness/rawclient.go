package harness

import (
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// RawClient is an HTTP/2 client that sends the fields that a test tells it to. It has one connection and is for one
// goroutine.
type RawClient struct {
	conn *rawConn
	next uint32
	// replies are those of streams that haven't been asked for yet.
	replies map[uint32]*RawReply
	err     error
	leaving bool
	// timeout is how long Wait waits.
	timeout time.Duration
}

// RawReply is how a stream ended.
type RawReply struct {
	Headers, Trailers Fields
	Data              []byte
	// Ended says that the server ended the stream; else Reset or Err says why there is no more.
	Ended bool
	Reset *http2.ErrCode
	Err   error
}

// String is a reply in short, for messages.
func (r *RawReply) String() string {
	switch {
	case r.Reset != nil:
		return fmt.Sprintf("%q then reset: %s", r.Headers, *r.Reset)
	case r.Err != nil:
		return fmt.Sprintf("%q then %v", r.Headers, r.Err)
	}
	return fmt.Sprintf("%q, %d bytes, %q", r.Headers, len(r.Data), r.Trailers)
}

// Status is grpc-status, wherever it stands; "" for none.
func (r *RawReply) Status() string {
	if s := r.Trailers.Get("grpc-status"); s != "" {
		return s
	}
	return r.Headers.Get("grpc-status")
}

// RawRequest are the fields that a gRPC library sends for a call, in cleartext, and more behind them.
func RawRequest(authority, path string, more ...string) Fields {
	return append(Fields{":method", "POST", ":scheme", "http", ":path", path, ":authority", authority,
		"content-type", "application/grpc", "te", "trailers"}, more...)
}

// DialRaw connects in cleartext. The connection closes with the test; everything on it takes DefaultTimeout at most.
func DialRaw(t T, address string) *RawClient {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("a raw client: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c, err := newRawClient(conn)
	if err != nil {
		t.Fatalf("a raw client: %v", err)
	}
	return c
}

// newRawClient greets a server.
func newRawClient(conn net.Conn) (*RawClient, error) {
	c := &RawClient{conn: newRawConn(conn), next: 1, replies: map[uint32]*RawReply{}, timeout: DefaultTimeout}
	_, err := conn.Write([]byte(http2.ClientPreface))
	if err == nil {
		err = c.conn.greet()
	}
	return c, err
}

// Call makes a call of one message and returns how it ended.
func (c *RawClient) Call(fields Fields, message []byte) *RawReply {
	return c.Wait(c.Send(fields, message))
}

// Send sends a call of one message, and returns its stream.
func (c *RawClient) Send(fields Fields, message []byte) uint32 {
	stream := c.Open(fields, false)
	c.Data(stream, true, Message(message))
	return stream
}

// Open sends the header block of a new stream and returns its number. What goes wrong is in the reply.
func (c *RawClient) Open(fields Fields, end bool) uint32 {
	stream := c.next
	c.next += 2
	c.replies[stream] = &RawReply{}
	c.note(c.conn.headers(stream, end, fields))
	return stream
}

// Data sends data as it stands.
func (c *RawClient) Data(stream uint32, end bool, data []byte) {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	c.note(c.conn.framer.WriteData(stream, end, data))
}

// Trailers ends a request with fields behind its body.
func (c *RawClient) Trailers(stream uint32, fields Fields) {
	c.note(c.conn.headers(stream, true, fields))
}

// Reset gives a stream up.
func (c *RawClient) Reset(stream uint32, code http2.ErrCode) {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	c.note(c.conn.framer.WriteRSTStream(stream, code))
}

// Close closes the connection.
func (c *RawClient) Close() { _ = c.conn.Close() }

// Leaving says whether the server has told the client to open another connection.
func (c *RawClient) Leaving() bool { return c.leaving }

// AwaitLeaving waits until it does, while there is nothing to answer.
func (c *RawClient) AwaitLeaving() error {
	_ = c.conn.SetReadDeadline(time.Now().Add(c.timeout)) // A connection that is closed says so by reading.
	for !c.leaving {
		f, err := c.conn.read()
		if err != nil {
			return err
		}
		c.leaving = f.goAway != nil && *f.goAway == http2.ErrCodeNo
	}
	return nil
}

// note keeps the first error of writing; what the server said before is read all the same.
func (c *RawClient) note(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Wait returns how a stream ended.
func (c *RawClient) Wait(stream uint32) *RawReply {
	reply := c.replies[stream]
	_ = c.conn.SetReadDeadline(time.Now().Add(c.timeout)) // A connection that is closed says so by reading.
	for !reply.Ended && reply.Reset == nil && reply.Err == nil {
		f, err := c.conn.read()
		if err != nil {
			reply.Err = err
			if c.err != nil {
				reply.Err = fmt.Errorf("%w (%w)", err, c.err)
			}
			break
		}
		if f.goAway != nil {
			c.leaving = true
			if *f.goAway != http2.ErrCodeNo || f.stream < stream {
				reply.Err = fmt.Errorf("GOAWAY %s, last stream %d", *f.goAway, f.stream)
			}
			continue
		}
		if of := c.replies[f.stream]; of != nil {
			of.add(f)
		}
	}
	delete(c.replies, stream)
	return reply
}

func (r *RawReply) add(f frame) {
	switch {
	case f.reset != nil:
		r.Reset = f.reset
	case f.fields != nil && (r.Headers == nil || strings.HasPrefix(r.Headers.Get(":status"), "1")):
		r.Headers = f.fields // What is informational is forgotten.
	case f.fields != nil:
		r.Trailers = append(r.Trailers, f.fields...)
	}
	r.Data = append(r.Data, f.data...)
	r.Ended = r.Ended || f.end
}
