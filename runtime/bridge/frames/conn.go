package frames

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What this side grants, and takes.
const (
	// streamWindow is how many bytes a peer may send on a stream before they are written on: at first, and at most for one
	// whose data is taken.
	streamWindow = 64 << 10
	largeWindow  = 256 << 10
	// connWindow is the same for all streams of a connection that the Budget has no room for.
	connWindow = 1 << 20
	// firstWindow is what both windows are until somebody says otherwise.
	firstWindow = 65535
	maxWindow   = 1<<31 - 1
	// maxFrame is the longest frame that is read, and written.
	maxFrame = 16384
	// outLimit is how much data waits in the buffer of a connection; more waits at its streams.
	outLimit = 128 << 10
	// unreadLimit is how much waits at most, when a peer asks for answers and doesn't read them.
	unreadLimit = 4 << 20
	// tableSize is the size of HPACK's table of both directions.
	tableSize = 4096
	// lastID is the highest id of a stream.
	lastID = 1<<31 - 1
)

// Options say what a connection is for.
type Options struct {
	// Client is set for the side that opens streams.
	Client bool
	// Budget bounds what the streams of all its connections hold.
	Budget *Budget
	// MaxStreams is how many streams are open at a time: those that the peer may open, or that this side opens.
	MaxStreams int
	// MaxHeaderBytes is how long a block of headers may be, counted as SETTINGS_MAX_HEADER_LIST_SIZE does.
	MaxHeaderBytes int
	// ReadBuffer is how much is read at a time.
	ReadBuffer int
	// Accept takes a stream that the peer has opened, and returns who handles it. It is called by Serve's goroutine.
	Accept func(s *Stream, fields []hpack.HeaderField, end bool) Handler
	// Ready is called once the peer's first SETTINGS are there, by Serve's goroutine.
	Ready func()
	// Room is called after a stream has ended or a limit has changed, so that Open may work again. It may be called with
	// any lock held, so it must not take one.
	Room func()
}

// Handler is told what comes in on a stream, by the goroutine of its connection and one thing at a time; but Closed may be called
// by Relieve's. It keeps neither fields nor data beyond the call.
type Handler interface {
	// Headers is a block of headers: informational ones, the first ones, or trailers.
	Headers(fields []hpack.HeaderField, end bool)
	// Data is a part of the body. Somebody calls Consumed for all its bytes.
	Data(data []byte, end bool)
	// Closed says that the stream has ended before its time. It is the last call, and isn't made for a stream that ended
	// in both directions or that Reset was called for.
	Closed(End)
}

// End is why a stream ended before its time.
type End struct {
	// Code is the peer's, or that of what the peer did wrong.
	Code http2.ErrCode
	// Peer says that the peer has reset the stream.
	Peer bool
	// Refused says that the peer hasn't processed anything of it, as it says.
	Refused bool
	// Unsent says that nothing of it has been handed to the network.
	Unsent bool
	// Stale says that the connection served others before and ended without a byte of a response. That happens where a peer ends
	// an idle connection of HTTP/1.1, which can't say what it has seen.
	Stale bool
	// Err says more.
	Err error
}

// ErrTooLarge is an End's error when headers were larger than MaxHeaderBytes.
var ErrTooLarge = errors.New("its headers are too large")

// Conn is one side of a connection.
type Conn struct {
	nc net.Conn
	o  Options

	// These are Serve's goroutine's alone.
	reader  *bufio.Reader
	framer  *http2.Framer
	decoder *hpack.Decoder
	fields  []hpack.HeaderField
	reading header
	settled bool // the first frame was the peer's SETTINGS
	greeted bool // and they are heeded

	mu      sync.Mutex
	wake    sync.Cond
	out     []byte
	spare   []byte
	paid    []payment
	payable []payment
	encoder *hpack.Encoder
	block   bytes.Buffer
	flood   flood

	streams map[uint32]*Stream
	unborn  map[*Stream]bool // opened here, but not yet with an id
	ready   queue            // streams that have something to send
	blocked queue            // those that wait for the connection's window

	sendWindow    int64
	initialWindow int64
	peerFrame     int
	peerStreams   int
	recvWindow    int64
	owed          int

	nextID uint32 // the next stream that this side opens
	lastID uint32 // the last one that the peer has opened
	// refuseAbove is the last stream that is still taken, once GOAWAY has said so.
	refuseAbove uint32
	draining    bool // the peer has sent GOAWAY, or this side closes once its streams have ended
	closing     bool // nothing is written any more behind what is in out
	gentle      bool // for nothing is wrong
	err         error

	begun uint64 // how many bytes were handed to the network
	look  int    // how often Relieve was called
}

