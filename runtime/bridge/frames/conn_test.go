package frames

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// holds takes streams and consumes nothing.
func holds(s *Stream, _ []hpack.HeaderField, _ bool) Handler {
	k := newSink()
	k.s, k.keep = s, true
	return k
}

var request = []hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/"}}

// begin opens a stream of a client.
func begin(t testing.TB, c *side, end bool) (*sink, *Stream) {
	t.Helper()
	k := newSink()
	s, ok := c.Open(k)
	if !ok {
		t.Fatal("no stream can be opened")
	}
	k.s = s
	s.SendHeaders(request, end)
	return k, s
}

// TestTableSize heeds a peer that has no table for headers, and one that gets one later.
func TestTableSize(t *testing.T) {
	c, p := client(t, Options{}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
	p.dec.SetAllowedMaxDynamicTableSize(0)
	more := append(request[:3:3], hpack.HeaderField{Name: "custom", Value: "value"})
	for range 3 {
		s, _ := c.Open(newSink())
		s.SendHeaders(more, true)
		expect[*http2.HeadersFrame](p)
		if len(p.fields) != 4 || p.fields[3] != more[3] {
			t.Errorf("got %v", p.fields)
		}
	}
}

// TestLargeHeaders cuts a block into frames, and puts one together.
func TestLargeHeaders(t *testing.T) {
	c, p := client(t, Options{})
	s, _ := c.Open(newSink())
	s.SendHeaders(append(request[:3:3], hpack.HeaderField{Name: "large", Value: strings.Repeat("~", 40_000)}), true)
	if f := expect[*http2.HeadersFrame](p); f.HeadersEnded() || f.Length != maxFrame {
		t.Errorf("got %v", f)
	}
	for !expect[*http2.ContinuationFrame](p).HeadersEnded() {
	}
	if n := len(p.fields[3].Value); n != 40_000 {
		t.Errorf("got a field of %d bytes", n)
	}

	server, q := server(t, Options{Accept: holds})
	block := bytes.Clone(q.encode(":method", "POST", ":scheme", "http", ":path", "/", "large", strings.Repeat("x", 12_000)))
	q.must(q.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:10]}))
	for _, b := range block[10:] {
		if len(block) > 500 {
			break
		}
		q.must(q.WriteContinuation(1, false, []byte{b}))
	}
	q.must(q.WriteContinuation(1, true, block[10:]))
	await(t, func() bool { return server.Streams() == 1 })
}

