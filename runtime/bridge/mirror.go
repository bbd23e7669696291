package bridge

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// Bounds of the copies that mirrors get. A copy that meets one is dropped; its call never waits.
const (
	// copyBytes is how much of one copy waits for its mirror.
	copyBytes = 1 << 20
	// copiesBytes is the same for all copies.
	copiesBytes = 32 << 20
	// maxCopies is how many copies are on their way to one upstream.
	maxCopies = 1000
	// lingerTime is how long a mirror may take to answer, once the call itself has ended.
	lingerTime = 10 * time.Second
)

// Why a copy was dropped, in the metric.
const (
	tooSlow    = "slow"
	tooMany    = "full"
	notReached = "unreached"
	broken     = "reset"
)

// mirrored is the copy of a call that a mirror gets. What it answers is for nobody.
type mirrored struct {
	b     *Bridge
	up    *upstream
	to    *endpoint
	http1 bool // the call's fields are those of HTTP/1.1

	mu      sync.Mutex
	stream  exchange // nil until there is one
	request []hpack.HeaderField
	body    []byte // what came before there was a stream
	tail    []hpack.HeaderField
	ended   bool // the request is whole
	over    bool
	timer   *time.Timer
	failed  []*endpoint

	waiting atomic.Int64 // bytes that wait for the mirror
}

// mirror begins the copies. The call's lock is held.
func (c *call) mirror() {
	request := c.request
	if c.upgrade {
		request = withoutUpgrade(request)
	}
	for _, up := range c.action.mirrors {
		if m := c.b.copyTo(up, request, c.http1, c.ended); m != nil {
			c.mirrors = append(c.mirrors, m)
		}
	}
}

// copyTo begins a copy; nil when there are too many or no endpoint.
func (b *Bridge) copyTo(up *upstream, request []hpack.HeaderField, plain, ended bool) *mirrored {
	if up.copies.Add(1) > maxCopies {
		up.copies.Add(-1)
		b.metrics.dropped(up, tooMany)
		return nil
	}
	m := &mirrored{b: b, up: up, http1: plain, request: request, ended: ended}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.try()
	if m.over {
		return nil
	}
	return m
}

// try looks for an endpoint. The lock is held.
func (m *mirrored) try() {
	m.to = m.up.pick(m.failed, "")
	if m.to == nil {
		m.drop(notReached)
		return
	}
	m.to.load.Add(1)
	if stream := m.to.start(m); stream != nil {
		m.send(stream)
	}
}

func (m *mirrored) attach(stream exchange) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return false
	}
	m.send(stream)
	return true
}

// send sends what is there by now.
func (m *mirrored) send(stream exchange) {
	m.stream = stream
	fields, err := m.to.spoken(m.request, m.http1)
	if err != nil {
		m.drop(broken)
		return
	}
	end := m.ended && m.tail == nil
	stream.SendHeaders(fields, end && len(m.body) == 0)
	if len(m.body) > 0 {
		stream.SendData(m.body, end, m)
	}
	if m.tail != nil {
		stream.SendHeaders(m.to.trailers(m.tail, m.http1), true)
	}
	m.body, m.request = nil, nil
}

func (m *mirrored) unreached(error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	m.to.load.Add(-1)
	m.failed = append(m.failed, m.to)
	m.to = nil
	m.try()
}

// data passes a part of the request on, or drops the copy when the mirror doesn't keep up.
func (m *mirrored) data(data []byte, end bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	m.ended = m.ended || end
	if m.waiting.Load()+int64(len(data)) > copyBytes || !m.b.copies.Take(len(data)) {
		m.drop(tooSlow)
		return
	}
	m.waiting.Add(int64(len(data)))
	if m.stream == nil {
		m.body = append(m.body, data...)
		return
	}
	m.stream.SendData(data, end, m)
}

// Consumed says that so much isn't waiting any more. It is called with the lock held, too.
func (m *mirrored) Consumed(n int) {
	m.b.copies.Release(n)
	m.waiting.Add(-int64(n))
}

func (m *mirrored) trailers(fields []hpack.HeaderField) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	if m.over {
		return
	}
	if m.stream == nil {
		m.tail = fields
		return
	}
	m.stream.SendHeaders(m.to.trailers(fields, m.http1), true)
}

// cancel ends the copy of a call that was given up.
func (m *mirrored) cancel() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over {
		m.end()
	}
}

// left says that the call has ended. A copy that is whole has a while to be answered; nothing completes another.
func (m *mirrored) left(whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.over:
	case !whole:
		m.end()
	default:
		m.timer = time.AfterFunc(m.b.linger, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if !m.over {
				m.drop(tooSlow)
			}
		})
	}
}

// drop ends a copy that the mirror didn't get, or get the most of. The lock is held.
func (m *mirrored) drop(why string) {
	m.b.metrics.dropped(m.up, why)
	m.end()
}

// end ends the copy. The lock is held.
func (m *mirrored) end() {
	m.over = true
	m.up.copies.Add(-1)
	if m.timer != nil {
		m.timer.Stop()
	}
	if len(m.body) > 0 {
		m.Consumed(len(m.body))
		m.body = nil
	}
	if m.to != nil {
		m.to.load.Add(-1)
		if m.stream == nil {
			m.to.forget(m)
		}
	}
	if m.stream != nil {
		m.stream.Reset(cancelCode)
	}
}

// Headers are those of the mirror's answer.
func (m *mirrored) Headers(_ []hpack.HeaderField, end bool) { m.answered(end) }

// Data is a part of the mirror's answer.
func (m *mirrored) Data(data []byte, end bool) {
	m.stream.Consumed(len(data))
	m.answered(end)
}

func (m *mirrored) answered(end bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if end && !m.over {
		m.b.metrics.copied(m.up)
		m.end()
	}
}

// Closed says that the mirror has given up.
func (m *mirrored) Closed(frames.End) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over {
		m.drop(broken)
	}
}
