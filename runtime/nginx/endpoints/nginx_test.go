package endpoints_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/test/harness"
)

// TestFlips changes endpoints under calls and streams, as fast as nginx takes the changes.
func TestFlips(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		var all []model.Endpoint
		for range 3 {
			_, e := s.backend()
			all = append(all, e)
		}
		sets := [][]model.Endpoint{{all[0], all[1]}, {all[1]}, {all[1], all[2]}, {all[0]}}
		s.apply(s.config(sets[0]), apply.Reloaded)
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.OK })
		l := s.load("/s0/M", 20, 20)
		l.barrier()
		var took []time.Duration
		for i := range 50 {
			next := sets[(i+1)%len(sets)]
			start := time.Now()
			s.apply(s.config(next), apply.Updated)
			applied := time.Now()
			took = append(took, applied.Sub(start))
			// What was applied holds for every call from now on.
			l.barrier()
			l.barrier()
			for _, e := range all {
				wanted := false
				for _, n := range next {
					wanted = wanted || n == e
				}
				if last := l.lastSeen(e); !wanted && last.After(applied.Add(20*time.Millisecond)) {
					t.Errorf("flip %d: %s was removed and took a call %v after that was confirmed", i, text(e), last.Sub(applied))
				}
			}
		}
		calls := l.end()
		t.Logf("50 flips, one as soon as the one before was taken: %d calls, 0 reloads; taken after %s", calls, percentiles(took))
	})
}

// TestSpeed measures how long it takes until a new endpoint has its first call. Each of many services changes
// once, at a random point of nginx's questions for it.
func TestSpeed(t *testing.T) {
	each(t, func(s *stand) {
		_, a := s.backend()
		_, b := s.backend()
		services := make([][]model.Endpoint, 25)
		for i := range services {
			services[i] = []model.Endpoint{a}
		}
		s.apply(s.config(services...), apply.Reloaded)
		var first []time.Duration
		for i := range services {
			// Not a wait for anything, but what makes the points random.
			pause := time.NewTimer(rand.N(500 * time.Millisecond))
			<-pause.C
			services[i] = []model.Endpoint{b}
			m := s.config(services...)
			took := make(chan time.Duration, 1)
			go func() {
				took <- s.until(fmt.Sprintf("/s%d/M", i), func(r harness.Reply) bool { return r.Echo.Endpoint == text(b) })
			}()
			s.apply(m, apply.Updated)
			first = append(first, <-took)
		}
		t.Logf("from a change to the first call that sees it: %s", percentiles(first))
	})
}

// TestKilled stops endpoints once their removal was confirmed and the calls of before are over.
func TestKilled(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		_, stays := s.backend()
		goes, going := s.backend()
		s.apply(s.config([]model.Endpoint{stays, going}), apply.Reloaded)
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.OK })
		l := s.load("/s0/M", 20, 0)
		for range 8 {
			l.barrier()
			s.apply(s.config([]model.Endpoint{stays}), apply.Updated)
			l.barrier()
			goes.Stop()
			l.barrier()
			goes, going = s.backend()
			s.apply(s.config([]model.Endpoint{stays, going}), apply.Updated)
		}
		t.Logf("8 endpoints stopped after their removal: %d calls", l.end())
	})
}

// TestEmpty: without endpoints calls fail at once, with a status that says why, and heal.
func TestEmpty(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		_, e := s.backend()
		s.apply(s.config([]model.Endpoint{e}), apply.Reloaded)
		ok := func(r harness.Reply) bool { return r.Code == codes.OK }
		s.until("/s0/M", ok)
		s.apply(s.config(nil), apply.Updated)
		// One worker has been told, and another may take a call before that one has read it.
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code != codes.OK })
		start := time.Now()
		r := s.clients[0].Do(s.call("/s0/M"))
		took := time.Since(start)
		if r.Code != codes.Unavailable || !r.FromServer() ||
			r.Message != "GRPCRoute ns/route rule 0: no endpoint of Service ns/s0000 port 80 took the call" {
			t.Errorf("without endpoints: %s %q", r.Code, r.Message)
		}
		healed := time.Now()
		s.apply(s.config([]model.Endpoint{e}), apply.Updated)
		s.until("/s0/M", ok)
		t.Logf("UNAVAILABLE after %v; healed after %v", took, time.Since(healed))
	})
}

