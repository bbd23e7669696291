package frames

import (
	"slices"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Stream is one stream of a connection. All but its connection, handler and what Serve's goroutine alone uses is guarded by
// the connection's lock.
type Stream struct {
	conn    *Conn
	handler Handler
	// begun says that the first headers that aren't informational have come in: Serve's goroutine's.
	begun bool

	id     uint32 // 0 until the headers of a stream of this side are written
	head   uint64 // where in all that is written its headers stand
	opened time.Time

	queue  []item
	queued int  // bytes of data in it
	listed bool // in the connection's ready or blocked
	seen   int  // when Relieve was called last before something was sent

	sendWindow, recvWindow int64
	limit                  int // what the peer may send before it is written on
	taken                  int // what was, since the limit was raised last
	owed                   int // bytes that the peer will get back as the stream's window
	held                   int // bytes not yet consumed that cost the connection's window; the others cost the budget

	sentEnd, gotEnd, closed bool
}

// item is something to send that waits.
type item struct {
	fields []hpack.HeaderField
	data   []byte // from keepData
	sent   int    // how much of it
	from   Payee
	end    bool
	reset  bool
	code   http2.ErrCode
}

// Payee is told when so many bytes that were sent for it are written, or won't be. A stream gives them back to its peer.
type Payee interface{ Consumed(n int) }

// payment is what a stream gets back once something is written.
type payment struct {
	to Payee
	n  int
}

// SendHeaders sends a block of headers behind everything that was sent before.
func (s *Stream) SendHeaders(fields []hpack.HeaderField, end bool) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !s.sends():
	case len(s.queue) == 0 && len(c.out) < outLimit:
		s.writeHeaders(fields, end)
		s.finish()
		c.kick()
	default:
		s.push(item{fields: slices.Clone(fields), end: end})
	}
}

// SendData sends a part of the body. from, when there is one, is told once the data is written or dropped: the
// stream that it came in on.
func (s *Stream) SendData(data []byte, end bool, from Payee) {
	c := s.conn
	c.mu.Lock()
	if !s.sends() {
		c.mu.Unlock()
		if from != nil {
			from.Consumed(len(data))
		}
		return
	}
	defer c.mu.Unlock()
	if len(s.queue) == 0 && s.id != 0 {
		n := s.writeData(data, end, from)
		if n == len(data) && (s.sentEnd || !end) {
			s.finish()
			c.kick()
			return
		}
		data = data[n:]
	}
	s.queued += len(data)
	s.push(item{data: keepData(data), from: from, end: end})
	c.kick()
}

// End ends this direction, as an empty part of the body does.
func (s *Stream) End() { s.SendData(nil, true, nil) }

// Reset ends the stream in both directions at once. Nothing that waits is sent any more, and the handler is told no more.
func (s *Stream) Reset(code http2.ErrCode) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.reset(code)
}

// ResetAfter does the same once all that was sent before is written: for a server that has answered in full and wants no
// more of the request.
func (s *Stream) ResetAfter(code http2.ErrCode) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.closed {
		return
	}
	if len(s.queue) == 0 {
		s.reset(code)
		return
	}
	s.push(item{reset: true, code: code})
}

// Queued is how many bytes wait to be sent.
func (s *Stream) Queued() int {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.queued
}

// Unsent says that nothing of the stream has been handed to the network.
func (s *Stream) Unsent() bool {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.unsent()
}

// Consumed gives the peer back the windows of so many bytes that came in. It is called once for each of them, also when the
// stream has ended by then: until it is, they count as held.
func (s *Stream) Consumed(n int) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	held := min(n, s.held)
	s.held -= held
	c.credit(held)
	c.o.Budget.Release(n - held)
	s.credit(n)
	c.kick()
}

// credit adds to what the peer gets back of the stream's window. Much of it goes at once.
func (s *Stream) credit(n int) {
	if s.gotEnd || s.closed {
		return
	}
	s.owed += n
	if s.taken += n; s.taken >= s.limit && s.limit < largeWindow && s.conn.o.Budget.Roomy() {
		// What is taken is no danger to hold, and fast senders need more of it.
		s.owed += s.limit
		s.limit *= 2
		s.taken = 0
	}
	if s.owed >= s.limit/2 {
		s.conn.out = appendWindowUpdate(s.conn.out, s.id, s.owed)
		s.recvWindow += int64(s.owed)
		s.owed = 0
	}
}

// credit adds to what the peer gets back of the connection's window. c.mu is held.
func (c *Conn) credit(n int) {
	if c.owed += n; c.owed >= connWindow/4 {
		c.out = appendWindowUpdate(c.out, 0, c.owed)
		c.recvWindow += int64(c.owed)
		c.owed = 0
	}
}

func (s *Stream) sends() bool { return !s.closed && !s.sentEnd && !s.conn.closing }

func (s *Stream) unsent() bool { return s.id == 0 || s.conn.o.Client && s.head >= s.conn.begun }

// reset sends RST_STREAM when the peer knows of the stream, and ends it.
func (s *Stream) reset(code http2.ErrCode) {
	if s.closed {
		return
	}
	if s.id != 0 && !s.conn.closing {
		s.conn.out = appendReset(s.conn.out, s.id, code)
	}
	s.close()
	s.conn.kick()
}

// finish ends a stream that has ended in both directions.
func (s *Stream) finish() {
	if s.sentEnd && s.gotEnd && !s.closed {
		s.conn.flood.good(goodStream)
		s.close()
	}
}

// close forgets the stream, and what it had to send. The lock is held.
func (s *Stream) close() {
	if s.closed {
		return
	}
	c := s.conn
	s.closed = true
	for _, it := range s.queue {
		c.pay(it.from, len(it.data)-it.sent)
		dropData(it.data)
	}
	s.queue, s.queued = nil, 0
	delete(c.streams, s.id)
	delete(c.unborn, s)
	c.room()
	c.endIfIdle()
	c.kick()
}
