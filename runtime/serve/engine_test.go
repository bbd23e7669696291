package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/test/harness"
)

// fake is a proxy without a process.
type fake struct {
	mu         sync.Mutex
	generation string
	did        []string
}

func (f *fake) note(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, what)
	return nil
}

func (f *fake) Generation(files []generators.File) (string, error) {
	h := sha256.New()
	for _, file := range files {
		h.Write(file.Data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (f *fake) Running(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.generation == "" {
		return "", errors.New("it doesn't run")
	}
	return f.generation, nil
}

func (f *fake) Validate(context.Context, string) error { return nil }

func (f *fake) Reload(_ context.Context, _, generation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.generation = generation
	return nil
}

func (f *fake) Start(_ context.Context, generation string) error {
	f.mu.Lock()
	f.generation = generation
	f.mu.Unlock()
	return f.note("start")
}

func (f *fake) Shutdown(context.Context) error { return f.note("shutdown") }

func (f *fake) Signal(s os.Signal) error { return f.note(s.String()) }

func (f *fake) Close() error { return f.note("close") }

// served is an engine that serves on a fake.
type served struct {
	*testing.T
	*Engine
	proxy   *fake
	signals chan os.Signal
	// jobs are what its input gives, outcomes what became of them, rereads the calls of Reread.
	jobs     chan apply.Job
	outcomes chan apply.Outcome
	rereads  chan struct{}
	ended    chan error
	client   http.Client
}

func serve(t *testing.T, dir string, waiting func() string) *served {
	t.Helper()
	s := &served{T: t, proxy: &fake{}, signals: make(chan os.Signal, 10), jobs: make(chan apply.Job, 10),
		outcomes: make(chan apply.Outcome, 10), rereads: make(chan struct{}, 10), ended: make(chan error, 1)}
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3})
	socket := filepath.Join(dir, "service.sock")
	var err error
	s.Engine, err = New(t.Context(), Options{
		Kind: &proxies.Kind{
			Name: "fake", Marker: "fake.sock",
			Generator: func(o generators.Options) generators.Generator { return nginx.New(o) },
			Asked:     func(context.Context, string) (model.Capabilities, error) { return caps, nil },
			Run:       func(proxies.Options) (*proxies.Runtime, error) { return &proxies.Runtime{Runner: s.proxy}, nil },
		},
		Binary: "fake", Timeout: time.Second, Drain: time.Second, State: State{Dir: filepath.Join(dir, "state"), Keep: 3},
		Serving: proxies.Serving{MaxStreams: limits.Default.Streams}, Listen: "unix:" + socket, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.client.Transport = &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}
	go func() {
		s.ended <- s.Serve(context.Background(), Input{
			Next: func(context.Context) (apply.Job, bool) {
				select {
				case job := <-s.jobs:
					return job, true
				default:
					return apply.Job{}, false
				}
			},
			Follow: func(ctx context.Context) error {
				<-ctx.Done()
				return nil
			},
			Reread: func() { s.rereads <- struct{}{} }, Status: func() []byte { return []byte("all is well\n") }, Waiting: waiting,
		}, func() (<-chan os.Signal, func()) { return s.signals, func() {} })
	}()
	return s
}

// apply lets the engine serve a Gateway.
func (s *served) apply(name string) apply.Outcome {
	s.Helper()
	s.jobs <- apply.Job{Capabilities: s.Capabilities, Report: func(out apply.Outcome) {
		s.Service.Applied(out)
		s.outcomes <- out
	}, Model: model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: name, Addresses: []string{"127.0.0.1"}}}}}
	s.Mark()
	return <-s.outcomes
}

// get is what the service answers, "" while it doesn't.
func (s *served) get(path string) string {
	answer, err := s.client.Get("http://service" + path)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return ""
	}
	return answer.Status[:3] + " " + string(text)
}

// end ends it, and says what the proxy was told.
func (s *served) end() string {
	s.Helper()
	s.signals <- syscall.SIGTERM
	if err := errors.Join(<-s.ended, s.Close()); err != nil {
		s.Error(err)
	}
	return strings.Join(s.proxy.did, ", ")
}

func TestServe(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	out := s.apply("first")
	if out.Err != nil || out.Way != apply.Reloaded {
		t.Fatalf("%+v", out)
	}
	s.Service.Read(nil)
	for path, want := range map[string]string{
		"/healthz": "200 ok", "/readyz": "200 generation " + out.Generation, "/status": "200 all is well", "/metrics": "gatewright_reads_total",
	} {
		if got := s.get(path); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	s.signals <- syscall.SIGHUP
	<-s.rereads
	s.signals <- syscall.SIGUSR1
	if got := s.end(); got != "user defined signal 1, shutdown, close" {
		t.Errorf("the proxy was told: %s", got)
	}
}

// TestServeLast: the last good configuration serves first, and counts where newer input may be long in coming.
func TestServeLast(t *testing.T) {
	for _, waiting := range []func() string{nil, func() string { return "nobody answers" }} {
		dir := t.TempDir()
		first := serve(t, dir, nil)
		out := first.apply("first")
		first.end()

		second := serve(t, dir, waiting)
		want := "503 no configuration is confirmed yet"
		if waiting != nil {
			want = "200 generation " + out.Generation + ", and nothing newer: nobody answers"
		}
		harness.Until(t, "become ready", harness.DefaultTimeout, func() error {
			if got := second.get("/readyz"); !strings.HasPrefix(got, want) {
				return fmt.Errorf("%q, want %q", got, want)
			}
			return nil
		}, func() string { return "" })
		if got := second.end(); got != "start, shutdown, close" {
			t.Errorf("the proxy was told: %s", got)
		}
	}
}