// TestServerGone: nginx keeps what it knows while nobody answers, and learns what has changed afterwards.
func TestServerGone(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		_, a := s.backend()
		_, b := s.backend()
		s.apply(s.config([]model.Endpoint{a}), apply.Reloaded)
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.OK })
		address := s.server.Address()
		if err := s.server.Close(); err != nil {
			t.Fatal(err)
		}
		l := s.load("/s0/M", 10, 5)
		// As long as a restart of gatewright may take: two of nginx's questions get no answer.
		gone := time.NewTimer(4 * time.Second)
		<-gone.C
		s.listen()
		if s.server.Address() != address {
			t.Fatalf("the server came back at %s, not %s", s.server.Address(), address)
		}
		start := time.Now()
		// As after a restart, it isn't known what nginx serves.
		out := s.apply(s.config([]model.Endpoint{b}), apply.Unchanged)
		l.waitFor("a call at the new endpoint", func() bool { return l.lastSeen(b).After(start) })
		t.Logf("after 4 s without a server: new endpoints used after %v, %d calls, generation %.8s", l.lastSeen(b).Sub(start), l.end(),
			out.Generation)
	})
}

// TestRestart: an nginx that is started again asks for everything.
func TestRestart(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		_, a := s.backend()
		_, b := s.backend()
		ok := func(r harness.Reply) bool { return r.Code == codes.OK }
		s.apply(s.config([]model.Endpoint{a}), apply.Reloaded)
		s.until("/s0/M", ok)
		s.apply(s.config([]model.Endpoint{b}), apply.Updated)
		s.stopNginx()
		start := time.Now()
		s.startNginx()
		r := s.until("/s0/M", ok)
		t.Logf("the first good call after a start: %v (%v after the process answered)", time.Since(start), r)
		if got := s.clients[0].Do(s.call("/s0/M")).Echo.Endpoint; got != text(b) {
			t.Errorf("after the start %s answers, want %s", got, text(b))
		}
		// And again when gatewright has started too and can't know the endpoints yet: it tells those of before.
		s.stopNginx()
		if err := s.server.Close(); err != nil {
			t.Fatal(err)
		}
		s.listen()
		s.startNginx()
		s.until("/s0/M", ok)
		if got := s.clients[0].Do(s.call("/s0/M")).Echo.Endpoint; got != text(b) {
			t.Errorf("before gatewright knows the endpoints %s answers, want %s", got, text(b))
		}
		start = time.Now()
		s.apply(s.config([]model.Endpoint{a}), apply.Unchanged)
		s.until("/s0/M", func(r harness.Reply) bool { return r.Echo.Endpoint == text(a) })
		t.Logf("the first call at the new endpoint after it was known: %v", time.Since(start))
	})
}

// TestStartedAlone: an nginx that was started while nobody answered has no endpoints and asks again only after five
// seconds. gatewright, when it comes, lets other workers ask at once, and once only.
func TestStartedAlone(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		_, a := s.backend()
		config := s.config([]model.Endpoint{a})
		s.apply(config, apply.Reloaded)
		s.stopNginx()
		if err := s.server.Close(); err != nil {
			t.Fatal(err)
		}
		s.openNginx()
		if err := s.nginx.Start(context.Background(), s.store.Generation()); err != nil {
			t.Fatal(err)
		}
		// It may answer a call before it has asked.
		harness.Until(t, "ask nobody", 10*time.Second, func() error {
			said, err := os.ReadFile(filepath.Join(s.state, "nginx.log"))
			if err == nil && !strings.Contains(string(said), "while resolving") {
				err = errors.New("nginx hasn't said that nobody answers")
			}
			return err
		}, func() string { return "" })
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.Unavailable })
		s.listen()
		s.apply(config, apply.Reloaded)
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.OK })
		if err := s.server.Close(); err != nil {
			t.Fatal(err)
		}
		s.listen()
		s.apply(config, apply.Unchanged)
	})
}

// TestAddresses: IPv6, several ports, and a list that takes TCP.
func TestAddresses(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		b := harness.NewBackends(s)
		var many []model.Endpoint
		for i := range 300 {
			e := model.Endpoint{Address: harness.Address(s), Port: port + int32(i%2)}
			b.Listen("ns/s", e.Address, e.Port)
			many = append(many, e)
		}
		six := model.Endpoint{Address: "::1", Port: freePort(t)}
		b.Listen("ns/s", six.Address, six.Port)
		s.apply(s.config([]model.Endpoint{six}), apply.Reloaded)
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.OK && r.Echo.Endpoint == text(six) })
		s.apply(s.config(append(many, six)), apply.Updated)
		seen := map[string]bool{}
		for range 2 * (len(many) + 1) {
			r := s.clients[0].Do(s.call("/s0/M"))
			if r.Code != codes.OK {
				s.Fatalf("%s %s", r.Code, r.Message)
			}
			seen[r.Echo.Endpoint] = true
		}
		if len(seen) != len(many)+1 {
			s.Errorf("%d of %d endpoints have answered", len(seen), len(many)+1)
		}
	})
}

