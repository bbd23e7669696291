package frames

import "sync"

// chunks hold parts of a body that wait at a stream, and bigs are the buffers of connections that write much. They are shared
// by all: what waits and who writes changes all the time.
var (
	chunks = sync.Pool{New: func() any { return new([maxFrame]byte) }}
	bigs   = sync.Pool{New: func() any { return new([bigBuffer]byte) }}
)

const (
	// bigBuffer has room for all that outLimit lets in, and a frame more.
	bigBuffer = outLimit + 2*maxFrame
	// muchData is what a connection gets a big buffer for.
	muchData = 2 << 10
	// littleData is copied to memory of its own size: a chunk would be mostly empty.
	littleData = 4 << 10
)

// keepData copies a part of a body, so that it can wait.
func keepData(data []byte) []byte {
	if len(data) <= littleData || len(data) > maxFrame {
		return append([]byte(nil), data...)
	}
	return append(chunks.Get().(*[maxFrame]byte)[:0], data...)
}

// dropData gives back what keepData has returned, whole: its end may not be cut off.
func dropData(data []byte) {
	if cap(data) == maxFrame {
		chunks.Put((*[maxFrame]byte)(data[:maxFrame]))
	}
}

// grow gives the connection a big buffer. c.mu is held.
func (c *Conn) grow() {
	if cap(c.out) < bigBuffer {
		c.out = append(bigs.Get().(*[bigBuffer]byte)[:0], c.out...)
	}
}

// slim keeps no large buffers for a connection that has nothing to write: of some proxies' there is one for each call.
func (c *Conn) slim() {
	for _, b := range []*[]byte{&c.out, &c.spare} {
		if cap(*b) == bigBuffer {
			bigs.Put((*[bigBuffer]byte)((*b)[:bigBuffer]))
		}
		if cap(*b) > idleBuffer {
			*b = nil
		}
	}
}

// idleBuffer is what is kept all the same.
const idleBuffer = 4 << 10
