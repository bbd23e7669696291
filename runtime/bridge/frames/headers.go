package frames

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What a block of headers may take beyond MaxHeaderBytes before the connection ends by it. Up to there it costs its stream
// only, for what it puts into HPACK's table has to be read in any case.
const (
	blockFactor  = 4
	maxFragments = 512
)

var (
	errMalformed = errors.New("its headers are malformed")
	errPseudo    = errors.New("its pseudo-headers are wrong")
)

// header is the block that is being read.
type header struct {
	stream    uint32
	end       bool
	bytes     int // compressed
	size      int // as SETTINGS_MAX_HEADER_LIST_SIZE counts
	fragments int
	regular   bool // a field that isn't a pseudo-header was there
	err       error
}

// field takes one field of the block that is being read.
func (c *Conn) field(f hpack.HeaderField) {
	b := &c.reading
	b.size += int(f.Size())
	switch {
	case b.size > c.o.MaxHeaderBytes:
		b.err = ErrTooLarge
	case f.IsPseudo() && b.regular:
		b.err = errPseudo
	case !f.IsPseudo() && !validName(f.Name), !httpguts.ValidHeaderFieldValue(f.Value):
		b.err = errMalformed
	}
	if b.err != nil {
		c.decoder.SetEmitEnabled(false)
		return
	}
	b.regular = !f.IsPseudo()
	if !hopByHop(f) {
		c.fields = append(c.fields, f)
	}
}

// validName says whether a name is as HTTP/2 has it: no capitals.
func validName(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if b := name[i]; b >= 'A' && b <= 'Z' || !httpguts.IsTokenRune(rune(b)) {
			return false
		}
	}
	return true
}

// hopByHop says whether a field is about one connection of HTTP/1.1 and has no place here.
func hopByHop(f hpack.HeaderField) bool {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	case "te":
		return !strings.EqualFold(f.Value, "trailers")
	}
	return false
}

func (c *Conn) headers(f *http2.HeadersFrame) error {
	c.reading = header{stream: f.StreamID, end: f.StreamEnded()}
	clear(c.fields)
	c.fields = c.fields[:0]
	c.decoder.SetEmitEnabled(true)
	return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *Conn) continuation(f *http2.ContinuationFrame) error {
	return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *Conn) fragment(text []byte, ended bool) error {
	b := &c.reading
	b.bytes += len(text)
	b.fragments++
	if b.bytes > blockFactor*c.o.MaxHeaderBytes || b.fragments > maxFragments {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if _, err := c.decoder.Write(text); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	if !ended {
		return nil
	}
	if c.decoder.Close() != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	if c.o.Client {
		return c.response(b)
	}
	return c.request(b)
}

// request takes a whole block at the side of a server.
func (c *Conn) request(b *header) error {
	c.mu.Lock()
	s := c.streams[b.stream]
	if s != nil {
		return c.more(s, b, true)
	}
	switch {
	case b.stream%2 == 0:
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case b.stream <= c.lastID:
		defer c.mu.Unlock()
		return c.flood.idle(time.Now()) // Trailers of a stream that is gone.
	}
	c.lastID = b.stream
	code := c.refusal(b)
	if b.stream > c.refuseAbove {
		c.mu.Unlock()
		return nil // GOAWAY has said that nobody looks at it.
	}
	if code != http2.ErrCodeNo {
		defer c.mu.Unlock()
		c.out = appendReset(c.out, b.stream, code)
		c.kick()
		return c.flood.idle(time.Now())
	}
	s = &Stream{conn: c, id: b.stream, sendWindow: c.initialWindow, recvWindow: streamWindow, limit: streamWindow, gotEnd: b.end,
		begun: true, opened: time.Now()}
	c.streams[s.id] = s
	c.mu.Unlock()
	h := c.o.Accept(s, c.fields, b.end)
	c.mu.Lock()
	s.handler = h
	c.mu.Unlock()
	return nil
}

// refusal is why a new stream isn't taken; ErrCodeNo when it is.
func (c *Conn) refusal(b *header) http2.ErrCode {
	switch {
	case errors.Is(b.err, ErrTooLarge):
		return http2.ErrCodeEnhanceYourCalm
	case b.err != nil || !requestLine(c.fields):
		return http2.ErrCodeProtocol
	case len(c.streams) >= c.o.MaxStreams:
		return http2.ErrCodeRefusedStream
	}
	return http2.ErrCodeNo
}

// requestLine says whether a request has the pseudo-headers that it must have, each once.
func requestLine(fields []hpack.HeaderField) bool {
	var method, scheme, path, authority int
	for _, f := range fields {
		if !f.IsPseudo() {
			break
		}
		switch f.Name {
		case ":method":
			method++
		case ":scheme":
			scheme++
		case ":path":
			path++
		case ":authority":
			authority++
		default:
			return false
		}
	}
	return method == 1 && scheme == 1 && path == 1 && authority <= 1
}

// response takes a whole block at the side of a client.
func (c *Conn) response(b *header) error {
	c.mu.Lock()
	s := c.streams[b.stream]
	if s == nil {
		defer c.mu.Unlock()
		if err := c.unknown(b.stream); err != nil {
			return err
		}
		return c.flood.idle(time.Now())
	}
	if s.begun {
		return c.more(s, b, true)
	}
	if b.err == nil && !statusLine(c.fields) {
		b.err = errPseudo
	}
	if b.err == nil && Informational(c.fields) {
		return c.more(s, b, false)
	}
	s.begun = true
	return c.deliver(s, b)
}

// statusLine says whether a response has its one pseudo-header.
func statusLine(fields []hpack.HeaderField) bool {
	return len(fields) > 0 && fields[0].Name == ":status" && len(fields[0].Value) == 3 && (len(fields) == 1 || !fields[1].IsPseudo())
}

// Informational says whether headers of a response are only a foretaste of those that count.
func Informational(fields []hpack.HeaderField) bool {
	return len(fields) > 0 && fields[0].Name == ":status" && strings.HasPrefix(fields[0].Value, "1")
}

// more takes a block that isn't the first: trailers, which end their direction, or informational headers, which don't.
func (c *Conn) more(s *Stream, b *header, trailers bool) error {
	if b.err == nil && (b.end != trailers || trailers && len(c.fields) > 0 && c.fields[0].IsPseudo()) {
		b.err = errPseudo
	}
	return c.deliver(s, b)
}

// deliver gives a block to the stream's handler. The lock is held, and given up.
func (c *Conn) deliver(s *Stream, b *header) error {
	if b.err == nil && s.gotEnd {
		b.err = errMalformed
	}
	if b.err != nil {
		c.mu.Unlock()
		c.wrong(s, http2.ErrCodeProtocol, b.err)
		return nil
	}
	c.flood.good(1)
	s.ended(b.end)
	c.mu.Unlock()
	s.handler.Headers(c.fields, b.end)
	return nil
}