// TestReloads: a reload keeps what nginx knows, and what changes with it is told.
func TestReloads(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		_, a := s.backend()
		_, b := s.backend()
		s.apply(s.config([]model.Endpoint{a}), apply.Reloaded)
		s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.OK })
		l := s.load("/s0/M", 20, 20)
		l.barrier()
		for i := range 10 {
			m := s.config([]model.Endpoint{a}, []model.Endpoint{b})
			if i%2 == 1 {
				m = s.config([]model.Endpoint{a, b})
			}
			if out := s.apply(m, apply.Reloaded); out.Cause != "services" {
				t.Errorf("the cause is %q: %s", out.Cause, out.Reason)
			}
			l.barrier()
		}
		t.Logf("10 reloads with other endpoints: %d calls", l.end())
	})
}

// TestNewServices: a route to a Service that nginx has never seen goes from UNIMPLEMENTED to OK with nothing between,
// however many Services there are, and whenever the client has connected.
func TestNewServices(t *testing.T) {
	each(t, func(s *stand) {
		_, e := s.backend()
		services := make([][]model.Endpoint, 300)
		for i := range services {
			services[i] = []model.Endpoint{e}
		}
		s.apply(s.config(services...), apply.Reloaded)
		var calls, sentOn atomic.Int64
		for range 10 {
			path := fmt.Sprintf("/s%d/M", len(services))
			done := make(chan struct{})
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					pause := time.NewTicker(callerPause / 2)
					defer pause.Stop()
					for {
						client, end := s.clients[i], func() {}
						if i%2 == 1 {
							client = harness.NewClient(s)
							end = client.Close
						}
						r := client.Do(s.call(path))
						end()
						calls.Add(1)
						switch {
						case r.Code == codes.OK || r.Code == codes.Unimplemented:
						case harness.SentOn(s.binary, r):
							sentOn.Add(1)
						default:
							t.Errorf("%s: %s %s", path, r.Code, r.Message)
						}
						select {
						case <-done:
							return
						case <-pause.C:
						}
					}
				})
			}
			services = append(services, []model.Endpoint{e})
			m := s.config(services...)
			out := s.apply(m, apply.Reloaded)
			s.until(path, func(r harness.Reply) bool { return r.Code == codes.OK })
			// nginx knows the endpoints by now: they go out of its files.
			s.apply(m, apply.Reloaded)
			s.apply(m, apply.Unchanged)
			close(done)
			callers.Wait()
			t.Logf("applied in %v", out.Took)
		}
		t.Logf("10 new Services beside 300: %d calls, sent on twice: %d", calls.Load(), sentOn.Load())
		if sentOn.Load() > calls.Load()/1000 {
			t.Error("the calls were disturbed")
		}
	})
}

// TestFinish: the files name the endpoints of a new Service only until nginx has learnt them, without anybody's doing.
func TestFinish(t *testing.T) {
	t.Parallel()
	each(t, func(s *stand) {
		_, e := s.backend()
		s.apply(s.config([]model.Endpoint{e}), apply.Reloaded)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		job := apply.Job{Model: s.config([]model.Endpoint{e}, []model.Endpoint{e}), Capabilities: s.binary.Capabilities}
		served := make(chan bool, 10)
		job.Report = func(apply.Outcome) { served <- s.listed(e) }
		running.Go(func() { s.applier.Run(ctx, func(context.Context) (apply.Job, bool) { return job, true }) })
		s.applier.Mark()
		for _, want := range []bool{true, false} {
			select {
			case listed := <-served:
				if listed != want {
					t.Errorf("the files name the endpoint: %v, want %v", listed, want)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("nothing is applied")
			}
			s.until("/s1/M", func(r harness.Reply) bool { return r.Code == codes.OK })
		}
	})
}

// listed says whether nginx's files name an endpoint.
func (s *stand) listed(e model.Endpoint) bool {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(s.store.Current(), "*"))
	if err != nil || len(files) == 0 {
		s.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			s.Fatal(err)
		}
		if strings.Contains(string(content), "server "+text(e)) {
			return true
		}
	}
	return false
}
