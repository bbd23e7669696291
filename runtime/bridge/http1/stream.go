package http1

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// Stream is one exchange of a connection: a request and its response. All but what stands first is guarded by the connection's lock.
type Stream struct {
	conn   *Conn
	method string
	old    bool // the peer of a server speaks HTTP/1.0
	reused bool // the connection had exchanges before

	handler frames.Handler
	start   uint64 // what was put into the connection's buffer before it
	upgrade bool   // a WebSocket was asked for
	begun   bool   // a byte of the response has come in
	last    bool   // the connection ends with it
	framing framing
	left    int64 // of a body whose length is known
	tunnel  bool

	waiting int // bytes that came in and aren't consumed
	beyond  int // those of them that the budget had no room for
	limit   int // how many there may be
	taken   int // how many were consumed since that was raised last
	seen    int // when Relieve was called last before something was sent

	sentEnd, gotEnd, closed bool
}

// framing is how a body is sent.
type framing int

const (
	unsent    framing = iota // the head isn't sent yet
	bodiless                 // there is none
	byLength                 // as long as its head says
	byChunks                 // in chunks
	delimited                // up to the connection's end
)

// errLength ends a connection on which a body isn't as long as its head says: nobody must take what follows for another message.
var errLength = errors.New("the body isn't as long as its head says")

// SendHeaders sends a head, an informational one, or trailers.
func (s *Stream) SendHeaders(fields []hpack.HeaderField, end bool) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !s.sends():
		return
	case s.framing != unsent:
		s.trailers(fields)
	case c.o.Client:
		s.request(fields, end)
	default:
		s.response(fields, end)
	}
	c.settle()
}

// request sends the head of a request.
func (s *Stream) request(fields []hpack.HeaderField, end bool) {
	c := s.conn
	var path, authority string
	host := false
	for _, f := range fields {
		switch f.Name {
		case ":method":
			s.method = f.Value
		case ":path":
			path = f.Value
		case ":authority":
			authority = f.Value
		}
		host = host || equal(f.Name, "host")
		s.upgrade = s.upgrade || equal(f.Name, "upgrade")
	}
	c.put(s.method + " " + path + " HTTP/1.1\r\n")
	if !host {
		c.put("Host: " + authority + "\r\n")
	}
	length, trailers := c.putFields(fields)
	switch {
	case length >= 0:
		s.framing, s.left = byLength, length
	case !end:
		s.framing = byChunks
		c.put("Transfer-Encoding: chunked\r\n")
	case s.method == "POST" || s.method == "PUT" || s.method == "PATCH":
		s.framing = bodiless
		c.put("Content-Length: 0\r\n")
	default:
		s.framing = bodiless
	}
	switch {
	case s.upgrade:
		c.put("Connection: Upgrade\r\n")
	case trailers:
		c.put("Connection: TE\r\n")
	}
	c.put("\r\n")
	if end {
		s.finish()
	}
}

// response sends the head of a response, or an informational one.
func (s *Stream) response(fields []hpack.HeaderField, end bool) {
	c := s.conn
	status, reason := fields[0].Value, ""
	if len(fields) > 1 && fields[1].Name == Reason {
		reason = fields[1].Value
	}
	interim := status[0] == '1'
	if interim && s.old {
		return
	}
	if interim || status == "204" {
		fields = withoutLength(fields)
	}
	c.put("HTTP/1.1 " + status + " " + reason + "\r\n")
	if interim {
		c.putFields(fields)
		if status == "101" {
			c.put("Connection: Upgrade\r\n")
			s.begin()
		}
		c.put("\r\n")
		return
	}
	length, _ := c.putFields(fields)
	empty := s.method == "HEAD" || status == "204" || status == "304"
	switch {
	case empty:
		s.framing = bodiless
	case length >= 0:
		s.framing, s.left = byLength, length
	case end:
		s.framing = bodiless
		c.put("Content-Length: 0\r\n")
	case s.old:
		s.framing = delimited
	default:
		s.framing = byChunks
		c.put("Transfer-Encoding: chunked\r\n")
	}
	// Where a WebSocket was asked for and isn't served, the client may have sent some of it already.
	s.last = s.last || c.drains || s.framing == delimited || s.upgrade
	switch {
	case s.last:
		c.put("Connection: close\r\n")
	case s.old:
		c.put("Connection: keep-alive\r\n")
	}
	c.put("\r\n")
	if end {
		s.finish()
	}
}

