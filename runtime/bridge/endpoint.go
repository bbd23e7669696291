package bridge

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
	"github.com/gatewright/gatewright/runtime/bridge/http1"
)

// Bounds of what is opened to one endpoint.
const (
	// maxConnections is how many connections, for endpoints that take few streams on each, and maxPlain the same where each has
	// one request at a time. maxDials is how many of these are opened at a time.
	maxConnections = 64
	maxPlain       = 10000
	maxDials       = 64
	// maxOutgoing is how many streams on each, where the endpoint sets no lower limit.
	maxOutgoing = 1000
	// The pause of an endpoint that took no connection grows from the first to the last; meanwhile others come first.
	firstDoubt = 100 * time.Millisecond
	lastDoubt  = 5 * time.Second
	// slowDial is how long a first connection may take before other endpoints come first.
	slowDial = 200 * time.Millisecond
	// connectTime is how long a connection may take, up to the endpoint's first SETTINGS.
	connectTime = 3 * time.Second
)

// starter is what wants a stream to an endpoint.
type starter interface {
	frames.Handler
	// attach takes the stream, false when nobody wants it any more.
	attach(s exchange) bool
	// unreached says that there is no connection and none comes. Nothing was sent.
	unreached(err error)
}

// endpoint is an address with the connections to it, which all calls share.
type endpoint struct {
	b       *Bridge
	address netip.AddrPort
	tls     *tls.Config // nil for cleartext
	http1   bool
	number  uint64 // of its address
	load    atomic.Int64

	mu      sync.Mutex
	conns   []outgoing
	idle    map[outgoing]bool // without streams when that was looked at last
	waiting []starter
	dialing int       // how many connections are under way
	since   time.Time // when the last one began
	gone    bool      // no configuration has it any more

	waiters    atomic.Int64 // as long as waiting
	serving    atomic.Bool
	doubtUntil atomic.Int64 // nanoseconds of the clock
	failures   int

	// free are the connections of HTTP/1.1 that have no request, the last one used first. Its lock is taken with any other held.
	freeMu sync.Mutex
	free   []*http1.Conn
}

// doubtful says whether it is known for not taking connections now.
func (e *endpoint) doubtful(now time.Time) bool {
	return now.UnixNano() < e.doubtUntil.Load()
}

// start returns a stream when a connection has room, and nil when the starter will be given one by attach, or be told that it
// is unreached.
func (e *endpoint) start(s starter) exchange {
	e.mu.Lock()
	defer e.mu.Unlock()
	got := e.open(s)
	if got == nil {
		e.waiting = append(e.waiting, s)
		e.waiters.Store(int64(len(e.waiting)))
		e.dial()
	}
	return got
}

// give hands over a stream, or ends one that nobody wants any more.
func (e *endpoint) give(s starter, got exchange) {
	if !s.attach(got) {
		got.Reset(cancelCode)
	}
}

// open opens a stream on a connection that has room; nil when none has. The lock is held.
func (e *endpoint) open(s starter) exchange {
	if e.http1 {
		for c := e.takeFree(); c != nil; c = e.takeFree() {
			if got, ok := c.Open(s); ok {
				return got
			}
		}
		return nil
	}
	for _, c := range e.conns {
		if got, ok := c.open(s); ok {
			return got
		}
	}
	return nil
}

// takeFree is a connection that had no request; nil when there is none.
func (e *endpoint) takeFree() *http1.Conn {
	e.freeMu.Lock()
	defer e.freeMu.Unlock()
	n := len(e.free)
	if n == 0 {
		return nil
	}
	c := e.free[n-1]
	e.free[n-1] = nil
	e.free = e.free[:n-1]
	return c
}

// freed says that a connection has no request any more. It takes no lock but its own.
func (e *endpoint) freed(c *http1.Conn) {
	e.freeMu.Lock()
	e.free = append(e.free, c)
	e.freeMu.Unlock()
	e.room()
}

