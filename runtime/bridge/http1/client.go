package http1

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/http2/hpack"
)

var errUnasked = errors.New("the peer sent what nobody has asked for")

// maxInterim is how many informational responses there may be before the one that counts.
const maxInterim = 64

// responses reads one response after the other, until the connection ends.
func (c *Conn) responses() error {
	for {
		for len(c.in.data()) == 0 {
			c.in.small()
			if err := c.in.fill(); err != nil {
				return err
			}
		}
		c.mu.Lock()
		s := c.current
		if s == nil || s.gotEnd || s.framing == unsent {
			c.mu.Unlock()
			return errUnasked
		}
		s.begun = true
		c.mu.Unlock()
		if err := c.response(s); err != nil {
			return err
		}
	}
}

// response reads a response. One that ends the connection does so once its request is whole, or given up.
func (c *Conn) response(s *Stream) error {
	for range maxInterim {
		text, err := c.in.head(c.o.MaxHeadBytes, 0)
		if err != nil {
			return err
		}
		h, err := parseResponse(text, c.fields)
		if err != nil {
			return err
		}
		c.fields = h.fields
		switch {
		case h.status == "101":
			if !s.upgrade || !h.upgrade {
				return fmt.Errorf("%w: it switches protocols, which nobody has asked for", ErrMalformed)
			}
			c.mu.Lock()
			if s.closed {
				c.mu.Unlock()
				return errDone
			}
			s.begin()
			c.mu.Unlock()
			s.handler.Headers(h.fields, false)
			return c.tunnel(s)
		case h.status[0] == '1':
			s.headers(h.fields, false)
		default:
			return c.final(s, h)
		}
	}
	return fmt.Errorf("%w: there is no end of informational responses", ErrMalformed)
}

// final takes the response that counts.
func (c *Conn) final(s *Stream, h head) error {
	empty := s.method == "HEAD" || h.status == "204" || h.status == "304"
	whole := empty || h.length == 0 && !h.chunked
	delimited := whole || h.chunked || h.length > 0
	c.mu.Lock()
	c.drains = c.drains || !h.keep || !delimited
	c.mu.Unlock()
	if whole {
		c.unasked()
		s.headers(h.fields, true)
		return nil
	}
	s.headers(h.fields, false)
	if delimited {
		return c.body(s, h)
	}
	for {
		if data := c.in.data(); len(data) > 0 {
			c.deliver(s, data, false)
			c.in.skip(len(data))
		}
		if err := c.pause(s); err != nil {
			return err
		}
		if err := c.in.fill(); errors.Is(err, io.EOF) {
			c.deliver(s, nil, true)
			return io.EOF
		} else if err != nil {
			return err
		}
	}
}

// unasked has a connection take no further request when more has come in than the response.
func (c *Conn) unasked() {
	if len(c.in.data()) > 0 {
		c.mu.Lock()
		c.drains = true
		c.mu.Unlock()
	}
}

// headers hands over a head or trailers, unless nobody wants them any more.
func (s *Stream) headers(fields []hpack.HeaderField, end bool) {
	c := s.conn
	c.mu.Lock()
	closed := s.closed
	if end {
		s.gotEnd = true
		c.settle()
	}
	c.mu.Unlock()
	if !closed {
		s.handler.Headers(fields, end)
	}
}
