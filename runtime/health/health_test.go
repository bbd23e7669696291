package health

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// server is a gRPC server with the health protocol, or without.
func server(t *testing.T, h *grpchealth.Server) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	if h != nil {
		grpc_health_v1.RegisterHealthServer(s, h)
	}
	go func() { _ = s.Serve(l) }() // It ends with Stop.
	t.Cleanup(s.Stop)
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // It was only held to have a number.
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestCheck(t *testing.T) {
	h := grpchealth.NewServer()
	h.SetServingStatus("good", grpc_health_v1.HealthCheckResponse_SERVING)
	h.SetServingStatus("bad", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	well := server(t, h)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	page := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})}
	go func() { _ = page.Serve(l) }() // It ends with Close.
	t.Cleanup(func() { _ = page.Close() })
	client := newTransport()
	for _, x := range []struct {
		name    string
		at      netip.AddrPort
		service string
		want    string
	}{
		{"all of a server", well, "", ""},
		{"a service", well, "good", ""},
		{"a service that isn't well", well, "bad", "NOT_SERVING"},
		{"an unknown service", well, strings.Repeat("x", 200), `grpc-status "5": "unknown service"`},
		{"without the protocol", server(t, nil), "", ""},
		{"nobody", nobody(t), "", "refused"},
		{"no gRPC", l.Addr().(*net.TCPAddr).AddrPort(), "", "HTTP 200, which isn't gRPC"},
	} {
		t.Run(x.name, func(t *testing.T) {
			err := check(t.Context(), client, x.at, x.service)
			if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	for _, x := range []struct{ message, want string }{
		{"\x08\x01", ""},
		{"", "UNKNOWN"},
		{"\x08\x02", "NOT_SERVING"},
		{"\x08\x09", "status 9"},
		{"\x08\x02\x08\x01", ""}, // The last one counts.
		{"\x12\x01a\x08\x01", ""},
		{"\x12\x09a", "HealthCheckResponse"},
		{"\x08", "HealthCheckResponse"},
		{"\x0d\x00\x00\x00\x01", "HealthCheckResponse"},
	} {
		body := "\x00\x00\x00\x00" + string(rune(len(x.message))) + x.message
		if err := read([]byte(body)); (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%q: %v, want %q", x.message, err, x.want)
		}
	}
	for _, body := range []string{"", "\x00\x00\x00\x00", "\x01\x00\x00\x00\x02\x08\x01", "\x00\x00\x00\x00\x03\x08\x01"} {
		if read([]byte(body)) == nil {
			t.Errorf("%q is taken for well", body)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x05\x12\x01a\x08\x01"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := read(body); err == nil && len(body) < 7 {
			t.Errorf("%q is taken for well", body)
		}
	})
}

// world is a watcher with its model.
type world struct {
	*Watcher
	model   model.Gateways
	changed chan struct{}
}

// watch starts a Watcher for a cluster with these endpoints.
func watch(t *testing.T, check model.HealthCheck, endpoints ...netip.AddrPort) *world {
	t.Helper()
	w := &world{changed: make(chan struct{}, 1)}
	c := model.Cluster{Name: "c", Health: &check}
	for _, e := range endpoints {
		c.Endpoints = append(c.Endpoints, model.Endpoint{Address: e.Addr().String(), Port: int32(e.Port())})
	}
	w.model.Clusters = []model.Cluster{{Name: "other", Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: 1}}}, c}
	w.Watcher = New(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), func() {
		select {
		case w.changed <- struct{}{}:
		default: // Somebody is about to look.
		}
	})
	run(t, w.Watcher)
	return w
}

// run has a Watcher ask until the test ends.
func run(t *testing.T, w *Watcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// wants waits until so many endpoints are left.
func (w *world) wants(t *testing.T, n int) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		m := w.Of(w.model)
		if len(m.Clusters[1].Endpoints) == n {
			return
		}
		select {
		case <-w.changed:
		case <-late:
			t.Fatalf("%d endpoints are left, want %d", len(m.Clusters[1].Endpoints), n)
		}
	}
}

var often = model.HealthCheck{Interval: 10 * time.Millisecond, Timeout: time.Second, Unhealthy: 2, Healthy: 2}