// dial opens further connections when something waits for them: one at a time where each has room for many, else one for each
// that waits. The lock is held.
func (e *endpoint) dial() {
	// Those that are only there for the streams they have don't count.
	e.conns = slices.DeleteFunc(e.conns, func(c outgoing) bool { return !c.Usable() })
	dials, conns := min(len(e.waiting), 1), maxConnections
	if e.http1 {
		dials, conns = min(len(e.waiting), maxDials), maxPlain
	}
	for e.dialing < dials && len(e.conns)+e.dialing < conns && e.b.ctx.Err() == nil {
		e.dialing++
		e.b.tasks.Go(func() {
			conn, err := e.connect()
			e.dialed(conn, err)
		})
		if len(e.conns) == 0 {
			// Others come first when it takes long.
			time.AfterFunc(slowDial, e.slow)
		}
		e.since = time.Now()
	}
}

// slow has others come first while a first connection isn't there.
func (e *endpoint) slow() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dialing > 0 && len(e.conns) == 0 && time.Since(e.since) >= slowDial {
		e.doubtUntil.Store(time.Now().Add(connectTime).UnixNano())
	}
}

// dialed takes a new connection, or tells those who wait that there is none.
func (e *endpoint) dialed(conn outgoing, err error) {
	if err == nil && !conn.Usable() {
		err = fmt.Errorf("%s ends its connections at once", e.address)
	}
	e.mu.Lock()
	e.dialing--
	if err == nil {
		e.failures = 0
		e.doubtUntil.Store(0)
		e.conns = append(e.conns, conn)
		e.mu.Unlock()
		if plain, ok := conn.(overText); ok {
			e.freed(plain.Conn)
		}
		e.serveWaiting()
		e.mu.Lock()
		if e.gone {
			conn.Drain()
		}
		e.mu.Unlock()
		return
	}
	pause := min(firstDoubt<<min(e.failures, 10), lastDoubt)
	e.failures++
	e.doubtUntil.Store(time.Now().Add(pause/2 + rand.N(pause)).UnixNano())
	var told []starter
	if len(e.conns) == 0 || e.http1 { // Else they may wait for room there.
		told, e.waiting = e.waiting, nil
		e.waiters.Store(0)
	}
	e.mu.Unlock()
	for _, s := range told {
		s.unreached(err)
	}
}

// lost forgets a connection that has ended.
func (e *endpoint) lost(conn outgoing) {
	e.mu.Lock()
	e.conns = slices.DeleteFunc(e.conns, func(c outgoing) bool { return c == conn })
	e.freeMu.Lock()
	e.free = slices.DeleteFunc(e.free, func(c *http1.Conn) bool { return overText{c} == conn })
	e.freeMu.Unlock()
	delete(e.idle, conn)
	e.dial()
	e.mu.Unlock()
}

// room has those who wait looked at. It takes no lock.
func (e *endpoint) room() {
	if e.waiters.Load() > 0 && e.serving.CompareAndSwap(false, true) {
		go func() {
			e.serving.Store(false)
			e.serveWaiting()
		}()
	}
}

// serveWaiting opens streams for those who wait, as far as there is room.
func (e *endpoint) serveWaiting() {
	for {
		e.mu.Lock()
		if len(e.waiting) == 0 {
			e.waiting = nil
			e.mu.Unlock()
			return
		}
		s := e.waiting[0]
		got := e.open(s)
		if got == nil {
			e.dial()
			e.mu.Unlock()
			return
		}
		e.waiting[0] = nil
		e.waiting = e.waiting[1:]
		e.waiters.Store(int64(len(e.waiting)))
		e.mu.Unlock()
		e.give(s, got)
	}
}

// forget takes one that gave up out of those who wait.
func (e *endpoint) forget(s starter) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = slices.DeleteFunc(e.waiting, func(w starter) bool { return w == s })
	e.waiters.Store(int64(len(e.waiting)))
}

// retire ends the connections once their streams have ended: no configuration has the endpoint any more.
func (e *endpoint) retire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone = true
	for _, c := range e.conns {
		c.Drain()
	}
}

// sweep ends connections that had no stream now and when it was called before.
func (e *endpoint) sweep() {
	e.mu.Lock()
	defer e.mu.Unlock()
	idle := map[outgoing]bool{}
	for _, c := range e.conns {
		switch {
		case c.Streams() > 0:
		case e.idle[c]:
			c.Drain()
		default:
			idle[c] = true
		}
	}
	e.idle = idle
}
