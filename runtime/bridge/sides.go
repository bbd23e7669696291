package bridge

import (
	"bytes"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
	"github.com/gatewright/gatewright/runtime/bridge/http1"
)

// exchange is one request and its response on a connection of either protocol.
type exchange interface {
	frames.Payee
	SendHeaders(fields []hpack.HeaderField, end bool)
	SendData(data []byte, end bool, from frames.Payee)
	Reset(code http2.ErrCode)
	ResetAfter(code http2.ErrCode)
}

// connection is one of either protocol and side.
type connection interface {
	Serve() error
	Close()
	Drain()
	Handlers() []frames.Handler
	Relieve(calls int) int
}

// outgoing is a connection to an endpoint.
type outgoing interface {
	connection
	Usable() bool
	Streams() int
	open(h frames.Handler) (exchange, bool)
}

// overFrames and overText are the two protocols' connections to endpoints.
type (
	overFrames struct{ *frames.Conn }
	overText   struct{ *http1.Conn }
)

func (c overFrames) open(h frames.Handler) (exchange, bool) {
	s, ok := c.Open(h)
	return s, ok
}

func (c overText) open(h frames.Handler) (exchange, bool) {
	s, ok := c.Open(h)
	return s, ok
}

// incoming is a connection of the proxy, which is one of HTTP/1.1 or of HTTP/2 once it has said so.
type incoming struct {
	b  *Bridge
	nc net.Conn

	mu     sync.Mutex
	conn   connection // nil until then
	drains bool
	closed bool
}

// prefaceTime is how long the proxy may take to say what it speaks, and drainTime how long that may be on its way when the bridge
// drains.
const (
	prefaceTime = 10 * time.Second
	drainTime   = time.Second
)

// Serve finds out what the proxy speaks, and serves that until the connection ends.
func (i *incoming) Serve() error {
	_ = i.nc.SetReadDeadline(time.Now().Add(prefaceTime)) // One that can't have it fails by itself.
	first, err := readPreface(i.nc)
	if err != nil {
		_ = i.nc.Close()
		return err
	}
	i.mu.Lock()
	_ = i.nc.SetReadDeadline(time.Time{})
	nc := &sniffed{Conn: i.nc, first: first}
	var conn connection
	if string(first) == http2.ClientPreface {
		conn = frames.New(nc, frames.Options{
			Budget: i.b.budget, MaxStreams: maxIncoming, MaxHeaderBytes: maxHeaderBytes, ReadBuffer: 8 << 10,
			Accept: func(s *frames.Stream, fields []hpack.HeaderField, end bool) frames.Handler {
				return i.b.accept(s, false, fields, end)
			},
		})
	} else {
		conn = http1.New(nc, http1.Options{
			Budget: i.b.budget, MaxHeadBytes: maxHeadBytes, Refused: i.b.metrics.refused,
			Accept: func(s *http1.Stream, fields []hpack.HeaderField, end bool) frames.Handler {
				return i.b.accept(s, true, fields, end)
			},
		})
	}
	i.conn = conn
	drains, closed := i.drains, i.closed
	i.mu.Unlock()
	if closed {
		conn.Close()
	}
	if drains {
		conn.Drain()
	}
	return conn.Serve()
}

// readPreface reads as much as it takes to tell HTTP/2 from anything else.
func readPreface(nc net.Conn) ([]byte, error) {
	first := make([]byte, 0, len(http2.ClientPreface))
	for {
		n, err := nc.Read(first[len(first):cap(first)])
		first = first[:len(first)+n]
		if len(first) == cap(first) || n > 0 && !bytes.HasPrefix([]byte(http2.ClientPreface), first) {
			return first, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Close ends the connection at once.
func (i *incoming) Close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	if i.conn != nil {
		i.conn.Close()
		return
	}
	_ = i.nc.Close() // Serve says what is wrong.
}

// Drain ends the connection once its calls have ended.
func (i *incoming) Drain() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.drains = true
	if i.conn != nil {
		i.conn.Drain()
		return
	}
	_ = i.nc.SetReadDeadline(time.Now().Add(drainTime)) // One that can't have it fails by itself.
}

func (i *incoming) served() connection {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.conn
}

// Handlers are those of the calls under way.
func (i *incoming) Handlers() []frames.Handler {
	if c := i.served(); c != nil {
		return c.Handlers()
	}
	return nil
}

// Relieve ends calls that stand still.
func (i *incoming) Relieve(calls int) int {
	if c := i.served(); c != nil {
		return c.Relieve(calls)
	}
	return 0
}

// sniffed is a connection of which the first bytes were read.
type sniffed struct {
	net.Conn
	first []byte
}

// Read returns those bytes first.
func (s *sniffed) Read(p []byte) (int, error) {
	if len(s.first) > 0 {
		n := copy(p, s.first)
		s.first = s.first[n:]
		return n, nil
	}
	return s.Conn.Read(p)
}

// CloseWrite ends one direction.
func (s *sniffed) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return io.ErrClosedPipe
}

// SyscallConn is the system's connection.
func (s *sniffed) SyscallConn() (syscall.RawConn, error) {
	if c, ok := s.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, syscall.ENOTSUP
}
