package frames

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
)

// forever repeats something until the connection takes no more.
func forever(do func(i int) error) error {
	for i := range 1_000_000 {
		if err := do(i); err != nil {
			return nil
		}
	}
	return errors.New("a million of them end nothing")
}

// floodOf repeats what a peer sends.
func floodOf(send func(p *peer) error) func(p *peer) error {
	return func(p *peer) error { return forever(func(int) error { return send(p) }) }
}

// TestHostileClients ends the connections of clients that break or abuse the protocol, and says why.
func TestHostileClients(t *testing.T) {
	ping := [8]byte{1}
	for name, c := range map[string]struct {
		do   func(p *peer) error
		want http2.ErrCode
	}{
		"settings flood":    {floodOf(func(p *peer) error { return p.WriteSettings() }), http2.ErrCodeEnhanceYourCalm},
		"ping flood":        {floodOf(func(p *peer) error { return p.WritePing(false, ping) }), http2.ErrCodeEnhanceYourCalm},
		"ping answer flood": {floodOf(func(p *peer) error { return p.WritePing(true, ping) }), http2.ErrCodeEnhanceYourCalm},
		"unknown frames":    {floodOf(func(p *peer) error { return p.WriteRawFrame(0x42, 0, 0, nil) }), http2.ErrCodeEnhanceYourCalm},
		"priority flood": {func(p *peer) error {
			return forever(func(int) error { return p.WritePriority(1, http2.PriorityParam{StreamDep: 3}) })
		}, http2.ErrCodeEnhanceYourCalm},
		"empty data flood": {func(p *peer) error {
			return errors.Join(p.open(1, false), forever(func(int) error { return p.WriteData(1, false, nil) }))
		}, http2.ErrCodeEnhanceYourCalm},
		"rapid reset": {func(p *peer) error {
			return forever(func(i int) error {
				id := uint32(2*i + 1)
				return errors.Join(p.open(id, false), p.WriteRSTStream(id, http2.ErrCodeCancel))
			})
		}, http2.ErrCodeEnhanceYourCalm},
		"many malformed requests": {func(p *peer) error {
			return forever(func(i int) error { return p.headers(uint32(2*i+1), true, ":method", "GET") })
		}, http2.ErrCodeEnhanceYourCalm},
		"continuation flood": {func(p *peer) error {
			err := p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(":method", "POST")})
			return errors.Join(err, forever(func(int) error { return p.WriteContinuation(1, false, nil) }))
		}, http2.ErrCodeEnhanceYourCalm},
		"endless headers": {func(p *peer) error {
			err := p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(":method", "POST")})
			return errors.Join(err, forever(func(int) error {
				return p.WriteContinuation(1, false, p.encode("a", strings.Repeat("x", 8000)))
			}))
		}, http2.ErrCodeEnhanceYourCalm},
		"many settings in one": {func(p *peer) error {
			return p.WriteSettings(make([]http2.Setting, maxSettings+1)...)
		}, http2.ErrCodeEnhanceYourCalm},
		"headers of another connection's table": {func(p *peer) error {
			return p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0x40}, EndHeaders: true})
		}, http2.ErrCodeCompression},
		"connection window overflow": {func(p *peer) error {
			return errors.Join(p.WriteWindowUpdate(0, maxWindow))
		}, http2.ErrCodeFlowControl},
		"window overflow by settings": {func(p *peer) error {
			err := errors.Join(p.open(1, false), p.WriteWindowUpdate(1, maxWindow-firstWindow))
			return errors.Join(err, p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: firstWindow + 1}))
		}, http2.ErrCodeFlowControl},
		"initial window too large": {func(p *peer) error {
			return p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}, http2.ErrCodeFlowControl},
		"frame size too small": {func(p *peer) error {
			return p.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 100})
		}, http2.ErrCodeProtocol},
		"window update of nothing": {func(p *peer) error { return p.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, make([]byte, 4)) },
			http2.ErrCodeProtocol},
		"a server's stream":      {func(p *peer) error { return p.open(2, true) }, http2.ErrCodeProtocol},
		"data of no stream":      {func(p *peer) error { return p.WriteData(5, false, []byte("x")) }, http2.ErrCodeProtocol},
		"reset of no stream":     {func(p *peer) error { return p.WriteRSTStream(5, http2.ErrCodeCancel) }, http2.ErrCodeProtocol},
		"window of no stream":    {func(p *peer) error { return p.WriteWindowUpdate(5, 1) }, http2.ErrCodeProtocol},
		"data of the connection": {func(p *peer) error { return p.WriteData(0, false, []byte("x")) }, http2.ErrCodeProtocol},
		"a promise": {func(p *peer) error {
			return p.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true})
		}, http2.ErrCodeProtocol},
		"a frame that is too large": {func(p *peer) error {
			return errors.Join(p.open(1, false), p.WriteData(1, false, make([]byte, maxFrame+1)))
		}, http2.ErrCodeFrameSize},
		"a block within a block": {func(p *peer) error {
			err := p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(":method", "POST")})
			return errors.Join(err, p.WritePing(false, ping))
		}, http2.ErrCodeProtocol},
		"more data than windows": {func(p *peer) error {
			for id := uint32(1); id < 60; id += 2 {
				if err := p.open(id, false); err != nil {
					return err
				}
				for range streamWindow / maxFrame {
					if err := p.WriteData(id, false, make([]byte, maxFrame)); err != nil {
						return nil
					}
				}
			}
			return nil
		}, http2.ErrCodeFlowControl},
	} {
		t.Run(name, func(t *testing.T) {
			// What comes in is held, and the budget is small: windows stay shut.
			s, p := server(t, Options{Budget: NewBudget(1), Accept: holds})
			p.quiet = true
			done := make(chan error, 1)
			go func() { done <- c.do(p) }()
			var got *http2.ErrCode
			for {
				f, err := p.next()
				if err != nil {
					break
				}
				if f, ok := f.(*http2.GoAwayFrame); ok {
					got = &f.ErrCode
				}
			}
			if err := <-done; err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if err := s.wait(t); !errors.Is(err, http2.ConnectionError(c.want)) {
				t.Errorf("the connection ended with %v, want %s", err, c.want)
			}
			if got != nil && *got != c.want {
				t.Errorf("GOAWAY %s, want %s", *got, c.want)
			}
		})
	}
}

