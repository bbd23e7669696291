package endpoints_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	nginxfiles "github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/nginx"
	"github.com/gatewright/gatewright/runtime/nginx/endpoints"
	"github.com/gatewright/gatewright/test/harness"
)

// port is where the listener and all backends are, each at addresses of its own.
const port = 7000

// stand is an nginx that asks for endpoints, and all that changes them.
type stand struct {
	testing.TB
	binary  harness.Proxy
	state   string
	address string
	store   *apply.Store
	server  *endpoints.Server
	nginx   *nginx.Proxy
	proxy   *endpoints.Proxy
	applier *apply.Applier
	clients []*harness.Client
}

// open starts a stand for each nginx that has the feature, and fails when there is none.
func each(t *testing.T, f func(s *stand)) {
	found := false
	for _, p := range harness.Proxies(t) {
		if p.Name != "nginx" || !p.Capabilities.Has(model.FeatureResolve) {
			continue
		}
		found = true
		t.Run(p.String(), func(t *testing.T) { f(open(t, p)) })
	}
	if !found {
		t.Fatal("no nginx here can ask for endpoints: it takes 1.27.3 or later")
	}
}

func open(t testing.TB, binary harness.Proxy) *stand {
	s := &stand{TB: t, binary: binary, state: harness.TempDir(t), address: harness.Address(t)}
	var err error
	if s.store, err = apply.OpenStore(s.state, 3); err != nil {
		t.Fatal(err)
	}
	s.openNginx()
	s.listen()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.proxy.Shutdown(ctx), s.proxy.Close(), s.store.Close()); err != nil {
			t.Error(err)
		}
	})
	for range 8 {
		s.clients = append(s.clients, harness.NewClient(t))
	}
	return s
}

func (s *stand) openNginx() {
	s.Helper()
	var err error
	s.nginx, err = nginx.New(nginx.Options{
		Binary: s.binary.Binary, Prefix: s.state, Config: filepath.Join(s.store.Current(), "nginx.conf"),
		Marker: s.marker(), Timeout: 20 * time.Second, Log: s.log(), Errors: s.Output(),
	})
	if err != nil {
		s.Fatal(err)
	}
}

// listen starts what a start of gatewright starts.
func (s *stand) listen() {
	s.Helper()
	var err error
	if s.server, err = endpoints.ListenStable(s.state, s.log()); err != nil {
		s.Fatal(err)
	}
	s.join()
}

// join makes what brings configurations to the nginx and the server that are there.
func (s *stand) join() {
	s.proxy = endpoints.New(s.nginx, s.server)
	generator := nginxfiles.New(generators.Options{Marker: s.marker(), Resolver: s.server.Address()})
	s.applier = apply.New(apply.Options{Proxy: s.proxy, Hooks: s.proxy.Hooks(), Store: s.store, Render: generator.Render, Log: s.log()})
}

func (s *stand) marker() string { return filepath.Join(s.state, "nginx.sock") }

func (s *stand) log() *slog.Logger { return slog.New(slog.NewTextHandler(s.Output(), nil)) }

// config is a model with a route to a service for each list of endpoints: /s0/M, /s1/M and so on.
func (s *stand) config(services ...[]model.Endpoint) model.Gateways {
	var rules []*model.Rule
	var clusters []model.Cluster
	for i, e := range services {
		name := fmt.Sprintf("s%04d", i)
		c := model.Cluster{Name: "ns/" + name + "/80", Namespace: "ns", Service: name, Port: 80, Endpoints: e}
		clusters = append(clusters, c)
		rules = append(rules, &model.Rule{
			Source:   model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "route", Rule: i},
			Matches:  []model.Match{{Path: model.Path{Kind: model.ServicePath, Service: "s" + strconv.Itoa(i)}}},
			Backends: []model.Backend{{Weight: 1, Cluster: c.Name}},
		})
	}
	return model.Gateways{Clusters: clusters, Gateways: []model.Gateway{{
		Namespace: "ns", Name: "gw", Addresses: []string{s.address},
		Listeners: []model.Listener{{Name: "http", Port: port, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}}},
	}}}
}

// apply serves a model, and fails unless it goes the way that is wanted.
func (s *stand) apply(m model.Gateways, want apply.Way) apply.Outcome {
	s.Helper()
	out := s.applier.Apply(context.Background(), apply.Job{Model: m, Capabilities: s.binary.Capabilities})
	if out.Err != nil || out.Way != want {
		s.Fatalf("applied by %q, want %q: %v (%s)", out.Way, want, out.Err, out.Reason)
	}
	return out
}

// backend starts a server and returns its endpoint.
func (s *stand) backend() (*harness.Backends, model.Endpoint) {
	s.Helper()
	b, address := harness.NewBackends(s), harness.Address(s)
	b.Listen("ns/s", address, port)
	return b, model.Endpoint{Address: address, Port: port}
}

func text(e model.Endpoint) string { return net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port))) }

func (s *stand) call(path string) harness.Call {
	return harness.Call{Address: net.JoinHostPort(s.address, strconv.Itoa(port)), Authority: "x.example", Path: path}
}

// until calls a path until the reply is good, and returns how long that took.
func (s *stand) until(path string, good func(harness.Reply) bool) time.Duration {
	s.Helper()
	start := time.Now()
	for {
		r := s.clients[0].Do(s.call(path))
		if good(r) {
			return time.Since(start)
		}
		if time.Since(start) > 20*time.Second {
			s.Fatalf("%s still gets %s %q from %s", path, r.Code, r.Message, r.Echo.Endpoint)
		}
	}
}

