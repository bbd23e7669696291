package adversary

import (
	"bytes"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/test/harness"
)

// conn is a connection of a hostile client in HTTP/2. What fails on it is left alone: the gateway may have ended it.
type conn struct {
	*net.TCPConn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	next    uint32
}

// dial connects; nil when nobody listens, as while a proxy starts.
func dial(address string) *net.TCPConn {
	c, err := net.DialTimeout("tcp", address, harness.DefaultTimeout)
	if err != nil {
		return nil
	}
	_ = c.SetDeadline(time.Now().Add(harness.DefaultTimeout))
	return c.(*net.TCPConn)
}

// open connects and says what a client says first.
func open(address string, settings ...http2.Setting) *conn {
	tcp := dial(address)
	if tcp == nil {
		return nil
	}
	c := &conn{TCPConn: tcp, framer: http2.NewFramer(tcp, tcp), next: 1}
	c.framer.AllowIllegalWrites = true
	c.encoder = hpack.NewEncoder(&c.block)
	_, _ = tcp.Write([]byte(http2.ClientPreface))
	_ = c.framer.WriteSettings(settings...)
	return c
}

// headers opens a stream, names and values in turn, and returns its number.
func (c *conn) headers(end bool, fields ...string) uint32 {
	c.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // A buffer takes all.
	}
	stream := c.next
	c.next += 2
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndStream: end, EndHeaders: true})
	return stream
}

// call opens a stream with one empty message, and leaves it open.
func (c *conn) call(fields harness.Fields) uint32 {
	stream := c.headers(false, fields...)
	_ = c.framer.WriteData(stream, false, harness.Message(nil))
	return stream
}

// listen reads what comes until the other side ends the connection, or for so long.
func (c *conn) listen(limit time.Duration) {
	_ = c.SetReadDeadline(time.Now().Add(limit))
	_, _ = io.Copy(io.Discard, c)
}

// reset ends the connection as the host of a process does that has died.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}
