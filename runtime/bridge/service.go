package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/net/netutil"

	"github.com/gatewright/gatewright/runtime/watch"
)

// Options say where a bridge is, and what from.
type Options struct {
	// Config is the file with the configuration. Until it is there and can be used nothing is listened at, so that a bridge that
	// can't serve takes no socket from one that does.
	Config string
	// Socket is where the proxy connects, and Listen where Running is asked for; "" is nowhere. Both are replaced as they are, with
	// the bridge that has them: that drains when it is told to end.
	Socket, Listen string
	// Owner is the user whose processes may connect to Socket, beside root; -1 is this process's own.
	Owner int
	// Drain is how long calls may take to finish at the end.
	Drain time.Duration
	Log   *slog.Logger
}

// ErrReplaced is why a bridge is told to end whose place another one has taken: nobody waits for its end.
var ErrReplaced = errors.New("another bridge has taken its place")

// replacedDrain is how long calls may take to finish then, as those of workers that a reload has replaced may.
const replacedDrain = time.Hour

// Running is what a bridge says of itself at /config.
type Running struct {
	// Hash is of the configuration that calls are served by; "" before there is one.
	Hash string `json:"hash"`
	// Generation is what that says of itself.
	Generation string `json:"generation"`
	// Error is why the file that is there now isn't served; "" when it is.
	Error string `json:"error,omitempty"`
	// PID is the process.
	PID int `json:"pid"`
}

// service is a bridge with its file and sockets.
type service struct {
	Options
	bridge *Bridge

	// usable is closed once there is a configuration.
	usable chan struct{}

	mu    sync.Mutex
	wrong string
}

// Run serves until ctx ends, and drains then; a second context ends that at once.
func Run(ctx, now context.Context, o Options) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s := &service{Options: o, bridge: New(registry, o.Log), usable: make(chan struct{})}
	defer s.bridge.Close()
	s.bridge.reread = rarely(rereadPause, s.read)
	watcher, err := watch.New([]string{o.Config}, o.Log)
	if err != nil {
		return err
	}
	s.read()
	watching, stopWatching := context.WithCancel(ctx)
	var watches sync.WaitGroup
	watches.Go(func() { watcher.Run(watching, func(map[string]bool) { s.read() }) })
	select {
	case <-s.usable:
		err = s.serve(ctx, now, registry)
	case <-ctx.Done():
	}
	stopWatching()
	watches.Wait()
	return errors.Join(err, watcher.Close())
}

// rereadPause is how long the file isn't looked at again for calls that nobody knows.
const rereadPause = 100 * time.Millisecond

// rarely does something at most once in a time. Who comes meanwhile goes on without.
func rarely(pause time.Duration, do func()) func() {
	var last atomic.Int64
	start := time.Now()
	return func() {
		now, before := int64(time.Since(start)), last.Load()
		if (before == 0 || now-before >= int64(pause)) && last.CompareAndSwap(before, max(now, 1)) {
			do()
		}
	}
}

// serve takes calls until ctx ends.
func (s *service) serve(ctx, now context.Context, r *prometheus.Registry) error {
	l, err := listen(s.Socket, s.Owner)
	if err != nil {
		return err
	}
	stopAnswering, err := s.answer(r)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- s.bridge.Serve(l) }()
	s.Log.Info("bridge starts", "socket", s.Socket, "config", s.Config, "hash", s.running().Hash)
	over := false
	select {
	case <-ctx.Done():
	case err = <-ended:
		over = true
	}
	drain := s.Drain
	if errors.Is(context.Cause(ctx), ErrReplaced) {
		drain = max(drain, replacedDrain)
	}
	s.Log.Info("bridge drains", "at most", drain, "calls", s.bridge.calls.Load())
	last, cancel := context.WithTimeout(now, drain)
	defer cancel()
	s.bridge.Drain(last)
	s.bridge.Close()
	if !over {
		err = <-ended
	}
	return errors.Join(err, stopAnswering())
}

// read takes the file as it is now.
func (s *service) read() {
	err := s.load()
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := ""
	if err != nil {
		wrong = err.Error()
	} else {
		select {
		case <-s.usable:
		default:
			close(s.usable)
		}
	}
	switch {
	case wrong == s.wrong:
	case wrong != "":
		s.Log.Error("the bridge's configuration isn't taken", "file", s.Config, "error", err)
	default:
		s.Log.Info("the bridge's configuration is right again", "file", s.Config)
	}
	s.wrong = wrong
}

// load gives the file to the bridge.
func (s *service) load() error {
	f, err := os.Open(s.Config)
	if err != nil {
		return fmt.Errorf("the configuration can't be read: %w", err)
	}
	defer func() { _ = f.Close() }() // It was only read.
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	switch {
	case err != nil:
		return fmt.Errorf("the configuration can't be read: %w", err)
	case len(text) > maxConfig:
		return fmt.Errorf("the configuration is larger than %d bytes", maxConfig)
	}
	return s.bridge.Configure(text)
}

// maxConfig is how large a configuration may be, in bytes.
const maxConfig = 64 << 20

func (s *service) running() Running {
	t := s.bridge.table.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Running{Hash: t.hash, Generation: t.generation, Error: s.wrong, PID: os.Getpid()}
}

// answer says over HTTP how things are, until it is stopped.
func (s *service) answer(r *prometheus.Registry) (stop func() error, err error) {
	if s.Listen == "" {
		return func() error { return nil }, nil
	}
	l, err := listen(s.Listen, -1)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) {
		text, err := json.Marshal(s.running())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text) // Who asks has gone when it fails.
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		if err := server.Serve(netutil.LimitListener(l, maxAsking)); !errors.Is(err, http.ErrServerClosed) {
			s.Log.Error("the bridge doesn't say any more how it is", "error", err)
		}
	})
	return func() error {
		err := server.Close()
		tasks.Wait()
		return err
	}, nil
}

// maxAsking is how many may ask how things are at a time.
const maxAsking = 64

// Ask returns what the bridge says of itself that listens at a socket.
func Ask(ctx context.Context, socket string) (r Running, err error) {
	err = get(ctx, socket, "/config", func(body io.Reader) error { return json.NewDecoder(body).Decode(&r) })
	return r, err
}

// Metrics are those of the bridge that listens at a socket.
func Metrics(ctx context.Context, socket string) (list []*dto.MetricFamily, err error) {
	err = get(ctx, socket, "/metrics", func(body io.Reader) error {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(body)
		for _, name := range slices.Sorted(maps.Keys(families)) {
			if strings.HasPrefix(name, metricPrefix) {
				list = append(list, families[name])
			}
		}
		return err
	})
	return list, err
}

// maxAnswer is how much of an answer of a bridge is read.
const maxAnswer = 4 << 20

// get has an answer of a bridge read.
func get(ctx context.Context, socket, path string, read func(io.Reader) error) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://bridge"+path, nil)
	if err != nil {
		return err
	}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }() // It was only read.
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("the bridge at %s answers %s", socket, reply.Status)
	}
	return read(io.LimitReader(reply.Body, maxAnswer))
}
