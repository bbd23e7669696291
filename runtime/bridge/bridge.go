package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// Bounds of what a bridge holds and takes.
const (
	// heldBytes is how much of messages waits to be written on, beyond which connections stand still one by one.
	heldBytes = 64 << 20
	// maxIncoming is how many calls one connection of the proxy has open at a time.
	maxIncoming = 10000
	// maxHeaderBytes bounds headers and trailers, counted as HTTP/2 does: 32 bytes for each field beside what is in it.
	maxHeaderBytes = 96 << 10
	// maxHeadBytes bounds the same of HTTP/1.1, as it is written.
	maxHeadBytes = 128 << 10
	// sweepTime is how often connections to endpoints are looked at; one without calls at two looks is closed.
	sweepTime = 2 * time.Minute
)

// Bridge relays calls. Configure says what to do with them.
type Bridge struct {
	log     *slog.Logger
	metrics *metrics
	budget  *frames.Budget
	copies  *frames.Budget
	linger  time.Duration
	// holdTime is the constant of that name.
	holdTime time.Duration
	table    atomic.Pointer[table]
	calls    atomic.Int64

	// reread looks for a newer configuration, for a call whose action isn't known: the proxy may have it sooner. It may be nil.
	reread func()

	// ctx ends with the bridge.
	ctx   context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu        sync.Mutex
	conns     map[connection]bool
	listeners map[net.Listener]bool
	draining  bool
}

// New makes a bridge that has no configuration yet: it answers every call with UNAVAILABLE.
func New(r prometheus.Registerer, log *slog.Logger) *Bridge { return newBridge(r, log, heldBytes) }

func newBridge(r prometheus.Registerer, log *slog.Logger, held int64) *Bridge {
	b := &Bridge{
		log: log, budget: frames.NewBudget(held), copies: frames.NewBudget(copiesBytes), linger: lingerTime, holdTime: holdTime,
		conns: map[connection]bool{}, listeners: map[net.Listener]bool{},
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.table.Store(&table{})
	b.metrics = newMetrics(b, r)
	b.tasks.Go(b.sweep)
	b.tasks.Go(b.relieve)
	return b
}

// Configure replaces what is done with calls that begin from now on, by a file's text. When it can't be read, all stays as
// it was.
func (b *Bridge) Configure(text []byte) error {
	hash := hashOf(text)
	if b.table.Load().hash == hash {
		return nil
	}
	c, err := Parse(text)
	if err != nil {
		b.metrics.reads.WithLabelValues("error").Inc()
		return fmt.Errorf("the configuration can't be used, and what was served stays: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.table.Load()
	gone := keepGone(&c, old, time.Now())
	t := b.newTable(c, hash, old)
	t.config, t.gone = c, gone
	b.table.Store(t)
	for at, e := range old.endpoints {
		if t.endpoints[at] == nil {
			e.retire()
		}
	}
	b.metrics.forget(old, t)
	b.metrics.reads.WithLabelValues("ok").Inc()
	return nil
}

// Serve takes the proxy's connections until the listener is closed.
func (b *Bridge) Serve(l net.Listener) error {
	b.mu.Lock()
	b.listeners[l] = true
	closed := b.draining
	b.mu.Unlock()
	if closed {
		return errors.Join(net.ErrClosed, l.Close())
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() {
				// Out of files: connections that end make room.
				b.log.Warn("a connection of the proxy can't be taken", "error", err)
				select {
				case <-b.ctx.Done():
					return nil
				case <-time.After(acceptPause):
				}
				continue
			}
			return err
		}
		b.take(nc)
	}
}

// acceptPause is how long to wait where no connection can be taken.
const acceptPause = 50 * time.Millisecond

// take serves a connection of the proxy.
func (b *Bridge) take(nc net.Conn) {
	conn := &incoming{b: b, nc: nc}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		_ = nc.Close() // Nobody is served any more.
		return
	}
	b.conns[conn] = true
	draining := b.draining
	b.tasks.Go(func() {
		err := conn.Serve()
		b.log.Debug("a connection of the proxy has ended", "reason", err)
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, conn)
	})
	if draining {
		conn.Drain()
	}
}

// Drain takes no more connections and calls, and returns once those under way have ended. Those that haven't when ctx ends get
// a status: a proxy takes a connection that just ends for one that has seen nothing of them.
func (b *Bridge) Drain(ctx context.Context) {
	b.mu.Lock()
	b.draining = true
	for l := range b.listeners {
		_ = l.Close() // What it said is said by Serve.
	}
	for c := range b.conns {
		c.Drain()
	}
	b.mu.Unlock()
	if b.idle(ctx) {
		return
	}
	b.mu.Lock()
	var left []frames.Handler
	for c := range b.conns {
		left = append(left, c.Handlers()...)
	}
	b.mu.Unlock()
	for _, h := range left {
		h.(*call).giveUp()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	b.idle(last)
}

// lastWords is how long the statuses of calls that were given up may take.
const lastWords = 2 * time.Second

// idle returns once the proxy has no connection any more; false when ctx ends before.
func (b *Bridge) idle(ctx context.Context) bool {
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for b.connections() > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
	return true
}

// drainLook is how often it is looked whether all calls have ended.
const drainLook = 10 * time.Millisecond

// Close ends everything at once.
func (b *Bridge) Close() {
	b.stop()
	b.mu.Lock()
	b.draining = true
	for l := range b.listeners {
		_ = l.Close()
	}
	for c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.tasks.Wait()
}

func (b *Bridge) connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

// sweep closes what hasn't been used for a while.
func (b *Bridge) sweep() {
	look := time.NewTicker(sweepTime)
	defer look.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-look.C:
			for _, e := range b.table.Load().endpoints {
				e.sweep()
			}
		}
	}
}

// How calls are found that hold what others need, each by having nothing taken of it.
const (
	relieveTime = time.Second
	relieveAt   = 10
)

// relieve ends calls that stand still while what may be held is nearly used up. Until then they may, for days.
func (b *Bridge) relieve() {
	look := time.NewTicker(relieveTime)
	defer look.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-look.C:
			if b.budget.Pressed() {
				b.relieveNow(relieveAt)
			}
		}
	}
}

// relieveNow looks at all connections once.
func (b *Bridge) relieveNow(calls int) {
	b.mu.Lock()
	conns := slices.Collect(maps.Keys(b.conns))
	b.mu.Unlock()
	for _, e := range b.table.Load().endpoints {
		e.mu.Lock()
		for _, c := range e.conns {
			conns = append(conns, c)
		}
		e.mu.Unlock()
	}
	n := 0
	for _, c := range conns {
		n += c.Relieve(calls)
	}
	if n > 0 {
		b.log.Warn("calls that stood still were ended: what they held was needed", "calls", n)
		b.metrics.relieved.Add(float64(n))
	}
}
