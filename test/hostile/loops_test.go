package hostile

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/test/harness"
)

// forwarder passes connections on from one address to another, as a load balancer that nothing knows of does.
type forwarder struct {
	to    atomic.Pointer[string]
	taken atomic.Int64
	open  sync.Map
}

func startForwarder(t *testing.T, from string) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{}
	t.Cleanup(func() {
		_ = l.Close()
		f.open.Range(func(conn, _ any) bool {
			_ = conn.(net.Conn).Close()
			return true
		})
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.taken.Add(1)
			go f.pass(conn)
		}
	}()
	return f
}

func (f *forwarder) pass(conn net.Conn) {
	defer conn.Close()
	to := f.to.Load()
	if to == nil {
		return
	}
	other, err := net.Dial("tcp", *to)
	if err != nil {
		return
	}
	defer other.Close()
	f.open.Store(conn, nil)
	f.open.Store(other, nil)
	go func() {
		_, _ = io.Copy(other, conn) // It ends with either side.
		_ = other.Close()
	}()
	_, _ = io.Copy(conn, other)
}

// mostConnections is how many connections a loop may cost: one for each call that is under way, where none is used again.
const mostConnections = 200

// TestLoop is R43: an endpoint that leads back to the gateway by a way that no address tells costs its calls one round,
// and others nothing. What a client forges costs its own call only.
func TestLoop(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			place := at(t)
			f := startForwarder(t, place)
			s := serveTenants(t, p, place)
			good := s.Call("gw/http")
			good.Authority, good.Path = "a.b", "/good.A/Get"
			f.to.Store(&good.Address)
			traffic := harness.StartTraffic(t, p, good, "good/good", 2, 2)
			bad := good
			bad.Path = "/bad.A/Get"
			for i := range mostConnections {
				if r := s.Client.Do(bad); r.Code != codes.Internal || r.Message != answers.Loop.Message {
					t.Fatalf("call %d: %s %q, want Internal %q", i, r.Code, r.Message, answers.Loop.Message)
				}
			}
			traffic.End()
			if n := f.taken.Load(); n > mostConnections {
				t.Errorf("%d calls took %d connections", mostConnections, n)
			}
			checkHops(t, s, good)
		})
	}
}

// checkHops looks at what an endpoint is told, and at what a client may tell.
func checkHops(t *testing.T, s *harness.Served, good harness.Call) {
	t.Helper()
	own := s.Client.Do(good).Echo.Metadata.Get("cdn-loop")
	if len(own) != 1 || !strings.HasPrefix(own[0], "gatewright-") {
		t.Fatalf("the endpoint is told %q", own)
	}
	// The header in several lines is seen by all but nginx 1.22, which knows the first.
	for _, c := range []struct {
		sent []string
		want string
	}{
		{[]string{"cdn.example; v=1"}, "good/good"},
		{[]string{own[0] + "0"}, "good/good"},
		{[]string{"x" + own[0]}, "good/good"},
		{[]string{strings.Repeat("a, ", 1000) + "b"}, "good/good"},
		{[]string{own[0]}, "Internal"},
		{[]string{"cdn.example; v=1, " + own[0] + ", other"}, "Internal"},
		{[]string{"other," + own[0]}, "Internal"},
		{[]string{own[0], "other"}, "Internal"},
	} {
		good.Metadata = metadata.MD{"cdn-loop": c.sent}
		r := s.Client.Do(good)
		if r.Backend() != c.want {
			t.Errorf("cdn-loop %.60q: %s answers (%s), want %s", c.sent, r.Backend(), r.Message, c.want)
		}
		if c.want == "Internal" {
			continue
		}
		if got := strings.Join(r.Echo.Metadata.Get("cdn-loop"), ", "); got != c.sent[0]+", "+own[0] {
			t.Errorf("cdn-loop %.60q: the endpoint is told %.80q", c.sent, got)
		}
	}
}

// TestChain is a gateway behind a gateway of another instance: its calls pass.
func TestChain(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			place := at(t)
			f := startForwarder(t, place)
			outer := serveTenants(t, p, place)
			inner := serveTenants(t, p, at(t))
			behind := inner.Call("gw/http").Address
			f.to.Store(&behind)
			call := outer.Call("gw/http")
			call.Authority, call.Path = "a.b", "/bad.A/Get"
			// The inner one has this route too, and nothing behind it; that it says so shows that it was asked.
			if r := outer.Client.Do(call); r.Code != codes.Unavailable || strings.Contains(r.Message, answers.Loop.Message) {
				t.Errorf("%s %q, want what the inner gateway says", r.Code, r.Message)
			}
		})
	}
}