// TestWindows sends no more than the peer takes, whatever it does to its windows.
func TestWindows(t *testing.T) {
	c, p := client(t, Options{}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
	_, s := begin(t, c, false)
	expect[*http2.HeadersFrame](p)
	go s.SendData(make([]byte, 1000), true, nil)
	got := 0
	read := func(want int) {
		t.Helper()
		for got < want {
			got += len(expect[*http2.DataFrame](p).Data())
		}
		if got != want {
			t.Fatalf("%d bytes came, want %d", got, want)
		}
	}
	read(100)
	p.must(p.WriteWindowUpdate(1, 50))
	read(150)
	// Its window is 50 less than nothing by this, and 10 with the next.
	p.must(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 50}))
	p.must(p.WriteWindowUpdate(1, 60))
	read(160)
	p.must(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 500}))
	read(610)
	p.must(p.WriteWindowUpdate(1, 1000))
	read(1000)
	if n := s.Queued(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// TestConnectionWindow lets headers and other streams' ends pass when the connection's window is shut.
func TestConnectionWindow(t *testing.T) {
	c, p := client(t, Options{}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	_, first := begin(t, c, false)
	expect[*http2.HeadersFrame](p)
	first.SendData(make([]byte, 100_000), true, nil)
	for got := 0; got < firstWindow; {
		got += len(expect[*http2.DataFrame](p).Data())
	}
	begin(t, c, true)
	if f := expect[*http2.HeadersFrame](p); f.StreamID != 3 {
		t.Errorf("got %v", f)
	}
	_, third := begin(t, c, false)
	expect[*http2.HeadersFrame](p)
	third.SendData([]byte("x"), false, nil)
	third.Reset(http2.ErrCodeCancel)
	if f := expect[*http2.RSTStreamFrame](p); f.StreamID != 5 {
		t.Errorf("got %v", f)
	}
	p.must(p.WriteWindowUpdate(0, 1<<20))
	rest := 0
	for {
		f := expect[*http2.DataFrame](p)
		if f.StreamID != 1 {
			t.Errorf("got %v", f)
		}
		rest += len(f.Data())
		if f.StreamEnded() {
			break
		}
	}
	if rest != 100_000-firstWindow {
		t.Errorf("%d bytes came at last", rest)
	}
}

// TestCredit gives the windows back as data is consumed, and not before.
func TestCredit(t *testing.T) {
	for name, c := range map[string]struct {
		budget int64
		conn   bool // the connection's window is given back at once
	}{"within the budget": {1 << 30, true}, "beyond the budget": {0, false}} {
		t.Run(name, func(t *testing.T) {
			accepted := make(chan *sink, 1)
			s, p := server(t, Options{Budget: NewBudget(c.budget), Accept: func(s *Stream, _ []hpack.HeaderField, _ bool) Handler {
				k := newSink()
				k.s, k.keep = s, true
				accepted <- k
				return k
			}})
			p.must(p.open(1, false))
			k := <-accepted
			for range streamWindow / maxFrame {
				p.must(p.WriteData(1, false, make([]byte, maxFrame)))
			}
			k.until(t, func() bool { return len(k.data) == streamWindow })
			if got := s.window(0) + s.owes(); got != connWindow && c.conn || !c.conn && got != connWindow-streamWindow {
				t.Errorf("the connection's window is %d", got)
			}
			if got := s.window(1); got != 0 {
				t.Errorf("the stream's window is %d", got)
			}
			k.s.Consumed(streamWindow)
			if got := s.window(0) + s.owes(); got != connWindow {
				t.Errorf("the connection's window is %d in the end", got)
			}
			want := int64(streamWindow)
			if c.conn {
				want *= 2 // It may send more now: its data is taken.
			}
			if got := s.window(1); got != want {
				t.Errorf("the stream's window is %d in the end, want %d", got, want)
			}
			if n := s.budget.Used(); n != 0 {
				t.Errorf("%d bytes are held in the end", n)
			}
		})
	}
}

// owes is what the peer will get back of the connection's window.
func (s *side) owes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(s.owed)
}

// window is what the peer may send yet.
func (s *side) window(id uint32) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 {
		return s.recvWindow
	}
	return s.streams[id].recvWindow
}

func await(t testing.TB, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatal("it doesn't come")
		}
		<-time.After(time.Millisecond)
	}
}

