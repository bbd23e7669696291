package bridge

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// The route's timeout in the tests, and what is taken for it: the same, on a machine that has other things to do too.
const (
	limit    = 300 * time.Millisecond
	earliest = 290 * time.Millisecond
	latest   = 2 * time.Second
)

// slowly is a server whose calls take for ever, in several ways.
func slowly(ended chan<- error) grpc.StreamHandler {
	return func(_ any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		var err error
		switch md.Get("how")[0] {
		case "silent":
			<-s.Context().Done()
		case "headers":
			err = s.SendHeader(nil)
			<-s.Context().Done()
		case "message":
			err = s.SendMsg([]byte("m"))
			<-s.Context().Done()
		case "trickle":
			for s.Context().Err() == nil {
				err = s.SendMsg([]byte("m"))
				select {
				case <-s.Context().Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
		}
		ended <- err
		return s.Context().Err()
	}
}

func TestDeadline(t *testing.T) {
	ended := make(chan error, 100)
	s := serve(t, slowly(ended))
	b := start(t, with(t, Action{Source: "rule 1", Timeout: Duration(limit)}, s.address))
	c := b.client()
	var calls sync.WaitGroup
	var longest atomic.Int64
	n := 0
	for _, how := range []string{"silent", "headers", "message", "trickle"} {
		for _, open := range []bool{false, true} {
			for range 3 {
				n++
				calls.Go(func() {
					name := fmt.Sprintf("%s, request open %v", how, open)
					st := stream(t, metadata.AppendToOutgoingContext(background(t), "how", how), c)
					begun := time.Now()
					if err := st.SendMsg([]byte("m")); err != nil {
						t.Error(err)
					}
					if !open {
						if err := st.CloseSend(); err != nil {
							t.Error(err)
						}
					}
					var err error
					for err == nil {
						var m []byte
						err = st.RecvMsg(&m)
					}
					wantCode(t, name, err, codes.DeadlineExceeded)
					if took := time.Since(begun); took < earliest || took > latest {
						t.Errorf("%s: it took %s", name, took)
					} else {
						longest.Store(max(longest.Load(), int64(took)))
					}
				})
			}
		}
	}
	calls.Wait()
	t.Logf("%d calls took %s at most", n, time.Duration(longest.Load()))
	for range n {
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("endpoint: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("an endpoint isn't told")
		}
	}
	if got := b.count("late_total", nil); got != n {
		t.Errorf("%d calls were counted, want %d", got, n)
	}
}

// TestDeadlineOfNone ends no call that is in time, or that has none.
func TestDeadlineOfNone(t *testing.T) {
	seen := make(chan time.Duration, 1)
	s := serve(t, func(_ any, s grpc.ServerStream) error {
		deadline, ok := s.Context().Deadline()
		if !ok {
			seen <- 0
		} else {
			seen <- time.Until(deadline)
		}
		return s.SendMsg([]byte("m"))
	})
	c := with(t, Action{Timeout: Duration(time.Minute)}, s.address)
	c.Actions["none"] = Action{Upstream: "u"}
	b := start(t, c)
	for name, want := range map[string]struct {
		target   string
		ctx      func() (context.Context, context.CancelFunc)
		low, top time.Duration
	}{
		"the route's":           {"a", without, 50 * time.Second, time.Minute + grace},
		"the client's, shorter": {"a", within(20 * time.Second), 10 * time.Second, 20*time.Second + grace},
		"the client's, longer":  {"a", within(time.Hour), 50 * time.Second, time.Minute + grace},
		"the client's alone":    {"none", within(20 * time.Second), 10 * time.Second, 20 * time.Second},
		"neither's":             {"none", without, 0, 0},
	} {
		ctx, cancel := want.ctx()
		if _, err := unary(ctx, b.clientFor(want.target), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if got := <-seen; got < want.low || got > want.top {
			t.Errorf("%s: the endpoint was told %s, want %s to %s", name, got, want.low, want.top)
		}
	}
}

func without() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }

func within(d time.Duration) func() (context.Context, context.CancelFunc) {
	return func() (context.Context, context.CancelFunc) { return context.WithTimeout(context.Background(), d) }
}

// got is what a client of frames gets.
type got struct {
	mu     sync.Mutex
	stream *frames.Stream
	blocks [][]hpack.HeaderField
	data   []byte
	ended  chan error
}

func (g *got) Headers(fields []hpack.HeaderField, end bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blocks = append(g.blocks, append([]hpack.HeaderField(nil), fields...))
	if end {
		g.ended <- nil
	}
}

func (g *got) Data(data []byte, end bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.data = append(g.data, data...)
	g.stream.Consumed(len(data))
	if end {
		g.ended <- nil
	}
}

func (g *got) Closed(e frames.End) { g.ended <- e.Err }

// field is the last value of a name, wherever it stands.
func (g *got) field(name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	value := ""
	for _, block := range g.blocks {
		for _, f := range block {
			if f.Name == name {
				value = f.Value
			}
		}
	}
	return value
}

// ask sends a request with fields that no library sends, and returns its response once it has ended. Without a body the request
// stays open.
func (b *bridged) ask(body []byte, fields ...string) *got {
	b.t.Helper()
	nc, err := net.Dial("unix", b.socket)
	if err != nil {
		b.t.Fatal(err)
	}
	ready := make(chan struct{})
	c := frames.New(nc, frames.Options{Client: true, Budget: frames.NewBudget(1 << 20), MaxStreams: 1, MaxHeaderBytes: 1 << 20,
		ReadBuffer: 4096, Ready: func() { close(ready) }})
	var done sync.WaitGroup
	done.Go(func() { _ = c.Serve() })
	b.t.Cleanup(func() {
		c.Close()
		done.Wait()
	})
	<-ready
	g := &got{ended: make(chan error, 2)}
	var ok bool
	if g.stream, ok = c.Open(g); !ok {
		b.t.Fatal("no stream can be opened")
	}
	all := []hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/s/m"},
		{Name: ":authority", Value: "example"}, {Name: HeaderTarget, Value: "a"}}
	for i := 0; i < len(fields); i += 2 {
		all = append(all, hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	g.stream.SendHeaders(all, false)
	if body != nil {
		g.stream.SendData(body, true, nil)
	}
	select {
	case err := <-g.ended:
		if err != nil {
			b.t.Errorf("the request ended with %v", err)
		}
	case <-time.After(patience):
		b.t.Error("the request doesn't end")
	}
	return g
}

// TestDeadlineOfClient has a client's own time that is shorter end the call, though the client does nothing about it.
func TestDeadlineOfClient(t *testing.T) {
	s := serve(t, slowly(make(chan error, 10)))
	b := start(t, with(t, Action{Timeout: Duration(time.Minute)}, s.address))
	begun := time.Now()
	g := b.ask(nil, "content-type", "application/grpc", "how", "silent", "grpc-timeout", "300m")
	if took := time.Since(begun); g.field("grpc-status") != "4" || took < earliest || took > latest {
		t.Errorf("status %s after %s", g.field("grpc-status"), took)
	}
	// One that makes no sense counts as none.
	b.configure(with(t, Action{Timeout: Duration(limit)}, s.address))
	begun = time.Now()
	g = b.ask(nil, "content-type", "application/grpc", "how", "silent", "grpc-timeout", "soon")
	if took := time.Since(begun); g.field("grpc-status") != "4" || took < earliest || took > latest {
		t.Errorf("status %s after %s", g.field("grpc-status"), took)
	}
}

// TestDeadlineOfHTTP answers what isn't gRPC as HTTP does.
func TestDeadlineOfHTTP(t *testing.T) {
	b := start(t, with(t, Action{Timeout: Duration(limit)}, silent(t)))
	if g := b.ask([]byte("x"), "content-type", "text/plain"); g.field(":status") != "504" {
		t.Errorf("got %v", g.blocks)
	}
	b.configure(with(t, Action{}, refusing(t)))
	if g := b.ask([]byte("x"), "content-type", "text/plain"); g.field(":status") != "502" {
		t.Errorf("got %v", g.blocks)
	}
}

// silent is an address that takes connections and says nothing.
func silent(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// TestExpired: what an endpoint cancels when the time is over is late, and nothing else that ends a stream is.
func TestExpired(t *testing.T) {
	now := time.Now()
	cancelled := frames.End{Peer: true, Code: http2.ErrCodeCancel}
	for name, x := range map[string]*struct {
		c    call
		end  frames.End
		want bool
	}{
		"late":      {call{grpc: true, deadline: now.Add(-time.Millisecond)}, cancelled, true},
		"in time":   {call{grpc: true, deadline: now.Add(time.Millisecond)}, cancelled, false},
		"no limit":  {call{grpc: true}, cancelled, false},
		"no gRPC":   {call{deadline: now.Add(-time.Millisecond)}, cancelled, false},
		"other end": {call{grpc: true, deadline: now.Add(-time.Millisecond)}, frames.End{Peer: true, Code: http2.ErrCodeInternal}, false},
		"our end":   {call{grpc: true, deadline: now.Add(-time.Millisecond)}, frames.End{Code: http2.ErrCodeCancel}, false},
	} {
		if got := x.c.expired(x.end, now); got != x.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