// TestWatcher: endpoints that aren't well are left out until they are again, but never all, and the model that was given stays as it
// is.
func TestWatcher(t *testing.T) {
	one, two := grpchealth.NewServer(), grpchealth.NewServer()
	w := watch(t, often, server(t, one), server(t, two), nobody(t))
	if n := len(w.Of(w.model).Clusters[1].Endpoints); n != 3 {
		t.Errorf("%d endpoints at first, want all", n)
	}
	w.wants(t, 2)
	two.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	w.wants(t, 1)
	if got := w.count(true); got != 2 {
		t.Errorf("%v endpoints are ill, want 2", got)
	}
	two.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	w.wants(t, 2)
	one.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	w.wants(t, 1)
	two.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	w.wants(t, 3)
	if len(w.model.Clusters[1].Endpoints) != 3 || len(w.Of(w.model).Clusters[0].Endpoints) != 1 {
		t.Error("the model that was given has changed, or a cluster without a check")
	}
	// What no model has is asked no more.
	w.Of(model.Gateways{})
	if n := w.count(false) + w.count(true); n != 0 {
		t.Errorf("%v endpoints are asked for nobody", n)
	}
}

// TestPause: many endpoints of a namespace are asked less often, and no other namespace's are.
func TestPause(t *testing.T) {
	w := New(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), func() {})
	at := func(namespace string, i int) place {
		return place{namespace, netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(i)), model.HealthCheck{Interval: time.Second}}
	}
	w.add(at("few", 1))
	for i := range 5000 {
		w.add(at("many", i))
	}
	for range 100 {
		if d := w.pause(at("few", 1)); d < 900*time.Millisecond || d > 1100*time.Millisecond {
			t.Fatalf("a pause of %s", d)
		}
	}
	if d := w.pause(at("many", 1)); d < 45*time.Second {
		t.Errorf("each of 5,000 endpoints is asked every %s", d)
	}
}

// TestOpen: of many endpoints that don't answer only so many are asked at a time, and another namespace's are asked all the same.
func TestOpen(t *testing.T) {
	var open, most atomic.Int64
	asked := make(chan struct{}, 1)
	w := New(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), func() {})
	w.ask = func(ctx context.Context, _ netip.AddrPort, service string) error {
		if service == "few" {
			select {
			case asked <- struct{}{}:
			default:
			}
			return nil
		}
		most.Store(max(most.Load(), open.Add(1)))
		defer open.Add(-1)
		<-ctx.Done()
		return ctx.Err()
	}
	check := model.HealthCheck{Interval: time.Millisecond, Timeout: time.Minute, Unhealthy: 1, Healthy: 1}
	many := model.Cluster{Namespace: "many", Health: &check}
	for i := range 5 * mostOpen {
		many.Endpoints = append(many.Endpoints, model.Endpoint{Address: "192.0.2.1", Port: int32(i + 1)})
	}
	other := check
	other.Service, other.Interval = "few", time.Second
	w.Of(model.Gateways{Clusters: []model.Cluster{many,
		{Namespace: "few", Health: &other, Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: 1}}}}})
	run(t, w)
	harness.Until(t, "ask as many as it may", time.Minute, func() error {
		if n := most.Load(); n != mostOpen {
			return fmt.Errorf("%d at a time", n)
		}
		return nil
	}, func() string { return "" })
	<-asked
	if n := most.Load(); n != mostOpen {
		t.Errorf("%d are asked at a time", n)
	}
}

// TestLearn: only so many in a row count.
func TestLearn(t *testing.T) {
	w := New(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), func() {})
	p := place{check: model.HealthCheck{Unhealthy: 3, Healthy: 2}}
	known := w.add(p)
	for i, x := range []struct{ bad, ill bool }{
		{true, false}, {true, false}, {false, false}, {true, false}, {true, false}, {true, true}, // three in a row
		{false, true}, {true, true}, {false, true}, {false, false}, {true, false},
	} {
		var err error
		if x.bad {
			err = fmt.Errorf("bad")
		}
		if w.learn(p, known, err); known.ill != x.ill {
			t.Fatalf("after check %d ill is %v", i, known.ill)
		}
	}
}
