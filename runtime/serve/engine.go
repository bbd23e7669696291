package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/health"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// Options are what an Engine is made with.
type Options struct {
	Kind *proxies.Kind
	// Binary is the proxy's; "" looks for it.
	Binary string
	// Attach is the pid file or master socket of a proxy that somebody else starts; "" runs one.
	Attach string
	// DryRun lets the proxy check configurations, and neither starts it nor tells it anything.
	DryRun bool
	// Timeout is how long a start or a reload of the proxy may take, and Drain how long calls may take to finish at the end.
	Timeout, Drain time.Duration
	State          State
	// Templates is a folder with templates that replace built-in ones, or "".
	Templates string
	Serving   proxies.Serving
	// CountCalls has the proxy tell its calls, for the metrics.
	CountCalls bool
	// Listen is where the Service answers; see ServiceOptions.
	Listen string
	// Version is this program's, for the metrics.
	Version string
	// Errors gets what the proxy writes to its standard error.
	Errors io.Writer
	Log    *slog.Logger
}

// Engine is a proxy that is run or joined, with what brings configurations to it.
type Engine struct {
	Log *slog.Logger
	// Capabilities are the proxy's.
	Capabilities model.Capabilities
	// Registry has the metrics that the Service tells.
	Registry  *prometheus.Registry
	Service   *Service
	Publisher *Publisher

	options Options
	store   *apply.Store
	runtime *proxies.Runtime
	bridge  *ownBridge // nil where somebody else's is used
	told    *toldCalls // nil where calls are neither counted nor written
	applier *apply.Applier
	health  *health.Watcher
	// certificates are those that the proxy has confirmed.
	certificates *certificates
	lost         chan struct{}
}

// Input is where an Engine's configurations come from.
type Input struct {
	// Next is what to apply when something has changed; false when nothing new can be had.
	Next func(context.Context) (apply.Job, bool)
	// Follow calls Engine.Mark on every change, until ctx ends.
	Follow func(context.Context) error
	// Reread is what SIGHUP asks for.
	Reread func()
	// Status is the body of /status: what the Publisher has published.
	Status func() []byte
	// Waiting says why nothing new is served; see ServiceOptions. Nil means that Next has everything at once.
	Waiting func() string
}

