package frames

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/net/http2"
)

var (
	errUnread  = errors.New("the peer asks for answers and doesn't read them")
	errPreface = errors.New("the peer doesn't speak HTTP/2 with prior knowledge")
)

// prefaceTime is how long a peer may take to say what it speaks.
const prefaceTime = 10 * time.Second

// read reads frames until something is wrong or the connection ends.
func (c *Conn) read() error {
	if err := c.nc.SetReadDeadline(time.Now().Add(prefaceTime)); err != nil {
		return err
	}
	if !c.o.Client {
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(c.reader, preface); err != nil {
			return err
		}
		if string(preface) != http2.ClientPreface {
			return errPreface
		}
	}
	for {
		f, err := c.framer.ReadFrame()
		if err == nil && !c.settled {
			err = c.first(f)
		}
		if err == nil {
			err = c.handle(f)
		}
		var wrong http2.StreamError
		switch {
		case errors.As(err, &wrong):
			// Whether its block of headers was read isn't known, and without that no other can be.
			return http2.ConnectionError(wrong.Code)
		case errors.Is(err, http2.ErrFrameTooLarge):
			return http2.ConnectionError(http2.ErrCodeFrameSize)
		case err != nil:
			return err
		}
	}
}

// first holds the peer to begin with its settings.
func (c *Conn) first(f http2.Frame) error {
	if s, ok := f.(*http2.SettingsFrame); !ok || s.IsAck() {
		return errPreface
	}
	c.settled = true
	return c.nc.SetReadDeadline(time.Time{})
}

func (c *Conn) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.HeadersFrame:
		return c.headers(f)
	case *http2.ContinuationFrame:
		return c.continuation(f)
	case *http2.RSTStreamFrame:
		return c.resetBy(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.PingFrame:
		return c.ping(f)
	case *http2.GoAwayFrame:
		return c.goAway(f)
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol) // Nobody has asked for it.
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.flood.idle(time.Now())
	}
}

// unknown says what it means that a frame is for a stream that isn't open: it has ended, which is no fault, or it has never
// been. The lock is held.
func (c *Conn) unknown(id uint32) error {
	if c.isMine(id) && id >= c.nextID || !c.isMine(id) && id > c.lastID {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil
}

func (c *Conn) isMine(id uint32) bool { return (id%2 == 1) == c.o.Client }

func (c *Conn) data(f *http2.DataFrame) error {
	length, body, end := int(f.Header().Length), f.Data(), f.StreamEnded()
	c.mu.Lock()
	if length == 0 && !end {
		if err := c.flood.idle(time.Now()); err != nil {
			c.mu.Unlock()
			return err
		}
	} else {
		c.flood.good(1)
	}
	if c.recvWindow -= int64(length); c.recvWindow < 0 {
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	s := c.streams[f.StreamID]
	if s == nil {
		c.credit(length)
		err := c.unknown(f.StreamID)
		c.kick()
		c.mu.Unlock()
		return err
	}
	code, text := http2.ErrCodeNo, ""
	switch s.recvWindow -= int64(length); {
	case s.recvWindow < 0:
		code, text = http2.ErrCodeFlowControl, "the peer sent more than its window"
	case s.gotEnd:
		code, text = http2.ErrCodeStreamClosed, "the peer sent data behind the end"
	case c.o.Client && !s.begun:
		code, text = http2.ErrCodeProtocol, "the peer sent data before headers"
	}
	if text != "" {
		c.credit(length)
		c.mu.Unlock()
		c.wrong(s, code, errors.New(text))
		return nil
	}
	padding := length - len(body)
	c.credit(padding)
	if c.o.Budget.Take(len(body)) {
		c.credit(len(body))
	} else {
		s.held += len(body)
	}
	s.credit(padding)
	s.ended(end)
	c.kick()
	c.mu.Unlock()
	s.handler.Data(body, end)
	return nil
}

// ended notes that the peer has ended its direction. The lock is held.
func (s *Stream) ended(end bool) {
	if end {
		s.gotEnd = true
		s.finish()
	}
}

// wrong resets a stream for what its peer did, and tells its handler.
func (c *Conn) wrong(s *Stream, code http2.ErrCode, err error) {
	c.mu.Lock()
	if s.closed {
		c.mu.Unlock()
		return
	}
	flooded := c.flood.idle(time.Now())
	s.reset(code)
	if flooded != nil {
		c.stop(flooded)
	}
	c.mu.Unlock()
	if s.handler != nil {
		s.handler.Closed(End{Code: code, Err: err})
	}
}

func (c *Conn) resetBy(f *http2.RSTStreamFrame) error {
	c.mu.Lock()
	s := c.streams[f.StreamID]
	if s == nil {
		defer c.mu.Unlock()
		if err := c.unknown(f.StreamID); err != nil {
			return err
		}
		return c.flood.idle(time.Now())
	}
	var err error
	if now := time.Now(); !c.o.Client && now.Sub(s.opened) < rapid {
		err = c.flood.idle(now)
	}
	s.close()
	c.mu.Unlock()
	s.handler.Closed(End{
		Code: f.ErrCode, Peer: true, Refused: f.ErrCode == http2.ErrCodeRefusedStream,
		Err: fmt.Errorf("the peer reset the stream: %s", f.ErrCode),
	})
	return err
}

func (c *Conn) ping(f *http2.PingFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.IsAck() {
		if f.Data == drainPing && c.draining && !c.o.Client {
			c.refuse()
		}
		return c.flood.idle(time.Now())
	}
	c.out = appendPing(c.out, true, f.Data)
	c.kick()
	return c.flood.idle(time.Now())
}
