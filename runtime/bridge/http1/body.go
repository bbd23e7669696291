package http1

import (
	"time"

	"golang.org/x/sys/unix"
)

// body reads a body whose end its head tells.
func (c *Conn) body(s *Stream, h head) error {
	if h.chunked {
		return c.chunks(s)
	}
	for left := h.length; left > 0; {
		if err := c.pause(s); err != nil {
			return err
		}
		data := c.in.data()
		if len(data) == 0 {
			if err := c.in.fill(); err != nil {
				return unexpected(err)
			}
			continue
		}
		data = data[:min(left, int64(len(data)))]
		left -= int64(len(data))
		c.in.skip(len(data))
		if left == 0 && c.o.Client {
			c.unasked()
		}
		c.deliver(s, data, left == 0)
	}
	return nil
}

func (c *Conn) chunks(s *Stream) error {
	var k chunked
	for {
		if err := c.pause(s); err != nil {
			return err
		}
		data, last, err := k.decode(&c.in)
		if len(data) > 0 {
			c.deliver(s, data, false)
		}
		if err != nil {
			return err
		}
		if last {
			break
		}
		if err := c.in.fill(); err != nil {
			return unexpected(err)
		}
	}
	text, err := c.in.head(c.o.MaxHeadBytes, 0)
	if err != nil {
		return err
	}
	if c.o.Client {
		c.unasked()
	}
	if text == "\r\n" {
		c.deliver(s, nil, true)
		return nil
	}
	fields, err := parseTrailers(text, c.fields)
	if err != nil {
		return err
	}
	s.headers(fields, true)
	return nil
}

// deliver hands over a part of a body, unless nobody wants it any more.
func (c *Conn) deliver(s *Stream, data []byte, end bool) {
	c.mu.Lock()
	if s.closed {
		c.mu.Unlock()
		return
	}
	s.waiting += len(data)
	if !c.o.Budget.Take(len(data)) {
		s.beyond += len(data)
	}
	if end {
		s.gotEnd = true
		c.settle()
	}
	c.mu.Unlock()
	s.handler.Data(data, end)
}

// pause returns once there is room for more of a body.
func (c *Conn) pause(s *Stream) error {
	c.mu.Lock()
	room := s.waiting < s.limit || s.closed
	c.mu.Unlock()
	if room {
		return nil
	}
	return c.wait(func() bool { return s.waiting < s.limit || s.closed })
}

// Consumed says that so many bytes that came in are written on, or won't be.
func (s *Stream) Consumed(n int) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	s.waiting -= n
	beyond := min(n, s.beyond)
	s.beyond -= beyond
	c.o.Budget.Release(n - beyond)
	if s.taken += n; s.taken >= s.limit && s.limit < largeWindow && c.o.Budget.Roomy() {
		// What is taken is no danger to hold, and fast senders need more of it.
		s.limit *= 2
		s.taken = 0
	}
	c.nudge()
}

// wait returns once something is so, or with an error when the peer has gone or the connection ends.
func (c *Conn) wait(is func() bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !is() {
		switch {
		case c.closing && c.err != nil:
			return c.err
		case c.raw == nil:
			c.turn.Wait()
			continue
		}
		c.waiting = true
		c.mu.Unlock()
		gone := c.watch()
		c.mu.Lock()
		c.waiting = false
		if gone {
			return errGone
		}
		var deadline time.Time
		if c.closing {
			deadline = time.Now().Add(lingering)
		}
		if err := c.nc.SetReadDeadline(deadline); err != nil {
			return err
		}
	}
	return nil
}

// nudge has the reader look again at what it waits for. The lock is held.
func (c *Conn) nudge() {
	c.turn.Broadcast()
	if c.waiting {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // One that can't have it is closed, which the reader sees.
	}
}

// watch returns true when the peer has closed its socket, however much of what it sent is still to be read; false when there is
// something to look at.
func (c *Conn) watch() bool {
	gone := false
	err := c.raw.Read(func(fd uintptr) bool {
		list := []unix.PollFd{{Fd: int32(fd)}}
		if _, err := unix.Poll(list, 0); err == nil {
			gone = list[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
		}
		return gone
	})
	return gone || err != nil && !isTimeout(err)
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}