// New takes the state folder and makes everything that Serve works with. Nothing is started yet.
func New(ctx context.Context, o Options) (*Engine, error) {
	if err := o.Serving.Check(); err != nil {
		return nil, err
	}
	if err := process.LimitFiles(limits.Default.Files, limits.Default.WorkerFiles()); err != nil {
		o.Log.Warn("few files can be open", "error", err)
	}
	store, err := o.State.Open()
	if err != nil {
		return nil, err
	}
	e, err := newEngine(ctx, o, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return e, nil
}

func newEngine(ctx context.Context, o Options, store *apply.Store) (*Engine, error) {
	if o.Binary == "" {
		o.Binary = proxies.FindBinary(o.Kind.Name)
	}
	caps, err := o.Kind.Asked(ctx, o.Binary)
	if err != nil {
		return nil, fmt.Errorf("find out what the proxy can do: %w", err)
	}
	if o.Serving.MaxStreams > 0 {
		caps.Limits.Streams = o.Serving.MaxStreams
	}
	for _, note := range proxies.FaultNotes(caps) {
		o.Log.Warn(note)
	}
	registry := prometheus.NewRegistry()
	e := &Engine{Log: o.Log, Capabilities: caps, Registry: registry, Service: NewService(registry, o.Log), Publisher: NewPublisher(),
		options: o, store: store, lost: make(chan struct{}, 1)}
	if e.runtime, err = e.newRuntime(); err != nil {
		return nil, err
	}
	if !o.DryRun {
		if e.told, err = tellCalls(store.Dir(), &o.Serving, o.CountCalls, o.Errors, registry, o.Log); err != nil {
			return nil, errors.Join(err, e.runtime.Close())
		}
	}
	render, err := e.renderer(ctx)
	if err != nil {
		return nil, errors.Join(err, e.told.close(), e.runtime.Close())
	}
	hooks := e.runtime.Hooks
	if e.bridge != nil && !o.DryRun {
		hooks.Beside = e.bridge.tell
		e.bridge.register(registry)
		e.Service.AlsoTell(e.bridge)
	}
	e.applier = apply.New(apply.Options{Proxy: e.runtime, Hooks: hooks, Store: store, Render: render, Log: o.Log,
		Metrics: apply.NewMetrics(registry)})
	describeBuild(registry, o.Version)
	describeProxy(registry, &e.Capabilities)
	e.certificates = newCertificates(registry)
	e.health = health.New(registry, o.Log, e.Mark)
	return e, nil
}

// marker is the socket that tells the generation, and calls the file for what a proxy that is run says of calls, or "".
func (e *Engine) marker() string { return filepath.Join(e.store.Dir(), e.options.Kind.Marker) }

func (e *Engine) calls() string {
	if e.options.Kind.Calls == "" || e.options.Attach != "" {
		return ""
	}
	return filepath.Join(e.store.Dir(), e.options.Kind.Calls)
}

// newRuntime makes what runs or joins the proxy, or only asks it.
func (e *Engine) newRuntime() (*proxies.Runtime, error) {
	r, err := e.options.Kind.Run(proxies.Options{
		Binary: e.options.Binary, Capabilities: e.Capabilities, State: e.store.Dir(), Current: e.store.Current(), Marker: e.marker(),
		Calls: e.calls(), Attach: e.options.Attach, Timeout: e.options.Timeout, Errors: e.options.Errors, Log: e.Log,
		Lost: func() {
			select {
			case e.lost <- struct{}{}:
			default:
			}
		},
	})
	if err == nil && e.options.DryRun {
		r = proxies.Dry(r)
	}
	return r, err
}

// renderer makes what renders for this proxy on this host.
func (e *Engine) renderer(ctx context.Context) (apply.Renderer, error) {
	o := generators.Options{Layout: generators.LayoutFull, Marker: e.marker(), CallLog: e.calls(), Resolver: e.runtime.Resolver}
	if err := e.options.Serving.FillHere(&o, e.options.Kind, e.Capabilities, e.options.Attach != "", e.Log); err != nil {
		return nil, err
	}
	o.AccessLog = e.told.accessLog()
	if o.Instance == "" {
		var err error
		if o.Instance, err = e.store.Instance(); err != nil {
			return nil, err
		}
	}
	if o.Bridge == "" {
		account, err := e.options.Kind.Workers(ctx, e.options.Binary, &o)
		if err != nil {
			return nil, err
		}
		e.bridge = &ownBridge{dir: e.store.Dir(), drain: e.options.Drain, user: account, system: o.SystemAuthorities, log: e.Log,
			errors: e.options.Errors}
		o.Bridge = e.bridge.socket()
	}
	generator, err := e.options.Kind.GeneratorWith(e.options.Templates, o, e.Capabilities)
	if err != nil {
		return nil, err
	}
	if process.HasIPv6() {
		return generator.Render, nil
	}
	e.Log.Info("this host has no IPv6: Gateways without addresses are served by IPv4 alone")
	return apply.Renderer(generator.Render).OnlyIPv4(), nil
}

// Dir is the state folder.
func (e *Engine) Dir() string { return e.store.Dir() }

// Mark says that there is something new to apply. It never waits.
func (e *Engine) Mark() { e.applier.Mark() }

// Close lets go of the proxy and the state folder.
func (e *Engine) Close() error {
	return errors.Join(e.runtime.Close(), e.bridge.close(), e.told.close(), e.store.Close())
}

// Serve runs until a signal ends it: SIGTERM and SIGINT let the proxy finish its calls, SIGUSR2 leaves it serving for the next run to
// take over; SIGHUP reads the input again, and SIGUSR1 is passed on.
func (e *Engine) Serve(ctx context.Context, in Input, take Signals) error {
	// It answers until the proxy has finished: that the program drains is for others to know.
	answering, silence := context.WithCancel(ctx)
	var answers sync.WaitGroup
	defer answers.Wait()
	defer silence()
	err := e.Service.Start(answering, &answers, ServiceOptions{Listen: e.options.Listen, Waiting: in.Waiting, Written: e.store.Generation,
		Status: func() []byte {
			e.Publisher.Flush() // What /readyz says is true of what /status shows.
			return in.Status()
		}})
	if err != nil {
		return err
	}
	defer e.Publisher.Start()()
	go e.told.run() // Until Close: calls are told until the proxy has finished.
	ctx, stop := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stop()
	signals, letGo := take()
	defer letGo()

	e.Log.Info("starting", "proxy", e.Capabilities.Proxy, "version", e.Capabilities.Version.String(), "binary", e.options.Binary,
		"state", e.store.Dir())
	if !e.options.DryRun {
		tasks.Go(func() { e.health.Run(ctx) })
	}
	tasks.Go(func() { e.apply(ctx, in) })
	failed := make(chan error, 1)
	tasks.Go(func() {
		if err := in.Follow(ctx); err != nil && ctx.Err() == nil {
			failed <- err
		}
	})
	for {
		var s os.Signal
		select {
		case err := <-failed:
			stop()
			tasks.Wait()
			return errors.Join(err, e.shutdown(signals))
		case <-e.lost:
			e.applier.Lost()
			continue
		case s = <-signals:
		}
		switch s {
		case syscall.SIGHUP:
			in.Reread()
		case syscall.SIGUSR1:
			if err := e.runtime.Signal(s); err != nil {
				e.Log.Error("a signal could not be passed on", "signal", s, "error", err)
			}
		case syscall.SIGUSR2:
			e.Log.Info("ending; the proxy goes on", "signal", s.String())
			e.Service.Leave()
			stop()
			tasks.Wait()
			return nil
		default:
			e.Log.Info("ending", "signal", s.String(), "drain", e.options.Drain)
			e.Service.Drain(e.options.Drain)
			stop()
			tasks.Wait()
			return e.shutdown(signals)
		}
	}
}

// apply applies what the input gives, after the last good configuration, which serves until the input is read.
func (e *Engine) apply(ctx context.Context, in Input) {
	if generation := e.store.Generation(); generation != "" {
		if e.bridge != nil && !e.options.DryRun {
			e.bridge.resume(ctx)
		}
		if err := e.startLast(ctx, generation, in.Waiting != nil); err != nil {
			e.Log.Error("the last good configuration could not be started", "error", err)
		}
	}
	e.applier.Mark()
	e.applier.Run(ctx, func(ctx context.Context) (apply.Job, bool) {
		job, ok := in.Next(ctx)
		if ok {
			report, pairs := job.Report, job.Model.KeyPairs
			job.Report = func(out apply.Outcome) {
				if out.Err == nil {
					e.certificates.served.Store(&pairs)
				}
				if report != nil {
					report(out)
				}
			}
			job.Model = e.health.Of(job.Model)
		}
		return job, ok
	})
}

// startLast starts the proxy with the last good configuration. Where newer input may be long in coming, calls can come as
// soon as the proxy says that it serves that; what is there at once is waited for.
func (e *Engine) startLast(ctx context.Context, generation string, long bool) error {
	if err := e.runtime.Start(ctx, generation); err != nil || !long {
		return err
	}
	if running, err := e.runtime.Running(ctx); err == nil && running == generation {
		e.Service.Confirmed(generation)
	}
	return nil
}

// shutdown lets the proxy finish; another signal to end cuts that short.
func (e *Engine) shutdown(signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), e.options.Drain)
	defer cancel()
	go func() {
		for {
			select {
			case s := <-signals:
				if s == syscall.SIGTERM || s == syscall.SIGINT {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := e.runtime.Shutdown(ctx); err != nil || e.options.Attach != "" {
		return err // A proxy that was joined goes on, and so does its bridge.
	}
	return e.bridge.shutdown(ctx)
}
