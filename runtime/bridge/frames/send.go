package frames

import (
	"bytes"
	"time"

	"golang.org/x/net/http2/hpack"
)

// queue is a list of streams that have something to send.
type queue struct {
	list []*Stream
	at   int
}

func (q *queue) push(s *Stream) { q.list = append(q.list, s) }

func (q *queue) pop() *Stream {
	if q.at == len(q.list) {
		q.list, q.at = q.list[:0], 0
		return nil
	}
	s := q.list[q.at]
	q.list[q.at] = nil
	q.at++
	return s
}

// push puts something behind what waits already. The lock is held.
func (s *Stream) push(it item) {
	s.queue = append(s.queue, it)
	s.list()
	s.conn.fill()
	s.conn.kick()
}

// list puts the stream among those that are ready when its window lets it send.
func (s *Stream) list() {
	if s.listed || s.closed || len(s.queue) == 0 {
		return
	}
	if len(s.queue[0].data) > 0 && s.sendWindow <= 0 {
		return // The peer's WINDOW_UPDATE lists it.
	}
	s.listed = true
	s.conn.ready.push(s)
}

// fill lets the streams that are ready send in turns, a frame each, while the buffer has room. The lock is held.
func (c *Conn) fill() {
	for len(c.out) < outLimit && !c.closing {
		s := c.ready.pop()
		if s == nil {
			return
		}
		s.listed = false
		if s.closed || len(s.queue) == 0 {
			continue
		}
		if len(s.queue[0].data) > 0 && c.sendWindow <= 0 {
			s.listed = true
			c.blocked.push(s)
			continue
		}
		s.turn()
		s.list()
	}
}

// unblock makes those ready that waited for the connection's window.
func (c *Conn) unblock() {
	for s := c.blocked.pop(); s != nil; s = c.blocked.pop() {
		c.ready.push(s)
	}
}

// turn sends what is first.
func (s *Stream) turn() {
	it := &s.queue[0]
	switch {
	case it.reset:
		s.reset(it.code)
		return
	case it.fields != nil:
		s.writeHeaders(it.fields, it.end)
	default:
		n := s.writeFrame(it.data[it.sent:], it.end, it.from)
		it.sent += n
		s.queued -= n
		if it.sent < len(it.data) {
			return
		}
		dropData(it.data)
	}
	s.queue[0] = item{}
	s.queue = s.queue[1:]
	s.finish()
}

// writeHeaders puts a block into the buffer. A stream of this side gets its id by it, for ids come in order.
func (s *Stream) writeHeaders(fields []hpack.HeaderField, end bool) {
	c := s.conn
	if s.id == 0 {
		s.id = c.nextID
		c.nextID += 2
		s.head = c.begun + uint64(len(c.out))
		delete(c.unborn, s)
		c.streams[s.id] = s
	}
	c.block.Reset()
	for _, f := range fields {
		_ = c.encoder.WriteField(f) // A buffer takes all.
	}
	c.out = appendHeaders(c.out, s.id, c.block.Bytes(), end, c.peerFrame)
	if c.block.Cap() > maxFrame {
		c.block = bytes.Buffer{} // The encoder has its address.
	}
	s.sentEnd = end
}

// writeData writes as many frames as the windows and the buffer have room for, and returns how many bytes went.
func (s *Stream) writeData(data []byte, end bool, from Payee) int {
	sent := 0
	for len(s.conn.out) < outLimit {
		n := s.writeFrame(data[sent:], end, from)
		sent += n
		if s.sentEnd || sent == len(data) || n == 0 {
			break
		}
	}
	return sent
}

// writeFrame writes one frame of what the windows let through.
func (s *Stream) writeFrame(data []byte, end bool, from Payee) int {
	c := s.conn
	n := int(max(0, min(int64(len(data)), s.sendWindow, c.sendWindow, int64(min(c.peerFrame, maxFrame)))))
	if n == 0 && (len(data) > 0 || !end) {
		return 0
	}
	end = end && n == len(data)
	s.seen = c.look
	s.sendWindow -= int64(n)
	c.sendWindow -= int64(n)
	if n >= muchData {
		c.grow()
	}
	c.out = appendData(c.out, s.id, data[:n], end)
	c.flood.good(1)
	c.pay(from, n)
	s.sentEnd = end
	return n
}

// pay notes what a stream gets back once what is in the buffer by now is written. The lock is held.
func (c *Conn) pay(to Payee, n int) {
	if to == nil || n == 0 {
		return
	}
	if k := len(c.paid); k > 0 && c.paid[k-1].to == to {
		c.paid[k-1].n += n
		return
	}
	c.paid = append(c.paid, payment{to, n})
}

// kick has the writer look. The lock is held.
func (c *Conn) kick() {
	if len(c.out) > unreadLimit {
		c.stop(errUnread)
		return
	}
	if len(c.out) > 0 || len(c.paid) > 0 {
		c.wake.Signal()
	}
}

// write writes to the network what comes into the buffer, until the connection ends.
func (c *Conn) write() {
	c.mu.Lock()
	for {
		for len(c.out) == 0 && len(c.paid) == 0 && !c.closing {
			c.slim()
			c.wake.Wait()
		}
		if len(c.out) == 0 && len(c.paid) == 0 {
			break
		}
		out, paid := c.out, c.paid
		c.out, c.paid = c.spare[:0], c.payable[:0]
		c.spare, c.payable = nil, nil
		c.begun += uint64(len(out))
		c.fill()
		c.mu.Unlock()
		err := c.flush(out)
		for _, p := range paid {
			p.to.Consumed(p.n)
		}
		clear(paid)
		c.mu.Lock()
		c.spare, c.payable = out, paid
		if err != nil {
			c.stop(err)
			c.out = nil
			if len(c.paid) == 0 {
				break
			}
		}
	}
	gentle := c.gentle
	c.mu.Unlock()
	c.hangUp(gentle)
}

func (c *Conn) flush(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	_, err := c.nc.Write(out)
	return err
}

// hangUp ends the connection. What the peer has sent meanwhile is still read where nothing went wrong: bytes that nobody
// reads would turn the end into a reset, which takes along what the peer hasn't read yet.
func (c *Conn) hangUp(gentle bool) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if gentle && ok && half.CloseWrite() == nil && c.nc.SetReadDeadline(time.Now().Add(lingering)) == nil {
		return
	}
	_ = c.nc.Close() // Reading says what is wrong.
}

// lingering is how long a peer may take to close what this side has closed, and dying how long the last bytes may take.
const (
	lingering = time.Second
	dying     = 2 * time.Second
)
