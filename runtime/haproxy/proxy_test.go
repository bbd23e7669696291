package haproxy_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	haproxyfiles "github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/haproxy"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// stand is an HAProxy with a state folder.
type stand struct {
	*testing.T
	binary  harness.Proxy
	state   string
	store   *apply.Store
	proxy   *haproxy.Proxy
	address string
	lost    chan struct{}
}

func each(t *testing.T, f func(s *stand)) {
	for _, p := range harness.Proxies(t) {
		if p.Name != "haproxy" {
			continue
		}
		t.Run(p.String(), func(t *testing.T) {
			s := &stand{T: t, binary: p, state: harness.TempDir(t), address: harness.Address(t), lost: make(chan struct{}, 10)}
			var err error
			if s.store, err = apply.OpenStore(s.state, 3); err != nil {
				t.Fatal(err)
			}
			s.open()
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				if err := errors.Join(s.proxy.Shutdown(ctx), s.proxy.Close(), s.store.Close()); err != nil {
					t.Error(err)
				}
			})
			f(s)
		})
	}
}

func (s *stand) marker() string { return filepath.Join(s.state, "haproxy.sock") }

func (s *stand) open() {
	s.Helper()
	proxy, err := haproxy.New(haproxy.Options{
		Binary: s.binary.Binary, State: s.state, Config: filepath.Join(s.store.Current(), "haproxy.cfg"),
		Marker: s.marker(), Timeout: 10 * time.Second, Log: slog.New(slog.NewTextHandler(s.Output(), nil)), Lost: func() { s.lost <- struct{}{} },
	})
	if err != nil {
		s.Fatal(err)
	}
	s.proxy = proxy
}

// put stages and switches to a configuration that listens at ports, and returns its generation.
func (s *stand) put(ports ...int32) string {
	s.Helper()
	g := model.Gateway{Namespace: "ns", Name: "gw", Addresses: []string{s.address}}
	for _, port := range ports {
		g.Listeners = append(g.Listeners, model.Listener{Name: "p" + strconv.Itoa(int(port)), Port: port, Protocol: model.HTTP})
	}
	files, err := haproxyfiles.New(generators.Options{Marker: s.marker()}).Render(model.Gateways{Gateways: []model.Gateway{g}},
		s.binary.Capabilities)
	if err != nil {
		s.Fatal(err)
	}
	generation, err := s.proxy.Generation(files)
	if err != nil {
		s.Fatal(err)
	}
	dir, err := s.store.Stage(generation, files)
	if err == nil {
		err = s.proxy.Validate(context.Background(), dir)
	}
	if err == nil {
		err = s.store.Switch(generation)
	}
	if err != nil {
		s.Fatal(err)
	}
	return generation
}

func (s *stand) serve(ports ...int32) string {
	s.Helper()
	generation := s.put(ports...)
	start := time.Now()
	if err := s.proxy.Reload(context.Background(), s.store.Current(), generation); err != nil {
		s.Fatal(err)
	}
	s.Logf("served after %s", time.Since(start))
	s.answers(generation)
	return generation
}

func (s *stand) answers(generation string) {
	s.Helper()
	if running, err := s.proxy.Running(context.Background()); running != generation || err != nil {
		s.Errorf("running %q, %v; want %q", running, err, generation)
	}
}

func (s *stand) master() int {
	s.Helper()
	id, err := process.Named(filepath.Join(s.state, "haproxy.pid"))
	if err != nil {
		s.Fatal(err)
	}
	return id.PID
}

func (s *stand) kill(pid int) {
	s.Helper()
	id, err := process.Identify(pid)
	if err == nil {
		err = errors.Join(id.Signal(unix.SIGKILL), process.Wait(context.Background(), id))
	}
	if err != nil {
		s.Fatal(err)
	}
}

