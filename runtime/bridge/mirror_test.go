package bridge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gatewright/gatewright/test/harness"
)

// recorded is what a mirror was sent of a call.
type recorded struct {
	metadata metadata.MD
	messages [][]byte
	whole    bool
}

// recorder is a mirror that keeps what it is sent, and answers in some way.
func recorder(t *testing.T) (address string, calls chan recorded) {
	t.Helper()
	calls = make(chan recorded, 10_000)
	return serve(t, func(_ any, s grpc.ServerStream) error {
		var r recorded
		r.metadata, _ = metadata.FromIncomingContext(s.Context())
		for {
			var m []byte
			err := s.RecvMsg(&m)
			if err != nil {
				r.whole = err == io.EOF
				calls <- r
				return err
			}
			r.messages = append(r.messages, m)
			if err := s.SendMsg(m); err != nil {
				return err
			}
		}
	}).address, calls
}

func mirroring(t testing.TB, address string, mirrors ...string) Config {
	c := with(t, Action{}, address)
	a := c.Actions["a"]
	for i, m := range mirrors {
		id := fmt.Sprintf("m%d", i)
		a.Mirrors = append(a.Mirrors, id)
		c.Upstreams[id] = upstreamOf(t, m)
	}
	c.Actions["a"] = a
	return c
}

func next(t *testing.T, calls chan recorded) recorded {
	t.Helper()
	select {
	case r := <-calls:
		return r
	case <-time.After(patience):
		t.Fatal("the mirror gets no copy")
		return recorded{}
	}
}

// TestMirror copies calls of all kinds, to the mirrors of their action and to no other.
func TestMirror(t *testing.T) {
	first, firstCalls := recorder(t)
	second, secondCalls := recorder(t)
	address := serve(t, echo).address
	b := start(t, plain(t, address))
	client := b.client()
	for _, c := range []struct {
		which []string
		want  []chan recorded
	}{
		{[]string{first}, []chan recorded{firstCalls}}, {[]string{second}, []chan recorded{secondCalls}},
		{[]string{first, second}, []chan recorded{firstCalls, secondCalls}}, {nil, nil},
	} {
		b.configure(mirroring(t, address, c.which...))
		messages := [][]byte{[]byte("m"), bytes.Repeat([]byte("n"), 300_000), {}}
		st := stream(t, metadata.AppendToOutgoingContext(background(t), "k-bin", "\x00\x01"), client)
		for _, m := range messages {
			if err := st.SendMsg(m); err != nil {
				t.Fatal(err)
			}
			var back []byte
			if err := st.RecvMsg(&back); err != nil || !bytes.Equal(m, back) {
				t.Fatalf("%d bytes came back, %v", len(back), err)
			}
		}
		if err := st.CloseSend(); err != nil {
			t.Error(err)
		}
		for _, calls := range c.want {
			r := next(t, calls)
			if !r.whole || !slices.EqualFunc(r.messages, messages, bytes.Equal) {
				t.Errorf("%q: the mirror got %d messages, whole: %v", c.which, len(r.messages), r.whole)
			}
			md := r.metadata
			if !slices.Equal(md.Get("k-bin"), []string{"\x00\x01"}) || len(md.Get(HeaderTarget)) > 0 {
				t.Errorf("%q: the mirror got %v", c.which, r.metadata)
			}
		}
		var back []byte
		if err := st.RecvMsg(&back); err != io.EOF {
			t.Errorf("it ended with %v", err)
		}
	}
	await(t, "the end of the copies", func() bool {
		return b.count("copies_total", map[string]string{"result": "sent"}) == 4 && b.count("held_copy_bytes", nil) == 0
	})
	if len(firstCalls)+len(secondCalls) > 0 {
		t.Error("mirrors got more copies than were drawn")
	}
}