// TestMaxStreams opens no more streams than the peer takes.
func TestMaxStreams(t *testing.T) {
	room := make(chan struct{}, 100)
	c, p := client(t, Options{Room: func() { room <- struct{}{} }}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
	k, _ := begin(t, c, true)
	begin(t, c, true)
	if _, ok := c.Open(newSink()); ok {
		t.Error("a third one was opened")
	}
	for len(room) > 0 {
		<-room
	}
	p.must(p.headers(1, true, ":status", "200"))
	k.until(t, func() bool { return k.ended })
	<-room
	if _, ok := c.Open(newSink()); !ok {
		t.Error("none was opened once there was room")
	}
}

// TestGoAway tells those that the peer hasn't looked at, lets the others end, and opens no more.
func TestGoAway(t *testing.T) {
	c, p := client(t, Options{})
	first, _ := begin(t, c, true)
	second, _ := begin(t, c, true)
	expect[*http2.HeadersFrame](p)
	expect[*http2.HeadersFrame](p)
	p.must(p.WriteGoAway(1, http2.ErrCodeNo, nil))
	if e := second.end(t); !e.Refused || e.Unsent {
		t.Errorf("the second one ended with %+v", e)
	}
	if _, ok := c.Open(newSink()); ok {
		t.Error("a third one was opened")
	}
	p.must(p.headers(1, true, ":status", "200"))
	first.until(t, func() bool { return first.ended })
	if err := c.wait(t); !errors.Is(err, errDrained) && err == nil {
		t.Errorf("the connection ended with %v", err)
	}
}

// TestResponses holds what a server says to the protocol.
func TestResponses(t *testing.T) {
	large := strings.Repeat("x", 17<<10)
	for name, c := range map[string]struct {
		do   func(p *peer) error
		want string
	}{
		"no status":            {func(p *peer) error { return p.headers(1, true, "a", "b") }, errPseudo.Error()},
		"two":                  {func(p *peer) error { return p.headers(1, true, ":status", "200", ":status", "200") }, errPseudo.Error()},
		"data before headers":  {func(p *peer) error { return p.WriteData(1, false, []byte("x")) }, "before headers"},
		"a value with a break": {func(p *peer) error { return p.headers(1, true, ":status", "200", "a", "b\nc") }, errMalformed.Error()},
		"trailers without end": {func(p *peer) error {
			return errors.Join(p.headers(1, false, ":status", "200"), p.headers(1, false, "a", "b"))
		}, errPseudo.Error()},
		"informational and end": {func(p *peer) error { return p.headers(1, true, ":status", "103") }, errPseudo.Error()},
		"large":                 {func(p *peer) error { return p.headers(1, true, ":status", "200", "a", large) }, ErrTooLarge.Error()},
		"reset":                 {func(p *peer) error { return p.WriteRSTStream(1, http2.ErrCodeCancel) }, "CANCEL"},
		"lost":                  {func(p *peer) error { return p.nc.Close() }, "the connection ended"},
	} {
		t.Run(name, func(t *testing.T) {
			cl, p := client(t, Options{})
			k, _ := begin(t, cl, false)
			expect[*http2.HeadersFrame](p)
			p.must(c.do(p))
			if e := k.end(t); !strings.Contains(e.Err.Error(), c.want) || e.Unsent {
				t.Errorf("it ended with %+v", e)
			}
		})
	}
	cl, p := client(t, Options{})
	k, _ := begin(t, cl, true)
	p.must(errors.Join(p.headers(1, false, ":status", "100"), p.headers(1, false, ":status", "103", "a", "b"),
		p.headers(1, false, ":status", "200"),
		p.WriteDataPadded(1, false, []byte("x"), make([]byte, 200)), p.headers(1, true, "t", "u")))
	k.until(t, func() bool { return k.ended })
	if len(k.fields) != 4 || string(k.data) != "x" || k.fields[3][0].Name != "t" {
		t.Errorf("got %v and %q", k.fields, k.data)
	}
	await(t, func() bool { return cl.Streams() == 0 })
}

// TestDrain takes streams until the peer knows, and ends when the last of them has.
func TestDrain(t *testing.T) {
	s, p := server(t, Options{})
	p.must(p.open(1, false))
	expect[*http2.HeadersFrame](p)
	s.Drain()
	if f := expect[*http2.GoAwayFrame](p); f.LastStreamID != lastID || f.ErrCode != http2.ErrCodeNo {
		t.Errorf("got %v", f)
	}
	p.must(p.open(3, true)) // It was on its way.
	expect[*http2.HeadersFrame](p)
	p.must(p.WritePing(true, drainPing))
	if f := expect[*http2.GoAwayFrame](p); f.LastStreamID != 3 {
		t.Errorf("got %v", f)
	}
	p.must(p.open(5, true)) // Nobody looks at it.
	p.must(p.WriteData(1, true, []byte("x")))
	if f := expect[*http2.DataFrame](p); f.StreamID != 1 || !f.StreamEnded() {
		t.Errorf("got %v", f)
	}
	if f, err := p.next(); err == nil {
		t.Errorf("got %v, want the end", f)
	}
	p.must(p.nc.Close())
	if err := s.wait(t); err == nil {
		t.Error("it ended without a reason")
	}
}

// TestRelieve resets a stream that stands still, and neither one that moves nor one that has nothing to send.
func TestRelieve(t *testing.T) {
	c, p := client(t, Options{}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	still, first := begin(t, c, false)
	_, second := begin(t, c, false)
	begin(t, c, false)
	for _, s := range []*Stream{first, second} {
		s.SendData(make([]byte, 100), false, nil)
	}
	for range 5 {
		expect[http2.Frame](p)
	}
	for i := range 3 {
		if n := c.Relieve(3); n != i/2 {
			t.Errorf("at call %d %d streams were reset", i, n)
		}
		p.must(p.WriteWindowUpdate(3, 1))
		if i < 2 {
			expect[*http2.DataFrame](p)
		}
	}
	if e := still.end(t); !errors.Is(e.Err, errStill) {
		t.Errorf("it ended with %+v", e)
	}
	if n := c.Streams(); n != 2 {
		t.Errorf("%d streams are left", n)
	}
}
