package http1

import (
	"errors"
	"sync"
	"time"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

const (
	// idleBuffer is what is kept for a connection that has nothing to write.
	idleBuffer = 2 << 10
	// bigBuffer has room for what most streams have waiting, and hugeBuffer for all that may be when data is taken fast.
	bigBuffer  = 64 << 10
	hugeBuffer = largeWindow + 2*largeBuffer
)

var (
	bigBuffers  = sync.Pool{New: func() any { return new([bigBuffer]byte) }}
	hugeBuffers = sync.Pool{New: func() any { return new([hugeBuffer]byte) }}
)

// grown is the buffer, which is a larger one when the last one hasn't the room. The lock is held.
func (c *Conn) grown(n int) []byte {
	if c.out == nil && c.spare != nil {
		c.out, c.spare = c.spare[:0], nil
	}
	need, old := len(c.out)+n, c.out
	switch {
	case need <= cap(old) || need <= idleBuffer || need > hugeBuffer:
	case need <= bigBuffer:
		c.out = append(bigBuffers.Get().(*[bigBuffer]byte)[:0], old...)
		putBuffer(old)
	default:
		c.out = append(hugeBuffers.Get().(*[hugeBuffer]byte)[:0], old...)
		putBuffer(old)
	}
	return c.out
}

// putBuffer gives a buffer back, when it is one that others may use.
func putBuffer(b []byte) {
	switch cap(b) {
	case bigBuffer:
		bigBuffers.Put((*[bigBuffer]byte)(b[:bigBuffer]))
	case hugeBuffer:
		hugeBuffers.Put((*[hugeBuffer]byte)(b[:hugeBuffer]))
	}
}

// slim keeps no large buffer for a connection that has nothing to write. The lock is held.
func (c *Conn) slim() {
	for _, b := range []*[]byte{&c.out, &c.spare} {
		if cap(*b) > idleBuffer {
			putBuffer(*b)
			*b = nil
		}
	}
}

// pay notes who is told once what is in the buffer by now is written. The lock is held.
func (c *Conn) pay(to frames.Payee, n int) {
	if to == nil || n == 0 {
		return
	}
	if k := len(c.paid); k > 0 && c.paid[k-1].to == to {
		c.paid[k-1].n += n
		return
	}
	c.paid = append(c.paid, payment{to, n})
}

func pay(list []payment) {
	for _, p := range list {
		p.to.Consumed(p.n)
	}
	clear(list)
}

// write writes to the network what comes into the buffer, until the connection ends.
func (c *Conn) write() {
	c.mu.Lock()
	for {
		for len(c.out) == 0 && len(c.paid) == 0 && !c.half && !c.closing {
			c.slim()
			c.wake.Wait()
		}
		if len(c.out) == 0 && len(c.paid) == 0 && !c.half {
			break
		}
		out, paid := c.out, c.paid
		c.out, c.paid = c.spare[:0], c.payable[:0]
		c.spare, c.payable = nil, nil
		c.writing = true
		mute := c.mute
		c.mu.Unlock()
		n, err := 0, error(nil)
		if len(out) > 0 && !mute {
			n, err = c.nc.Write(out)
		}
		pay(paid)
		c.mu.Lock()
		c.writing = false
		c.sent += uint64(n)
		c.spare, c.payable = out, paid
		if s := c.current; s != nil && n > 0 {
			s.seen = c.look
		}
		c.written(err)
		if c.half && len(c.out) == 0 {
			c.half = false
			c.mu.Unlock()
			_ = c.closeWrite() // The other direction says what is wrong.
			c.mu.Lock()
		}
	}
	gentle := c.gentle
	c.mu.Unlock()
	if gentle && c.closeWrite() == nil && c.nc.SetReadDeadline(time.Now().Add(lingering)) == nil {
		return
	}
	_ = c.nc.Close() // Reading says what is wrong.
}

// written heeds that the buffer is written, or can't be. The lock is held.
func (c *Conn) written(err error) {
	if err != nil {
		c.out = nil
		c.mute = true
		// A server that takes no more of a request may have answered it. A client that takes no more of a response has gone.
		if !c.o.Client || c.closing {
			c.stop(err)
			_ = c.nc.Close() // Reading says what is wrong.
		}
		return
	}
	c.settle()
}

func (c *Conn) closeWrite() error {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// settle ends an exchange that has ended in both directions, once all of it is written. The lock is held.
func (c *Conn) settle() {
	s := c.current
	if s == nil || !s.gotEnd || !s.sentEnd || s.closed {
		return
	}
	if c.writing || len(c.out) > 0 {
		if c.o.Client {
			_ = c.nc.SetWriteDeadline(time.Now().Add(dying)) // One that has answered and doesn't read is of no further use.
		}
		return
	}
	s.close()
	c.current = nil
	switch {
	case s.last || c.drains || c.mute:
		c.hangUp()
	case c.o.Client:
		_ = c.nc.SetWriteDeadline(time.Time{}) // One that can't have it fails by itself.
		if c.o.Free != nil {
			c.o.Free(c)
		}
	default:
		c.nudge()
	}
}
