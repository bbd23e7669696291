package http1

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// input is what has come in and wasn't looked at yet.
type input struct {
	nc   net.Conn
	buf  []byte
	r, w int
	last int // how much was read the last time
}

// A connection keeps a small buffer, and has a large one while a body fills the small one.
const (
	smallBuffer = 4 << 10
	largeBuffer = 32 << 10
)

var largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

func (in *input) data() []byte { return in.buf[in.r:in.w] }

func (in *input) skip(n int) { in.r += n }

// fill reads more. What is there already moves, or gets a larger buffer.
func (in *input) fill() error {
	switch {
	case in.r == in.w:
		in.r, in.w = 0, 0
		switch large := in.last >= smallBuffer; {
		case large && len(in.buf) < largeBuffer:
			in.buf = largeBuffers.Get().(*[largeBuffer]byte)[:]
		case !large && len(in.buf) != smallBuffer:
			in.drop()
			in.buf = make([]byte, smallBuffer)
		}
	case in.w == len(in.buf):
		to := in.buf
		if in.r < len(in.buf)/2 {
			to = make([]byte, 2*len(in.buf))
		}
		n := copy(to, in.data())
		if len(to) > len(in.buf) {
			in.drop()
		}
		in.buf, in.r, in.w = to, 0, n
	}
	n, err := in.nc.Read(in.buf[in.w:])
	in.w += n
	in.last = n
	if n > 0 {
		return nil // What is wrong is said again.
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// drop gives a large buffer back.
func (in *input) drop() {
	if len(in.buf) == largeBuffer {
		largeBuffers.Put((*[largeBuffer]byte)(in.buf))
	}
	in.buf = nil
}

// small keeps no large buffer for a connection that waits for a message.
func (in *input) small() {
	if in.r == in.w && len(in.buf) > smallBuffer {
		in.drop()
		in.r, in.w, in.last = 0, 0, 0
	}
}

// head takes lines up to an empty one, which all have to end with CR LF. Of those that have begun the rest must come in time.
func (in *input) head(most int, limit time.Duration) (string, error) {
	line, scanned, timed := 0, 0, false
	for {
		data := in.data()
		for {
			i := bytes.IndexByte(data[scanned:], '\n')
			if i < 0 {
				scanned = len(data)
				break
			}
			end := scanned + i
			if end == line || data[end-1] != '\r' {
				return "", ErrMalformed
			}
			if end-1 == line {
				if end >= most {
					return "", frames.ErrTooLarge
				}
				text := string(data[:end+1])
				in.skip(end + 1)
				if timed {
					return text, in.nc.SetReadDeadline(time.Time{})
				}
				return text, nil
			}
			scanned, line = end+1, end+1
		}
		if len(data) >= most {
			return "", frames.ErrTooLarge
		}
		if limit > 0 && !timed {
			timed = true
			if err := in.nc.SetReadDeadline(time.Now().Add(limit)); err != nil {
				return "", err
			}
		}
		if err := in.fill(); err != nil {
			return "", unexpected(err)
		}
	}
}

// unexpected is the error of a connection that ends within a message.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunked reads a body in chunks.
type chunked struct {
	state chunkState
	left  int64
}

type chunkState int

const (
	atSize chunkState = iota
	inData
	atEnd
)

// maxChunkLine bounds the line with a chunk's size, extensions with it. These aren't passed on.
const maxChunkLine = 256

// decode takes what is there of the body, and says whether that is all of it: trailers come next. What it returns is good until
// the buffer is filled again.
func (k *chunked) decode(in *input) (body []byte, last bool, err error) {
	data := in.data()
	body = data[:0]
	at := 0
	defer func() { in.skip(at) }()
	for at < len(data) {
		switch k.state {
		case atSize:
			i := bytes.IndexByte(data[at:], '\n')
			if i > maxChunkLine || i < 0 && len(data)-at > maxChunkLine {
				return body, false, ErrMalformed
			}
			if i < 0 {
				return body, false, nil
			}
			size, ok := chunkSize(data[at : at+i])
			if !ok {
				return body, false, ErrMalformed
			}
			at += i + 1
			if size == 0 {
				return body, true, nil
			}
			k.left, k.state = size, inData
		case inData:
			n := int(min(k.left, int64(len(data)-at)))
			body = append(body, data[at:at+n]...)
			at += n
			if k.left -= int64(n); k.left == 0 {
				k.state = atEnd
			}
		case atEnd:
			if data[at] != '\r' || len(data)-at > 1 && data[at+1] != '\n' {
				return body, false, ErrMalformed
			}
			if len(data)-at < 2 {
				return body, false, nil
			}
			at += 2
			k.state = atSize
		}
	}
	return body, false, nil
}

// maxSizeDigits keeps the size of a chunk within 64 bits.
const maxSizeDigits = 15

// chunkSize reads the line before a chunk, which ends with CR.
func chunkSize(line []byte) (int64, bool) {
	if len(line) == 0 || line[len(line)-1] != '\r' {
		return 0, false
	}
	line = line[:len(line)-1]
	size, digits := int64(0), 0
	for ; digits < len(line); digits++ {
		d := line[digits]
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d >= 'a' && d <= 'f':
			d -= 'a' - 10
		case d >= 'A' && d <= 'F':
			d -= 'A' - 10
		default:
			d = 0xff
		}
		if d == 0xff {
			break
		}
		size = size<<4 | int64(d)
		if digits >= maxSizeDigits {
			return 0, false
		}
	}
	if digits == 0 {
		return 0, false
	}
	extension := bytes.TrimLeft(line[digits:], " \t")
	if len(extension) > 0 && extension[0] != ';' {
		return 0, false
	}
	for _, b := range extension {
		if b < ' ' && b != '\t' || b == 0x7f {
			return 0, false
		}
	}
	return size, true
}
