package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// patience is how long anything may take that is only waited for.
const patience = 20 * time.Second

// raw passes messages on as bytes.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	return nil, fmt.Errorf("a message is bytes here, not %T", v)
}

func (raw) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message is bytes here, not %T", v)
	}
	*b = append((*b)[:0:0], data...)
	return nil
}

// server is a grpc-go server whose calls a function answers.
type server struct {
	address string
	grpc    *grpc.Server
}

func serve(t testing.TB, handle grpc.StreamHandler, options ...grpc.ServerOption) *server {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", handle, options...)
}

func serveAt(t testing.TB, address string, handle grpc.StreamHandler, options ...grpc.ServerOption) *server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	options = append([]grpc.ServerOption{grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(handle), grpc.MaxRecvMsgSize(64 << 20),
		grpc.MaxSendMsgSize(64 << 20)}, options...)
	s := &server{address: l.Addr().String(), grpc: grpc.NewServer(options...)}
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("server: %v", err)
		}
	})
	t.Cleanup(func() {
		s.grpc.Stop()
		done.Wait()
	})
	return s
}

// refusing is an address where nobody listens.
func refusing(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// bridged is a bridge with its socket.
type bridged struct {
	*Bridge
	t        testing.TB
	socket   string
	registry *prometheus.Registry
}

func start(t testing.TB, c Config) *bridged {
	t.Helper()
	return startWith(t, c, heldBytes)
}

// startWith starts one that may hold so many bytes.
func startWith(t testing.TB, c Config, held int64) *bridged {
	t.Helper()
	return serving(t, c, held, holdTime)
}

// serving starts one that holds headers so long too.
func serving(t testing.TB, c Config, held int64, hold time.Duration) *bridged {
	t.Helper()
	b := &bridged{t: t, socket: filepath.Join(t.TempDir(), "s"), registry: prometheus.NewRegistry()}
	b.Bridge = newBridge(b.registry, slog.New(slog.DiscardHandler), held)
	b.holdTime = hold
	b.configure(c)
	l, err := net.Listen("unix", b.socket)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		if err := b.Serve(l); err != nil {
			t.Errorf("bridge: %v", err)
		}
	})
	t.Cleanup(func() {
		b.Close()
		done.Wait()
	})
	return b
}

func (b *bridged) configure(c Config) {
	b.t.Helper()
	if err := b.Configure(written(b.t, c)); err != nil {
		b.t.Fatal(err)
	}
}

func written(t testing.TB, c Config) []byte {
	t.Helper()
	c.Version = Version
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// count is a counter's value, summed over the labels that aren't named.
func (b *bridged) count(name string, labels map[string]string) int {
	b.t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "gatewright_bridge_"+name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if want, ok := labels[l.GetName()]; ok && want != l.GetValue() {
					continue metrics
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return int(sum)
}

func upstreamOf(t testing.TB, addresses ...string) Upstream {
	t.Helper()
	var u Upstream
	for _, a := range addresses {
		u.Endpoints = append(u.Endpoints, netip.MustParseAddrPort(a))
	}
	return u
}

// plain is a configuration with one action, "a", without policies.
func plain(t testing.TB, addresses ...string) Config {
	return with(t, Action{}, addresses...)
}

// with is one with one action that has policies.
func with(t testing.TB, a Action, addresses ...string) Config {
	t.Helper()
	a.Upstream = "u"
	return Config{Actions: map[string]Action{"a": a}, Upstreams: map[string]Upstream{"u": upstreamOf(t, addresses...)}}
}

// dial is a client of an address, "unix:…" for a bridge's socket.
func dial(t testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithAuthority("example"),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20))}, options...)
	c, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client is one that says what a proxy does.
func (b *bridged) client(more ...string) *grpc.ClientConn {
	return b.clientFor("a", more...)
}

func (b *bridged) clientFor(target string, more ...string) *grpc.ClientConn {
	b.t.Helper()
	words := append([]string{HeaderTarget, target}, more...)
	return dial(b.t, "unix:"+b.socket,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", b.socket)
		}),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker,
			opts ...grpc.CallOption) error {
			return invoke(metadata.AppendToOutgoingContext(ctx, words...), method, req, reply, cc, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer,
			opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return stream(metadata.AppendToOutgoingContext(ctx, words...), desc, cc, method, opts...)
		}))
}

func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// unary makes a call.
func unary(ctx context.Context, c *grpc.ClientConn, message []byte, options ...grpc.CallOption) ([]byte, error) {
	var out []byte
	err := c.Invoke(ctx, "/s/m", message, &out, options...)
	return out, err
}

var bidi = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

func stream(t testing.TB, ctx context.Context, c *grpc.ClientConn, options ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	s, err := c.NewStream(ctx, bidi, "/s/m", options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// echo answers each message with itself.
func echo(_ any, s grpc.ServerStream) error {
	for {
		var m []byte
		err := s.RecvMsg(&m)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = s.SendMsg(m)
		}
		if err != nil {
			return err
		}
	}
}

func wantCode(t testing.TB, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %s, want %s: %v", what, got, want, err)
	}
}

// await waits for something to become true.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s doesn't come", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// peerOf is who a call came from.
func peerOf(s grpc.ServerStream) string {
	p, ok := peer.FromContext(s.Context())
	if !ok {
		return ""
	}
	return p.Addr.String()
}
