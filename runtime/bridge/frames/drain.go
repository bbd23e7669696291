package frames

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
)

// drainPing is sent behind the first GOAWAY: the peer's answer says that it has read that.
var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'}

// errDrained ends a connection that has nothing left to do.
var errDrained = errors.New("the connection was drained")

// drainTime is how long a peer may take to answer it.
const drainTime = time.Second

// Drain has no more streams opened, and ends the connection once those that are open have ended. A peer that opens streams
// is told twice, so that none that is on its way is lost: at first that the end comes, and then, once it has read that, which
// stream is the last.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining || c.closing {
		return
	}
	c.draining = true
	if c.o.Client {
		c.endIfIdle()
		return
	}
	c.out = appendGoAway(c.out, lastID, http2.ErrCodeNo)
	c.out = appendPing(c.out, false, drainPing)
	c.kick()
	time.AfterFunc(drainTime, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refuse()
	})
}

// refuse takes no stream beyond those that are known. The lock is held.
func (c *Conn) refuse() {
	if c.refuseAbove != lastID || c.closing {
		return
	}
	c.refuseAbove = c.lastID
	c.out = appendGoAway(c.out, c.lastID, http2.ErrCodeNo)
	c.kick()
	c.endIfIdle()
}

// endIfIdle ends a connection that drains and has no streams left. The lock is held.
func (c *Conn) endIfIdle() {
	if c.draining && c.open() == 0 && (c.o.Client || c.refuseAbove != lastID) && !c.closing {
		c.gentle = true
		c.stop(errDrained)
	}
}

// goAway heeds that the peer takes no more streams. Those that it says it hasn't looked at are told so.
func (c *Conn) goAway(f *http2.GoAwayFrame) error {
	if !c.o.Client {
		return nil // It is about streams that this side would open.
	}
	c.mu.Lock()
	c.draining = true
	var refused []*Stream
	for _, s := range c.all() {
		if s.id == 0 || s.id > f.LastStreamID {
			refused = append(refused, s)
		}
	}
	ends := make([]End, len(refused))
	for i, s := range refused {
		ends[i] = End{Code: http2.ErrCodeRefusedStream, Refused: true, Unsent: s.unsent(), Err: errors.New("the peer closes the connection")}
		s.close()
	}
	c.endIfIdle()
	c.mu.Unlock()
	for i, s := range refused {
		s.handler.Closed(ends[i])
	}
	c.room()
	return nil
}