// TestHostileStreams ends streams that break the protocol, and no other.
func TestHostileStreams(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(p *peer) error
		want http2.ErrCode
	}{
		"capitals":             {func(p *peer) error { return p.open(1, true, "Name", "x") }, http2.ErrCodeProtocol},
		"a value with a break": {func(p *peer) error { return p.open(1, true, "a", "x\r\ny: z") }, http2.ErrCodeProtocol},
		"no name":              {func(p *peer) error { return p.open(1, true, "", "x") }, http2.ErrCodeProtocol},
		"no path":              {func(p *peer) error { return p.headers(1, true, ":method", "POST", ":scheme", "http") }, http2.ErrCodeProtocol},
		"two paths": {func(p *peer) error {
			return p.headers(1, true, ":method", "A", ":scheme", "b", ":path", "/", ":path", "/")
		}, http2.ErrCodeProtocol},
		"a late pseudo-header": {func(p *peer) error { return p.open(1, true, "a", "b", ":path", "/x") }, http2.ErrCodeProtocol},
		"a status":             {func(p *peer) error { return p.headers(1, true, ":status", "200") }, http2.ErrCodeProtocol},
		"large headers": {func(p *peer) error {
			return p.open(1, true, "a", strings.Repeat("x", 9000), "b", strings.Repeat("x", 9000))
		},
			http2.ErrCodeEnhanceYourCalm},
		"a large header": {func(p *peer) error {
			block := bytes.Clone(p.encode(":method", "POST", ":scheme", "http", ":path", "/", "a", strings.Repeat("~", 30<<10)))
			err := p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:maxFrame]})
			for block = block[maxFrame:]; len(block) > maxFrame; block = block[maxFrame:] {
				err = errors.Join(err, p.WriteContinuation(1, false, block[:maxFrame]))
			}
			return errors.Join(err, p.WriteContinuation(1, true, block))
		}, http2.ErrCodeEnhanceYourCalm},
		"trailers that end nothing": {func(p *peer) error { return errors.Join(p.open(1, false), p.headers(1, false, "a", "b")) },
			http2.ErrCodeProtocol},
		"a pseudo-header in trailers": {func(p *peer) error { return errors.Join(p.open(1, false), p.headers(1, true, ":path", "/")) },
			http2.ErrCodeProtocol},
		"data behind the end": {func(p *peer) error { return errors.Join(p.open(1, true), p.WriteData(1, false, []byte("x"))) },
			http2.ErrCodeStreamClosed},
		"window overflow": {func(p *peer) error { return errors.Join(p.open(1, false), p.WriteWindowUpdate(1, maxWindow)) },
			http2.ErrCodeFlowControl},
		"more data than its window": {func(p *peer) error {
			err := p.open(1, false)
			for range streamWindow/maxFrame + 1 {
				err = errors.Join(err, p.WriteData(1, false, make([]byte, maxFrame)))
			}
			return err
		}, http2.ErrCodeFlowControl},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := server(t, Options{Accept: holds})
			p.must(c.do(p))
			if f := expect[*http2.RSTStreamFrame](p); f.StreamID != 1 || f.ErrCode != c.want {
				t.Errorf("got %v, want %s", f, c.want)
			}
			p.must(p.WriteData(1, false, []byte("more"))) // It was on its way: nothing comes of it.
			p.must(p.open(3, true))
			p.must(p.WriteRSTStream(3, http2.ErrCodeCancel))
			p.must(p.headers(5, true, ":status", "200")) // Answered by a reset as soon as it is read.
			if f := expect[*http2.RSTStreamFrame](p); f.StreamID != 5 {
				t.Errorf("got %v", f)
			}
			select {
			case err := <-s.ended:
				t.Errorf("the connection ended: %v", err)
			default:
			}
		})
	}
}

// TestTooManyStreams says of those above the limit that nobody has seen them.
func TestTooManyStreams(t *testing.T) {
	_, p := server(t, Options{Accept: holds})
	for i := range 101 {
		p.must(p.open(uint32(2*i+1), false))
	}
	if f := expect[*http2.RSTStreamFrame](p); f.StreamID != 201 || f.ErrCode != http2.ErrCodeRefusedStream {
		t.Errorf("got %v", f)
	}
}

// TestDeaf ends a connection whose peer asks and doesn't read.
func TestDeaf(t *testing.T) {
	s, p := server(t, Options{})
	go func() {
		_ = forever(func(int) error {
			return errors.Join(p.open(1, false), p.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 8)))
		})
	}()
	if err := s.wait(t); err == nil {
		t.Error("it ended without a reason")
	}
}

func TestNoHTTP2(t *testing.T) {
	http1 := "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + strings.Repeat("x", 100)
	for _, said := range []string{http1, http2.ClientPreface + strings.Repeat("\x00", 9)} {
		near, far := pair(t)
		s := run(t, near, Options{Accept: holds})
		if _, err := io.WriteString(far, said); err != nil {
			t.Fatal(err)
		}
		if err := s.wait(t); !errors.Is(err, errPreface) && !errors.Is(err, http2.ConnectionError(http2.ErrCodeProtocol)) {
			t.Errorf("%.20q: %v", said, err)
		}
	}
}