// load is callers that go on until stop.
type load struct {
	*stand
	done     chan struct{}
	running  sync.WaitGroup
	counts   []atomic.Int64
	dead     atomic.Int64
	crossed  atomic.Int64 // calls that harness.Crossed tells
	sentOn   atomic.Int64 // calls that harness.SentOn tells
	mu       sync.Mutex
	failures map[string]int
	// seen is when an endpoint answered a call that began after it was forgotten last.
	seen map[string]time.Time
}

// call starts callers, each with one call after the other, and streams that exchange messages.
func (s *stand) load(path string, callers, streams int) *load {
	l := &load{stand: s, done: make(chan struct{}), counts: make([]atomic.Int64, callers), failures: map[string]int{},
		seen: map[string]time.Time{}}
	for i := range callers {
		l.running.Go(func() { l.caller(s.clients[i%len(s.clients)], path, &l.counts[i]) })
	}
	for i := range streams {
		l.running.Go(func() {
			if err := l.stream(s.clients[i%len(s.clients)], path); err != nil {
				l.dead.Add(1)
				l.failed("stream: " + err.Error())
			}
		})
	}
	l.Cleanup(l.stop)
	return l
}

// callerPause is how long a caller waits between two calls: twenty make a thousand calls a second, and leave nginx room for
// what it is told meanwhile.
const callerPause = 20 * time.Millisecond

func (l *load) caller(client *harness.Client, path string, count *atomic.Int64) {
	pause := time.NewTicker(callerPause)
	defer pause.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-pause.C:
		}
		start := time.Now()
		r := client.Do(l.stand.call(path))
		switch {
		case r.Code == codes.OK:
		case harness.Crossed(l.binary, r):
			l.crossed.Add(1)
		case harness.SentOn(l.binary, r):
			l.sentOn.Add(1)
		default:
			l.failed(fmt.Sprintf("%s %s", r.Code, r.Message))
		}
		count.Add(1)
		l.mu.Lock()
		if l.seen[r.Echo.Endpoint].Before(start) {
			l.seen[r.Echo.Endpoint] = start
		}
		l.mu.Unlock()
	}
}

func (l *load) stream(client *harness.Client, path string) error {
	call := l.stand.call(path)
	call.Timeout = time.Hour
	call.Metadata = metadata.Pairs(harness.AskMode, harness.ModeSame)
	stream, err := client.Stream(call)
	if err != nil {
		return err
	}
	defer stream.Close()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		if err := stream.Send([]byte("x")); err != nil {
			return err
		}
		if _, err := stream.Receive(); err != nil {
			return err
		}
		select {
		case <-l.done:
			return nil
		case <-pause.C:
		}
	}
}

func (l *load) failed(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[why]++
}

// lastSeen is when the last call began that an endpoint has answered.
func (l *load) lastSeen(e model.Endpoint) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[text(e)]
}

// waitFor returns when a condition holds; the callers go on meanwhile.
func (l *load) waitFor(what string, holds func() bool) {
	l.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if <-tick.C; time.Now().After(deadline) {
			l.Fatalf("still not: %s", what)
		}
	}
}

// barrier returns when all calls that have begun are over.
func (l *load) barrier() {
	l.Helper()
	before := make([]int64, len(l.counts))
	for i := range l.counts {
		before[i] = l.counts[i].Load()
	}
	l.waitFor("a call of every caller", func() bool {
		for i := range l.counts {
			if l.counts[i].Load() == before[i] {
				return false
			}
		}
		return true
	})
}

func (l *load) stop() {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	l.running.Wait()
}

// end stops the load and fails the test when a call failed or a stream died. It returns the number of calls.
func (l *load) end() (calls int64) {
	l.Helper()
	l.stop()
	for i := range l.counts {
		calls += l.counts[i].Load()
	}
	if n := l.crossed.Load(); n > 0 {
		l.Logf("%d of %d calls crossed a change", n, calls)
	}
	if n := l.crossed.Load(); n > harness.MostCrossed {
		l.Errorf("%d calls were given up", n)
	}
	if n := l.sentOn.Load(); n > 0 {
		l.Logf("%d of %d calls were sent on twice", n, calls)
	}
	// All calls on a connection have the same fate: those of one.
	if n := l.sentOn.Load(); n > int64(len(l.counts)/len(l.clients)+1) {
		l.Errorf("%d calls were sent on twice", n)
	}
	for why, n := range l.failures {
		l.Errorf("%d of %d calls: %s", n, calls, why)
	}
	if n := l.dead.Load(); n > 0 {
		l.Errorf("%d streams died", n)
	}
	return calls
}

// percentiles are for people to read.
func percentiles(times []time.Duration) string {
	slices.Sort(times)
	at := func(p int) time.Duration { return times[(len(times)-1)*p/100].Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, max %v of %d", at(50), at(90), at(99), at(100), len(times))
}

// stopNginx ends nginx; startNginx starts it with what is on disk.
func (s *stand) stopNginx() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(s.nginx.Shutdown(ctx), s.nginx.Close()); err != nil {
		s.Fatal(err)
	}
}

func (s *stand) startNginx() {
	s.Helper()
	s.openNginx()
	s.join()
	if err := s.proxy.Start(context.Background(), s.store.Generation()); err != nil {
		s.Fatal(err)
	}
}

// freePort is a port of ::1 that nobody listens at.
func freePort(t testing.TB) int32 {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // It was only to find the port.
	return int32(l.Addr().(*net.TCPAddr).Port)
}