// TestMirrorCancelled ends the copy of a call that is given up.
func TestMirrorCancelled(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	mirror := serve(t, func(_ any, s grpc.ServerStream) error {
		var m []byte
		err := s.RecvMsg(&m)
		close(begun)
		if err == nil {
			err = s.RecvMsg(&m)
		}
		ended <- err
		return err
	})
	b := start(t, mirroring(t, serve(t, echo).address, mirror.address))
	ctx, cancel := context.WithCancel(background(t))
	turn(t, stream(t, ctx, b.client()))
	await(t, "the copy", func() bool {
		select {
		case <-begun:
			return true
		default:
			return false
		}
	})
	cancel()
	await(t, "the end of the copy", func() bool { return len(ended) > 0 })
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the copy ends with %v", err)
	}
}

// stuck is an address whose connections begin as they should, and then read nothing.
func stuck(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			_ = http2.NewFramer(c, c).WriteSettings()
		}
	}()
	return l.Addr().String()
}

// TestBadMirrors has callers and streams whose mirrors are dead, stuck or broken: no call notices, and what is held is bounded.
func TestBadMirrors(t *testing.T) {
	broken := harness.Address(t) + ":8080"
	harness.StartRawServer(t, func(s *harness.RawStream) {
		if s.ID()%4 == 1 {
			s.CloseConnection()
			return
		}
		s.Data(true, []byte("no headers"))
	}, broken)
	failing := serve(t, func(any, grpc.ServerStream) error { return io.ErrUnexpectedEOF })
	for name, mirror := range map[string]string{
		"refusing": refusing(t), "silent": silent(t), "stuck": stuck(t), "broken": broken, "failing": failing.address,
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, mirroring(t, serve(t, echo).address, mirror))
			var all sync.WaitGroup
			var most atomic.Int64
			for i := range 20 {
				c := b.client()
				all.Go(func() {
					message := make([]byte, 20_000)
					for range 20 {
						if i%2 == 0 {
							if _, err := unary(background(t), c, message); err != nil {
								t.Error(err)
								return
							}
							continue
						}
						st, err := c.NewStream(background(t), bidi, "/s/m")
						for range 3 {
							if err == nil {
								err = st.SendMsg(message)
							}
							var m []byte
							if err == nil {
								err = st.RecvMsg(&m)
							}
						}
						if err != nil {
							t.Error(err)
							return
						}
						if err := st.CloseSend(); err != nil {
							t.Error(err)
						}
						most.Store(max(most.Load(), int64(b.count("held_copy_bytes", nil))))
					}
				})
			}
			all.Wait()
			if n := most.Load(); n > copiesBytes {
				t.Errorf("%d bytes were held for mirrors", n)
			}
			if name != "failing" && name != "stuck" && name != "silent" {
				await(t, "the dropped copies' count", func() bool { return b.count("copies_total", nil) > 0 })
			}
		})
	}
}

// TestSlowMirror drops what doesn't fit, and counts it.
func TestSlowMirror(t *testing.T) {
	b := start(t, mirroring(t, serve(t, echo).address, stuck(t)))
	c := b.client()
	const large = 20
	for range large {
		if _, err := unary(background(t), c, make([]byte, 2<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.count("copies_total", map[string]string{"result": tooSlow}); n != large {
		t.Errorf("%d copies were counted as dropped, want %d", n, large)
	}
	if n := b.count("held_copy_bytes", nil); n > copiesBytes {
		t.Errorf("%d bytes are held", n)
	}
	// Nor do more copies than there may be.
	for range maxCopies + 100 {
		if _, err := unary(background(t), c, []byte("m")); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.count("copies_total", map[string]string{"result": tooMany}); n < 1 {
		t.Error("no copy was too many")
	}
}

// TestMirrorLeavesErrors has mirrors change nothing of what a call gets.
func TestMirrorLeavesErrors(t *testing.T) {
	mirror, calls := recorder(t)
	address, _ := failing(t, trailersOnly(codes.NotFound))
	c := start(t, mirroring(t, address, mirror)).client()
	for range 20 {
		_, err := unary(background(t), c, []byte("m"))
		wantCode(t, "the endpoint's status", err, codes.NotFound)
		if r := next(t, calls); !r.whole || len(r.messages) != 1 {
			t.Errorf("the mirror got %d messages, whole: %v", len(r.messages), r.whole)
		}
	}
}
