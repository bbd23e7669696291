package nginx_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	nginxfiles "github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/nginx"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// stand is an nginx with a state folder.
type stand struct {
	*testing.T
	binary  harness.Proxy
	state   string
	store   *apply.Store
	proxy   *nginx.Proxy
	address string
	lost    chan struct{}
	// edit changes files before they are put; nil for not.
	edit func([]generators.File)
}

func each(t *testing.T, f func(s *stand)) {
	for _, p := range harness.Proxies(t) {
		if p.Name != "nginx" {
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

func (s *stand) marker() string { return filepath.Join(s.state, "nginx.sock") }

func (s *stand) open() {
	s.Helper()
	proxy, err := nginx.New(nginx.Options{
		Binary: s.binary.Binary, Prefix: s.state, Config: filepath.Join(s.store.Current(), "nginx.conf"),
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
	files, err := nginxfiles.New(generators.Options{Marker: s.marker()}).Render(model.Gateways{Gateways: []model.Gateway{g}},
		s.binary.Capabilities)
	if err != nil {
		s.Fatal(err)
	}
	if s.edit != nil {
		s.edit(files)
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
	if err := s.proxy.Reload(context.Background(), s.store.Current(), generation); err != nil {
		s.Fatal(err)
	}
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
	id, err := process.Named(filepath.Join(s.state, "nginx.pid"))
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

// TestLateConnection: a connection that was accepted before a reload and speaks HTTP/2 after it only stays with the
// worker of before for as long as the configuration lets connections live.
func TestLateConnection(t *testing.T) {
	each(t, func(s *stand) {
		short := func(files []generators.File) {
			for i := range files {
				files[i].Data = bytes.ReplaceAll(files[i].Data, []byte("keepalive_time 1m;"), []byte("keepalive_time 1s;"))
			}
		}
		s.edit = short
		s.serve(8080)
		conn, err := net.Dial("tcp", net.JoinHostPort(s.address, "8080"))
		if err != nil {
			s.Fatal(err)
		}
		s.serve(8080, 8081)
		//lint:ignore SA1019 the connection is there already, and net/http's transport makes its own
		client, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(conn)
		if err != nil {
			s.Fatal(err)
		}
		defer client.Close()
		deadline := time.Now().Add(20 * time.Second)
		calls := 0
		for client.CanTakeNewRequest() {
			request, err := http.NewRequest(http.MethodPost, "http://h.test/a.Service/Method", nil)
			if err != nil {
				s.Fatal(err)
			}
			response, err := client.RoundTrip(request)
			if err != nil {
				break // It was told to go away.
			}
			calls++
			if err := response.Body.Close(); err != nil {
				s.Fatal(err)
			}
			if time.Now().After(deadline) {
				s.Fatalf("after %d calls the connection is still with the worker of before", calls)
			}
		}
		s.Logf("%d calls before the connection was told to go away", calls)
	})
}

func TestReload(t *testing.T) {
	each(t, func(s *stand) {
		s.serve(8080)
		pid := s.master()
		last := s.serve(8080, 8081)
		if s.master() != pid {
			s.Errorf("the master changed")
		}
		// A port that is taken passes nginx's own check and its own reload.
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

func TestRefusal(t *testing.T) {
	each(t, func(s *stand) {
		dir := harness.TempDir(s)
		if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte("events {}\nhttp {\n  nonsense on;\n}\n"), 0o600); err != nil {
			s.Fatal(err)
		}
		err := s.proxy.Validate(context.Background(), dir)
		var refusal *apply.Refusal
		if !errors.As(err, &refusal) {
			s.Fatalf("%v", err)
		}
		want := `nginx: [emerg] unknown directive "nonsense" in ` + dir + "/nginx.conf:3"
		if refusal.Message != want {
			s.Errorf("it says %q, want %q", refusal.Message, want)
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
				s.Fatalf("%s: nginx was not started again", what)
			}
			s.answers(generation)
		}
		start := time.Now()
		s.kill(s.master())
		wait("master")
		s.Logf("the master was back after %s", time.Since(start))
		for _, pid := range process.Children(s.master()) {
			s.kill(pid)
		}
		// The master replaces its workers: a reload after that finds them.
		generation = s.serve(8080, 8081)

		// gatewright is gone, nginx runs on: the next one takes it over.
		pid := s.master()
		if err := s.proxy.Close(); err != nil {
			s.Fatal(err)
		}
		s.open()
		s.answers(generation)
		generation = s.serve(8080)
		if s.master() != pid {
			s.Errorf("a second nginx was started beside the running one")
		}
		s.kill(pid)
		wait("master that was taken over")

		// Both are gone, and the workers serve on.
		pid = s.master()
		if err := s.proxy.Close(); err != nil {
			s.Fatal(err)
		}
		s.kill(pid)
		s.open()
		if err := s.proxy.Start(context.Background(), generation); err != nil {
			s.Fatal(err)
		}
		s.answers(generation)
		if s.master() == pid {
			s.Errorf("the pid file still names the master that was killed")
		}
	})
}
