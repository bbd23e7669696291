package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"
	"golang.org/x/net/netutil"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
)

// serviceOptions are the flags of the subcommands that go on running.
type serviceOptions struct {
	listen  string
	timeout time.Duration
}

func (o *serviceOptions) serviceFlags(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "listen", "127.0.0.1:9090",
		"`address` of /status, /healthz, /readyz and /metrics: HOST:PORT, unix:PATH, or \"\" for none")
	f.DurationVar(&o.timeout, "reload-timeout", 15*time.Second, "how long a start or a reload of the proxy may take")
}

// logger writes what happens to stderr: text for people, or one JSON object a line.
func (o *logOptions) logger(out io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	if o.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
}

// maxConnections is how many may ask how things are at a time; others wait.
const maxConnections = 256

// service answers over HTTP how things are.
type service struct {
	*serviceOptions
	log      *slog.Logger
	registry *prometheus.Registry
	status   func() []byte
	// generation is what the proxy has confirmed last; nil before the first time.
	generation atomic.Pointer[string]
	draining   atomic.Bool
	// waiting says why nothing new is served, where that is known; nil for nowhere.
	waiting  func() string
	reads    *prometheus.CounterVec
	readable prometheus.Gauge
}

// newService returns a service that answers once it is started. status is the body of /status.
func newService(o *serviceOptions, r *prometheus.Registry, log *slog.Logger, status func() []byte) *service {
	s := &service{serviceOptions: o, log: log, registry: r, status: status,
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatewright_reads_total",
			Help: "How often what is watched was read, by result (ok, error)."}, []string{"result"}),
		readable: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatewright_input_valid",
			Help: "1 when what is watched could be read the last time, 0 when it had errors and what was served stayed."}),
	}
	r.MustRegister(s.reads, s.readable, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// read counts one reading of the input.
func (s *service) read(err error) {
	if err != nil {
		s.reads.WithLabelValues("error").Inc()
		s.readable.Set(0)
		return
	}
	s.reads.WithLabelValues("ok").Inc()
	s.readable.Set(1)
}

// applied notes what the proxy serves.
func (s *service) applied(out apply.Outcome) {
	if out.Err == nil {
		s.confirmed(out.Generation)
	}
}

// confirmed notes that the proxy answers with a generation.
func (s *service) confirmed(generation string) { s.generation.Store(&generation) }

// drain makes the service say that it isn't ready any more.
func (s *service) drain() { s.draining.Store(true) }

// start listens, and answers until ctx ends.
func (s *service) start(ctx context.Context, tasks *sync.WaitGroup) error {
	if s.listen == "" {
		return nil
	}
	network, address := "tcp", s.listen
	if path, unix := strings.CutPrefix(s.listen, "unix:"); unix {
		network, address = "unix", path
		if err := process.RemoveSocket(path); err != nil {
			return fmt.Errorf("--listen %s: %w", s.listen, err)
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", s.listen, err)
	}
	// Who connects and says nothing, or reads nothing, costs a connection for a while and no more.
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	l = netutil.LimitListener(l, maxConnections)
	tasks.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the HTTP service has ended", "error", err)
		}
	})
	tasks.Go(func() {
		<-ctx.Done()
		_ = server.Close() // Whoever asks now gets no answer.
	})
	return nil
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		generation := s.generation.Load()
		why := ""
		if s.waiting != nil {
			why = s.waiting()
		}
		switch {
		case s.draining.Load():
			say(w, http.StatusServiceUnavailable, "draining")
		case generation == nil && why == "":
			say(w, http.StatusServiceUnavailable, "no configuration is confirmed yet")
		case generation == nil:
			say(w, http.StatusServiceUnavailable, "no configuration is confirmed yet: "+why)
		case why != "":
			// Calls are answered, so it is ready.
			say(w, http.StatusOK, "generation "+*generation+", and nothing newer: "+why)
		default:
			say(w, http.StatusOK, "generation "+*generation)
		}
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(s.status()) // The client has gone when it fails.
	})
	return mux
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // The client has gone when it fails.
}