func TestReload(t *testing.T) {
	each(t, func(s *stand) {
		s.serve(8080)
		pid := s.master()
		last := s.serve(8080, 8081)
		if s.master() != pid {
			s.Errorf("the master changed")
		}
		// A port that is taken passes HAProxy's own check.
		l, err := net.Listen("tcp", net.JoinHostPort(s.address, "8082"))
		if err != nil {
			s.Fatal(err)
		}
		generation := s.put(8080, 8082)
		start := time.Now()
		err = s.proxy.Reload(context.Background(), s.store.Current(), generation)
		if err == nil || !strings.Contains(err.Error(), "8082") || !strings.Contains(err.Error(), "Address already in use") {
			s.Errorf("a taken port: %v", err)
		}
		s.Logf("a taken port was found out after %s", time.Since(start))
		s.answers(last)
		if err := l.Close(); err != nil {
			s.Fatal(err)
		}
		if err := s.proxy.Reload(context.Background(), s.store.Current(), generation); err != nil {
			s.Errorf("the port is free again: %v", err)
		}
		s.answers(generation)
	})
}

// TestJoin reloads an HAProxy that somebody else runs, by its master socket and by its pid file.
func TestJoin(t *testing.T) {
	each(t, func(s *stand) {
		s.serve(8080)
		for _, join := range []string{"haproxy-master.sock", "haproxy.pid"} {
			joined, err := haproxy.New(haproxy.Options{
				Binary: s.binary.Binary, State: s.state, Config: filepath.Join(s.store.Current(), "haproxy.cfg"),
				Marker: s.marker(), Join: filepath.Join(s.state, join), Timeout: 10 * time.Second,
			})
			if err != nil {
				s.Fatal(err)
			}
			generation := s.put(8080, int32(8081+len(join)))
			if err := joined.Reload(context.Background(), s.store.Current(), generation); err != nil {
				s.Errorf("%s: %v", join, err)
			}
			s.answers(generation)
		}
	})
}

func TestRefusal(t *testing.T) {
	each(t, func(s *stand) {
		dir := harness.TempDir(s)
		if err := os.WriteFile(filepath.Join(dir, "haproxy.cfg"), []byte("defaults\n  mode http\n  nonsense on\n"), 0o600); err != nil {
			s.Fatal(err)
		}
		err := s.proxy.Validate(context.Background(), dir)
		var refusal *apply.Refusal
		if !errors.As(err, &refusal) {
			s.Fatalf("%v", err)
		}
		if !strings.HasPrefix(refusal.Message, "HAProxy: config : parsing ["+dir+"/haproxy.cfg:3] : unknown keyword 'nonsense'") {
			s.Errorf("it says %q", refusal.Message)
		}
	})
}

func TestKills(t *testing.T) {
	each(t, func(s *stand) {
		generation := s.serve(8080)
		wait := func(what string) {
			s.Helper()
			select {
			case <-s.lost:
			case <-time.After(20 * time.Second):
				s.Fatalf("%s: HAProxy was not started again", what)
			}
			s.answers(generation)
		}
		start := time.Now()
		s.kill(s.master())
		wait("master")
		s.Logf("the master was back after %s", time.Since(start))
		start = time.Now()
		// HAProxy ends when one of its workers is killed.
		s.kill(process.Children(s.master())[0])
		wait("worker")
		s.Logf("after a worker it was back after %s", time.Since(start))

		// gatewright is gone, HAProxy runs on: the next one takes it over.
		pid := s.master()
		if err := s.proxy.Close(); err != nil {
			s.Fatal(err)
		}
		s.open()
		s.answers(generation)
		generation = s.serve(8080, 8081)
		if s.master() != pid {
			s.Errorf("a second HAProxy was started beside the running one")
		}

		// Both are gone.
		if err := s.proxy.Close(); err != nil {
			s.Fatal(err)
		}
		s.kill(pid)
		s.open()
		if err := s.proxy.Start(context.Background(), generation); err != nil {
			s.Fatal(err)
		}
		s.answers(generation)
	})
}
