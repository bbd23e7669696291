package http1

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// Options say what a connection is for.
type Options struct {
	// Client is set for the side that sends requests.
	Client bool
	// Budget bounds what the streams of all connections hold.
	Budget *frames.Budget
	// MaxHeadBytes is how long a head or trailers may be.
	MaxHeadBytes int
	// Accept takes a request, and returns who handles it. It is called by Serve's goroutine.
	Accept func(s *Stream, fields []hpack.HeaderField, end bool) frames.Handler
	// Refused is told the status of a request that never got to Accept.
	Refused func(status int)
	// Free is called when Open works again. It may be called with any lock held.
	Free func(c *Conn)
}

// Conn is one side of a connection.
type Conn struct {
	nc  net.Conn
	o   Options
	raw syscall.RawConn // of a server's connection: tells whether the peer is there while nothing is read

	// These are Serve's goroutine's alone.
	in     input
	fields []hpack.HeaderField

	mu      sync.Mutex
	wake    sync.Cond // the writer's
	turn    sync.Cond // the reader's, where raw isn't there
	out     []byte
	spare   []byte
	paid    []payment
	payable []payment
	writing bool
	queued  uint64 // bytes that were put into out
	sent    uint64 // bytes that the network took
	mute    bool   // the network takes no more
	half    bool   // the tunnel's direction has ended
	waiting bool   // the reader waits for something else than bytes
	current *Stream
	served  int
	drains  bool // no further exchange
	closing bool
	gentle  bool
	err     error
	look    int
}

type payment struct {
	to frames.Payee
	n  int
}

// Bounds of what is held for one stream, as HTTP/2 has them for windows.
const (
	streamWindow = 64 << 10
	largeWindow  = 256 << 10
)

var (
	// errDone ends a connection that has nothing left to do.
	errDone = errors.New("the connection is done")
	errGone = errors.New("the peer has gone")
	// errAborted ends one whose exchange was given up.
	errAborted = errors.New("the exchange was given up")
	// errStill ends a stream that nobody takes anything of while the room that it holds is needed.
	errStill = errors.New("nothing was taken of it for too long, and its room was needed")
)

// New makes a connection of a network connection. Serve runs it.
func New(nc net.Conn, o Options) *Conn {
	c := &Conn{nc: nc, o: o}
	c.wake.L, c.turn.L = &c.mu, &c.mu
	c.in = input{nc: nc}
	if s, ok := nc.(syscall.Conn); ok && !o.Client {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	return c
}

// Open makes an exchange of the side that sends requests. It is refused while another one is under way, or when the connection ends.
func (c *Conn) Open(h frames.Handler) (*Stream, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil || c.drains || c.closing || c.mute {
		return nil, false
	}
	s := &Stream{conn: c, handler: h, limit: streamWindow, reused: c.served > 0, start: c.queued, seen: c.look}
	c.current = s
	c.served++
	return s, true
}

// Streams is how many exchanges are under way.
func (c *Conn) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		return 1
	}
	return 0
}

// Usable says whether there may be another exchange.
func (c *Conn) Usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.drains && !c.closing && !c.mute
}

// Handlers are those of the exchange under way.
func (c *Conn) Handlers() []frames.Handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.current; s != nil && s.handler != nil && !s.closed {
		return []frames.Handler{s.handler}
	}
	return nil
}

// Serve reads until the connection ends, tells the handler of what is under way, and returns why.
func (c *Conn) Serve() error {
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		c.write()
	}()
	var err error
	if c.o.Client {
		err = c.responses()
	} else {
		err = c.requests()
	}
	c.mu.Lock()
	c.gentle = c.gentle || errors.Is(err, errDone)
	c.stop(err)
	c.mu.Unlock()
	<-writer
	c.linger()
	_ = c.nc.Close() // What is wrong was said by reading.
	c.abandon(err)
	return err
}

// linger reads what the peer still sends where nothing went wrong: bytes that nobody reads would turn the end into a reset, which
// takes along what the peer hasn't read yet.
func (c *Conn) linger() {
	c.mu.Lock()
	gentle := c.gentle
	c.mu.Unlock()
	if !gentle || c.nc.SetReadDeadline(time.Now().Add(lingering)) != nil {
		return
	}
	rest := make([]byte, 4<<10)
	for {
		if _, err := c.nc.Read(rest); err != nil {
			return
		}
	}
}

// Close ends the connection at once.
func (c *Conn) Close() {
	c.mu.Lock()
	c.stop(net.ErrClosed)
	c.mu.Unlock()
	_ = c.nc.Close() // Serve reports what matters.
}

// Drain ends the connection once the exchange under way has ended. A peer that sends requests may have one on its way: that is
// still answered.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drains || c.closing {
		return
	}
	c.drains = true
	if c.current != nil {
		return
	}
	if c.o.Client {
		c.hangUp()
		return
	}
	time.AfterFunc(drainTime, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.current == nil {
			c.hangUp()
		}
	})
}

// hangUp ends a connection that has nothing wrong with it. The lock is held.
func (c *Conn) hangUp() {
	if !c.closing {
		c.gentle = true
		c.stop(errDone)
	}
}

// stop has the writer end once it has written what is there. The lock is held.
func (c *Conn) stop(err error) {
	if c.closing {
		return
	}
	c.closing = true
	c.err = err
	_ = c.nc.SetWriteDeadline(time.Now().Add(dying)) // One that can't have it fails by itself.
	c.wake.Signal()
	c.turn.Broadcast()
}

// How long a peer may take: to send a request that is on its way when the connection drains, to send a head, to take the last
// bytes, and to close what this side has closed.
const (
	drainTime = time.Second
	headTime  = 10 * time.Second
	dying     = 2 * time.Second
	lingering = time.Second
)

// abandon tells the handler that the connection is gone.
func (c *Conn) abandon(err error) {
	c.mu.Lock()
	paid := c.paid
	c.paid = nil
	s := c.current
	var h frames.Handler
	var end frames.End
	if s != nil && !s.closed {
		h, end = s.handler, s.end(err)
		s.close()
	}
	c.mu.Unlock()
	pay(paid)
	if h != nil {
		h.Closed(end)
	}
}

// end says how a stream ends that this connection takes along.
func (s *Stream) end(err error) frames.End {
	code := http2.ErrCodeInternal
	if errors.Is(err, ErrMalformed) || errors.Is(err, frames.ErrTooLarge) {
		code = http2.ErrCodeProtocol
	}
	unsent := s.conn.sent <= s.start
	return frames.End{
		Code: code, Unsent: unsent, Stale: s.reused && !s.begun && code == http2.ErrCodeInternal,
		Err: fmt.Errorf("the connection ended: %w", err),
	}
}

// Relieve is called again and again while the Budget is nearly used up. It ends an exchange that has had something to send
// at so many calls and has sent nothing. It returns how many.
func (c *Conn) Relieve(calls int) int {
	c.mu.Lock()
	c.look++
	s := c.current
	if s == nil || s.closed || s.handler == nil {
		c.mu.Unlock()
		return 0
	}
	if len(c.out) == 0 && !c.writing {
		s.seen = c.look
	}
	if c.look-s.seen < calls {
		c.mu.Unlock()
		return 0
	}
	s.kill(errStill)
	c.mu.Unlock()
	s.handler.Closed(frames.End{Code: http2.ErrCodeEnhanceYourCalm, Err: errStill})
	return 1
}