// New makes a connection of a network connection. Serve runs it.
func New(nc net.Conn, o Options) *Conn {
	c := &Conn{
		nc: nc, o: o, streams: map[uint32]*Stream{}, sendWindow: firstWindow, initialWindow: firstWindow, peerFrame: maxFrame,
		peerStreams: maxWindow, recvWindow: connWindow, nextID: 1, refuseAbove: lastID,
	}
	c.wake.L = &c.mu
	c.encoder = hpack.NewEncoder(&c.block)
	c.reader = bufio.NewReaderSize(nc, o.ReadBuffer)
	c.framer = http2.NewFramer(nil, c.reader)
	c.framer.SetMaxReadFrameSize(maxFrame)
	c.framer.SetReuseFrames()
	c.decoder = hpack.NewDecoder(tableSize, c.field)
	c.decoder.SetMaxStringLength(blockFactor * o.MaxHeaderBytes)
	c.greet()
	return c
}

// greet writes what stands before all frames.
func (c *Conn) greet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.o.Client {
		c.unborn = map[*Stream]bool{}
		c.out = append(c.out, http2.ClientPreface...)
	}
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.o.MaxHeaderBytes)},
	}
	if c.o.Client {
		settings = append(settings, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	} else {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.o.MaxStreams)})
	}
	c.out = appendSettings(c.out, settings)
	c.out = appendWindowUpdate(c.out, 0, connWindow-firstWindow)
}

// Open makes a stream of this side. It is refused when the peer takes no more of them, or none at all any longer.
func (c *Conn) Open(h Handler) (*Stream, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.takes() {
		return nil, false
	}
	s := &Stream{conn: c, handler: h, sendWindow: c.initialWindow, recvWindow: streamWindow, limit: streamWindow}
	c.unborn[s] = true
	return s, true
}

func (c *Conn) takes() bool {
	return !c.draining && !c.closing && int64(c.nextID)+2*int64(len(c.unborn)) < lastID && c.open() < min(c.peerStreams, c.o.MaxStreams)
}

func (c *Conn) open() int { return len(c.streams) + len(c.unborn) }

// Streams is how many are open.
func (c *Conn) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open()
}

// Usable says whether the peer may take streams, now or once others have ended.
func (c *Conn) Usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.draining && !c.closing && int64(c.nextID)+2*int64(len(c.unborn)) < lastID
}

// Serve reads until the connection ends, and tells the handlers of all streams that are left. It returns why.
func (c *Conn) Serve() error {
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		c.write()
	}()
	err := c.read()
	c.fail(err)
	<-writer
	// What waits in the socket unread would turn the end into a reset that takes the last bytes with it; they are out by now
	// as far as the peer reads.
	_ = c.nc.Close() // The writer may have done it; what is wrong was said by reading.
	c.abandon(err)
	return err
}

// Close ends the connection at once, all streams with it.
func (c *Conn) Close() {
	c.mu.Lock()
	c.stop(net.ErrClosed)
	c.mu.Unlock()
	_ = c.nc.Close() // Serve reports what matters.
}

// fail sends GOAWAY for what the peer did wrong, and has the writer end.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var wrong http2.ConnectionError
	if errors.As(err, &wrong) && !c.closing {
		c.out = appendGoAway(c.out, c.lastID, http2.ErrCode(wrong))
	}
	c.stop(err)
}

// stop has the writer end once it has written what is there. c.mu is held.
func (c *Conn) stop(err error) {
	if c.closing {
		return
	}
	c.closing = true
	c.err = err
	_ = c.nc.SetWriteDeadline(time.Now().Add(dying)) // One that can't have it fails by itself.
	c.wake.Signal()
}

// abandon tells the handlers that the connection is gone.
func (c *Conn) abandon(err error) {
	c.mu.Lock()
	type left struct {
		h   Handler
		end End
	}
	var all []left
	lost := fmt.Errorf("the connection ended: %w", err)
	for _, s := range c.all() {
		all = append(all, left{s.handler, End{Code: http2.ErrCodeInternal, Unsent: s.unsent(), Err: lost}})
		s.close()
	}
	paid := c.paid
	c.paid = nil
	c.mu.Unlock()
	for _, p := range paid {
		p.to.Consumed(p.n)
	}
	for _, l := range all {
		l.h.Closed(l.end)
	}
}

// all are the streams that are open. c.mu is held.
func (c *Conn) all() []*Stream {
	list := make([]*Stream, 0, c.open())
	for _, s := range c.streams {
		list = append(list, s)
	}
	for s := range c.unborn {
		list = append(list, s)
	}
	return list
}

// Handlers are those of the streams that are open.
func (c *Conn) Handlers() []Handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Handler
	for _, s := range c.all() {
		if s.handler != nil { // Else it has only just come.
			list = append(list, s.handler)
		}
	}
	return list
}

func (c *Conn) room() {
	if c.o.Room != nil {
		c.o.Room()
	}
}
