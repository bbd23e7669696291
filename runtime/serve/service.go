package serve

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
	"golang.org/x/net/netutil"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/notify"
	"github.com/gatewright/gatewright/runtime/process"
)

// maxConnections is how many may ask how things are at a time; others wait.
const maxConnections = 256

// ServiceOptions say where a Service answers, and what it tells that it doesn't know itself.
type ServiceOptions struct {
	// Listen is HOST:PORT, unix:PATH, or "" for nowhere.
	Listen string
	// Status is the body of /status.
	Status func() []byte
	// Written is the generation of the whole configuration that a proxy can be started with; "" while there is none.
	Written func() string
	// Waiting says why nothing new is served, "" when nothing is in the way; nil where that is never known.
	Waiting func() string
}

// Service answers over HTTP how things are.
type Service struct {
	log      *slog.Logger
	registry prometheus.Gatherers
	// generation is what the proxy has confirmed last; nil before the first time.
	generation atomic.Pointer[string]
	// problem is why the last configuration isn't confirmed; nil when it is.
	problem  atomic.Pointer[string]
	draining atomic.Bool
	// trouble is what was wrong with the input the last time; nil for nothing.
	trouble  atomic.Pointer[string]
	manager  *notify.Manager
	reads    *prometheus.CounterVec
	readable prometheus.Gauge
}

// NewService returns a Service that answers once it is started. /metrics has what is in the registry.
func NewService(r *prometheus.Registry, log *slog.Logger) *Service {
	s := &Service{log: log, registry: prometheus.Gatherers{r}, manager: notify.Process(),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatewright_reads_total",
			Help: "How often what is watched was read, by result (ok, error)."}, []string{"result"}),
		readable: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatewright_input_valid",
			Help: "1 when what is watched could be read the last time, 0 when it had errors and what was served stayed."}),
	}
	r.MustRegister(s.reads, s.readable, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// AlsoTell adds the metrics of something else to /metrics. It is called before Start.
func (s *Service) AlsoTell(g prometheus.Gatherer) { s.registry = append(s.registry, g) }

// Read counts one reading of the input.
func (s *Service) Read(err error) {
	if err != nil {
		text := err.Error()
		s.trouble.Store(&text)
		s.reads.WithLabelValues("error").Inc()
		s.readable.Set(0)
		s.tell()
		return
	}
	s.trouble.Store(nil)
	s.reads.WithLabelValues("ok").Inc()
	s.readable.Set(1)
}

// Applied notes what the proxy serves.
func (s *Service) Applied(out apply.Outcome) {
	if out.Err != nil {
		text := out.Err.Error()
		s.problem.Store(&text)
		var absent *apply.AbsentError
		if s.generation.Load() == nil && errors.As(out.Err, &absent) {
			s.manager.Waiting(text)
			return
		}
		s.tell()
		return
	}
	s.Confirmed(out.Generation)
}

// shownDigits are those of a generation that the log has too.
const shownDigits = 12

// tell tells the service manager how things are: with the first thing that is known, good or bad, this process is up.
func (s *Service) tell() {
	text, newer := "serves nothing", ": "
	if g := s.generation.Load(); g != nil {
		text, newer = "serves generation "+(*g)[:min(len(*g), shownDigits)], ", and nothing newer: "
	}
	if p := s.problem.Load(); p != nil {
		text += newer + *p
	} else if p := s.trouble.Load(); p != nil {
		text += "; the input has errors: " + *p
	}
	s.manager.Ready(text)
}

// Confirmed notes that the proxy answers with a generation.
func (s *Service) Confirmed(generation string) {
	s.problem.Store(nil)
	s.generation.Store(&generation)
	s.tell()
}

// stopping is how long the end may take beside what calls have.
const stopping = time.Minute

// Drain makes the Service say that it isn't ready any more, while the proxy has so long to finish its calls.
func (s *Service) Drain(most time.Duration) {
	s.draining.Store(true)
	s.manager.Stopping("lets the proxy finish its calls", most+stopping)
}

// Leave tells that this process ends and the proxy goes on.
func (s *Service) Leave() { s.manager.Stopping("leaves the proxy serving", stopping) }

// Start listens, and answers until ctx ends.
func (s *Service) Start(ctx context.Context, tasks *sync.WaitGroup, o ServiceOptions) error {
	if o.Listen == "" {
		return nil
	}
	network, address := "tcp", o.Listen
	if path, unix := strings.CutPrefix(o.Listen, "unix:"); unix {
		network, address = "unix", path
		if err := process.RemoveSocket(path); err != nil {
			return fmt.Errorf("--listen %s: %w", o.Listen, err)
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", o.Listen, err)
	}
	// Who connects and says nothing, or reads nothing, costs a connection for a while and no more.
	server := &http.Server{Handler: s.handler(o), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
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

func (s *Service) handler(o ServiceOptions) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		generation := s.generation.Load()
		why := ""
		if o.Waiting != nil {
			why = o.Waiting()
		}
		if problem := s.problem.Load(); why == "" && generation == nil && problem != nil {
			why = *problem
		}
		switch {
		case s.draining.Load():
			respond(w, http.StatusServiceUnavailable, "draining")
		case generation == nil && why == "":
			respond(w, http.StatusServiceUnavailable, "no configuration is confirmed yet")
		case generation == nil:
			respond(w, http.StatusServiceUnavailable, "no configuration is confirmed yet: "+why)
		case why != "":
			// Calls are answered, so it is ready.
			respond(w, http.StatusOK, "generation "+*generation+", and nothing newer: "+why)
		default:
			respond(w, http.StatusOK, "generation "+*generation)
		}
	})
	mux.HandleFunc("GET /writtenz", func(w http.ResponseWriter, _ *http.Request) {
		if generation := o.Written(); generation != "" {
			respond(w, http.StatusOK, "generation "+generation)
			return
		}
		respond(w, http.StatusServiceUnavailable, "no configuration is written yet")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(o.Status()) // The client has gone when it fails.
	})
	return mux
}

func respond(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // The client has gone when it fails.
}
