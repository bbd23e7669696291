package frames

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const patience = 20 * time.Second

// peer is the other side of a connection, which does what a test tells it to.
type peer struct {
	*http2.Framer
	t     testing.TB
	nc    net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
	dec   *hpack.Decoder
	// fields are those of the last block that was read.
	fields []hpack.HeaderField
	// quiet answers no SETTINGS, for another goroutine writes.
	quiet bool
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	p := &peer{t: t, nc: nc, Framer: http2.NewFramer(nc, nc)}
	p.AllowIllegalWrites = true
	p.enc = hpack.NewEncoder(&p.block)
	p.dec = hpack.NewDecoder(tableSize, func(f hpack.HeaderField) { p.fields = append(p.fields, f) })
	if err := nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *peer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			p.t.Fatal(err)
		}
	}
	return p.block.Bytes()
}

// open sends the headers of a request.
func (p *peer) open(id uint32, end bool, more ...string) error {
	return p.headers(id, end, append([]string{":method", "POST", ":scheme", "http", ":path", "/"}, more...)...)
}

func (p *peer) headers(id uint32, end bool, fields ...string) error {
	return p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields...), EndHeaders: true, EndStream: end})
}

// next is the next frame that isn't about the connection itself.
func (p *peer) next() (http2.Frame, error) {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return nil, err
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() && !p.quiet {
				if err := p.WriteSettingsAck(); err != nil {
					return nil, err
				}
			}
			continue
		case *http2.WindowUpdateFrame, *http2.PingFrame:
			continue
		case *http2.HeadersFrame:
			p.fields = nil
			if _, err := p.dec.Write(f.HeaderBlockFragment()); err != nil {
				return nil, err
			}
		case *http2.ContinuationFrame:
			if _, err := p.dec.Write(f.HeaderBlockFragment()); err != nil {
				return nil, err
			}
		}
		return f, nil
	}
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// expect is the next frame, of a type.
func expect[F http2.Frame](p *peer) F {
	p.t.Helper()
	f, err := p.next()
	if err != nil {
		p.t.Fatalf("no frame: %v", err)
	}
	out, ok := f.(F)
	if !ok {
		p.t.Fatalf("got %v", f)
	}
	return out
}

// pair are the two ends of a connection by a unix socket.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err = net.Dial("unix", l.Addr().String())
	if err == nil {
		b, err = l.Accept()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// side is a Conn that runs.
type side struct {
	*Conn
	budget *Budget
	ended  chan error
}

func run(t testing.TB, nc net.Conn, o Options) *side {
	t.Helper()
	s := &side{ended: make(chan error, 1)}
	if o.Budget == nil {
		o.Budget = NewBudget(1 << 30)
	}
	s.budget = o.Budget
	o.MaxStreams, o.MaxHeaderBytes, o.ReadBuffer = 100, 16<<10, 4<<10
	s.Conn = New(nc, o)
	var done sync.WaitGroup
	done.Go(func() { s.ended <- s.Serve() })
	t.Cleanup(func() {
		s.Close()
		done.Wait()
	})
	return s
}

// wait returns why the connection ended.
func (s *side) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err
		return err
	case <-time.After(patience):
		t.Fatal("the connection doesn't end")
		return nil
	}
}

// server is a side that serves, with a peer that has greeted it.
func server(t testing.TB, o Options) (*side, *peer) {
	t.Helper()
	near, far := pair(t)
	if o.Accept == nil {
		o.Accept = echoes
	}
	s := run(t, near, o)
	p := newPeer(t, far)
	_, err := io.WriteString(far, http2.ClientPreface)
	p.must(errors.Join(err, p.WriteSettings()))
	return s, p
}

// client is a side that opens streams, with a peer that has greeted it.
func client(t testing.TB, o Options, settings ...http2.Setting) (*side, *peer) {
	t.Helper()
	near, far := pair(t)
	ready := make(chan struct{})
	o.Client, o.Ready = true, func() { close(ready) }
	s := run(t, near, o)
	p := newPeer(t, far)
	preface := make([]byte, len(http2.ClientPreface))
	_, err := io.ReadFull(far, preface)
	p.must(errors.Join(err, p.WriteSettings(settings...)))
	<-ready
	return s, p
}

// echo answers what comes in with itself.
type echo struct{ s *Stream }

func echoes(s *Stream, _ []hpack.HeaderField, end bool) Handler {
	s.SendHeaders([]hpack.HeaderField{{Name: ":status", Value: "200"}}, end)
	return &echo{s: s}
}

func (e *echo) Headers(fields []hpack.HeaderField, end bool) { e.s.SendHeaders(fields, end) }
func (e *echo) Data(data []byte, end bool)                   { e.s.SendData(data, end, e.s) }
func (e *echo) Closed(End)                                   {}

// sink notes what comes in.
type sink struct {
	mu      sync.Mutex
	s       *Stream
	fields  [][]hpack.HeaderField
	data    []byte
	keep    bool // consume nothing
	ended   bool
	closed  chan End
	changed chan struct{}
}

func newSink() *sink { return &sink{closed: make(chan End, 1), changed: make(chan struct{}, 1)} }

func (k *sink) Headers(fields []hpack.HeaderField, end bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fields = append(k.fields, append([]hpack.HeaderField(nil), fields...))
	k.ended = k.ended || end
	k.tell()
}

func (k *sink) Data(data []byte, end bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data = append(k.data, data...)
	k.ended = k.ended || end
	if !k.keep {
		k.s.Consumed(len(data))
	}
	k.tell()
}

func (k *sink) tell() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

func (k *sink) Closed(e End) { k.closed <- e }

// until waits until something is true of the sink.
func (k *sink) until(t testing.TB, is func() bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		k.mu.Lock()
		ok := is()
		k.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-k.changed:
		case <-timeout:
			t.Fatal("it doesn't come")
		}
	}
}

func (k *sink) end(t testing.TB) End {
	t.Helper()
	select {
	case e := <-k.closed:
		return e
	case <-time.After(patience):
		t.Fatal("the stream doesn't end")
		return End{}
	}
}

// nop is what of a connection has no meaning without a network.
type nop struct{ net.Conn }

func (nop) Write(p []byte) (int, error)      { return len(p), nil }
func (nop) Close() error                     { return nil }
func (nop) SetReadDeadline(time.Time) error  { return nil }
func (nop) SetWriteDeadline(time.Time) error { return nil }
