package http1

import (
	"errors"
	"io"
	"strconv"

	"golang.org/x/net/http2"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// requests reads one request after the other, until the connection ends.
func (c *Conn) requests() error {
	for {
		for len(c.in.data()) == 0 {
			c.in.small()
			if err := c.in.fill(); err != nil {
				return err
			}
		}
		text, err := c.in.head(c.o.MaxHeadBytes, headTime)
		if err != nil {
			return c.refuse(err)
		}
		h, err := parseRequest(text, c.fields)
		if err != nil {
			return c.refuse(err)
		}
		s := &Stream{conn: c, method: h.method, old: h.old, upgrade: h.upgrade, last: !h.keep, limit: streamWindow}
		whole := h.length <= 0 && !h.chunked
		c.mu.Lock()
		if c.closing {
			c.mu.Unlock()
			return errDone
		}
		s.gotEnd, s.seen = whole, c.look
		c.current = s
		c.mu.Unlock()
		handler := c.o.Accept(s, h.fields, whole)
		clear(h.fields)
		c.fields = h.fields
		c.mu.Lock()
		s.handler = handler
		c.mu.Unlock()
		if !whole {
			if err := c.body(s, h); err != nil {
				return c.broken(s, err)
			}
		}
		if err := c.rest(s); err != nil {
			return err
		}
	}
}

// rest waits for the end of an exchange whose request is whole. Whether the client is there is known by reading on.
func (c *Conn) rest(s *Stream) error {
	for {
		c.mu.Lock()
		closed, tunnel := s.closed, s.tunnel
		c.mu.Unlock()
		switch {
		case closed:
			return nil
		case tunnel:
			return c.tunnel(s)
		case len(c.in.data()) > 0:
			if err := c.wait(func() bool { return s.closed || s.tunnel }); err != nil {
				return err
			}
			continue
		}
		c.in.small()
		if err := c.in.fill(); errors.Is(err, io.EOF) {
			// The client sends no more. It may still read.
			if err := c.wait(func() bool { return s.closed || s.tunnel }); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
}

// tunnel passes on what isn't HTTP any more, until the peer sends no more of it and this side has sent all.
func (c *Conn) tunnel(s *Stream) error {
	for {
		if data := c.in.data(); len(data) > 0 {
			c.deliver(s, data, false)
			c.in.skip(len(data))
		}
		if err := c.pause(s); err != nil {
			return err
		}
		if err := c.in.fill(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	c.deliver(s, nil, true)
	if err := c.wait(func() bool { return s.closed }); err != nil {
		return err
	}
	return errDone
}

// broken ends a connection whose request breaks off. One that is malformed is answered, when it hasn't been yet.
func (c *Conn) broken(s *Stream, err error) error {
	if !errors.Is(err, ErrMalformed) && !errors.Is(err, frames.ErrTooLarge) {
		return err
	}
	c.mu.Lock()
	closed := s.closed
	s.last = true
	c.mu.Unlock()
	if !closed {
		s.handler.Closed(frames.End{Code: http2.ErrCodeProtocol, Err: err})
	}
	return errDone
}

// refuse answers what can't be read, and ends the connection.
func (c *Conn) refuse(err error) error {
	status, reason, text := 400, "Bad Request", "the proxy can't read the request\n"
	switch {
	case errors.Is(err, frames.ErrTooLarge):
		status, reason, text = 431, "Request Header Fields Too Large", "the request is too large\n"
	case !errors.Is(err, ErrMalformed):
		return err
	}
	if c.o.Refused != nil {
		c.o.Refused(status)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put("HTTP/1.1 " + strconv.Itoa(status) + " " + reason + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
		strconv.Itoa(len(text)) + "\r\nConnection: close\r\n\r\n" + text)
	return errDone
}