// withoutLength are fields of a response that has no body whatever it says.
func withoutLength(fields []hpack.HeaderField) []hpack.HeaderField {
	is := func(f hpack.HeaderField) bool { return equal(f.Name, "content-length") }
	if !slices.ContainsFunc(fields, is) {
		return fields
	}
	return slices.DeleteFunc(slices.Clone(fields), is)
}

// begin makes a tunnel of the exchange. The lock is held.
func (s *Stream) begin() {
	s.tunnel, s.last = true, true
	s.framing = delimited
	s.sentEnd, s.gotEnd = false, false
	s.conn.nudge()
}

// trailers end a body.
func (s *Stream) trailers(fields []hpack.HeaderField) {
	if s.framing == byChunks {
		s.conn.put("0\r\n")
		s.conn.putFields(slices.DeleteFunc(slices.Clone(fields), leads))
		s.conn.put("\r\n")
		s.sentEnd = true
		return
	}
	s.finish() // There is no place for them.
}

// SendData sends a part of the body. from, when there is one, is told once it is written or dropped.
func (s *Stream) SendData(data []byte, end bool, from frames.Payee) {
	c := s.conn
	c.mu.Lock()
	if !s.sends() || c.mute {
		s.sentEnd = s.sentEnd || end
		c.mu.Unlock()
		if from != nil {
			from.Consumed(len(data))
		}
		return
	}
	defer c.mu.Unlock()
	if len(data) > 0 {
		s.body(data)
		c.pay(from, len(data))
	}
	if end {
		s.finish()
	}
	c.settle()
	c.wake.Signal()
}

// body puts a part of the body into the buffer. One that is longer than was said ends the connection.
func (s *Stream) body(data []byte) {
	c := s.conn
	switch s.framing {
	case byLength:
		if s.left -= int64(len(data)); s.left < 0 {
			s.conn.cut(errLength)
			return
		}
		c.putData(data)
	case byChunks:
		var size [20]byte
		c.putData(append(strconv.AppendInt(size[:0], int64(len(data)), 16), '\r', '\n'))
		c.putData(data)
		c.put("\r\n")
	case delimited:
		c.putData(data)
	default: // A response that has no body.
	}
}

// finish ends this direction. The lock is held.
func (s *Stream) finish() {
	c := s.conn
	switch {
	case s.framing == byLength && s.left > 0:
		c.cut(errLength)
		return
	case s.framing == byChunks:
		c.put("0\r\n\r\n")
	}
	s.sentEnd = true
	c.half = s.tunnel
}

// Reset gives the exchange up, and ends the connection at once.
func (s *Stream) Reset(http2.ErrCode) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.kill(errAborted)
}

// ResetAfter ends the exchange and the connection once all that was sent before is written: for a server that has answered in full
// and wants no more of the request, or, by any other code than NO_ERROR, can't answer in full.
func (s *Stream) ResetAfter(code http2.ErrCode) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	c.nudge()
	if code == http2.ErrCodeNo && s.sentEnd {
		c.hangUp()
		return
	}
	c.stop(fmt.Errorf("the exchange is given up: %s", code))
}

// kill ends the exchange and the connection without what isn't written yet. The lock is held.
func (s *Stream) kill(err error) {
	if !s.closed {
		s.closed = true
		s.conn.cut(err)
	}
}

// cut ends the connection without what isn't written yet. The lock is held.
func (c *Conn) cut(err error) {
	c.out = nil
	c.stop(err)
	_ = c.nc.SetDeadline(time.Unix(1, 0)) // One that can't have it is closed.
}

// close marks an exchange as over. The lock is held.
func (s *Stream) close() { s.closed = true }

func (s *Stream) sends() bool { return !s.closed && !s.sentEnd && !s.conn.closing }

// put puts text into the buffer. The lock is held.
func (c *Conn) put(text string) {
	if !c.closing {
		c.out = append(c.grown(len(text)), text...)
		c.queued += uint64(len(text))
		c.wake.Signal()
	}
}

func (c *Conn) putData(data []byte) {
	if !c.closing {
		c.out = append(c.grown(len(data)), data...)
		c.queued += uint64(len(data))
	}
}

// putFields writes lines of fields, and returns the length that they say, or -1, and whether trailers are asked for.
func (c *Conn) putFields(fields []hpack.HeaderField) (length int64, trailers bool) {
	length = -1
	for _, f := range fields {
		if strings.HasPrefix(f.Name, ":") {
			continue
		}
		if equal(f.Name, "content-length") {
			length, _ = strconv.ParseInt(f.Value, 10, 64) // Readers have seen to it.
		}
		trailers = trailers || equal(f.Name, "te")
		c.put(f.Name)
		c.put(": ")
		c.put(f.Value)
		c.put("\r\n")
	}
	return length, trailers
}
