package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
)

// engineOptions are the flags of the subcommands that bring one configuration after the other to a proxy of theirs.
type engineOptions struct {
	serviceOptions
	stateOptions

	attach string
	drain  time.Duration
}

func (o *engineOptions) engineFlags(f *pflag.FlagSet) {
	attachFlag(f, &o.attach)
	o.serviceFlags(f)
	f.DurationVar(&o.drain, "drain", 30*time.Second, "how long calls may take to finish at the end")
	o.stateFlags(f)
}

// engine is a proxy that is run or joined, with what brings configurations to it.
type engine struct {
	*options
	*engineOptions
	log      *slog.Logger
	store    *apply.Store
	proxy    runner
	applier  *apply.Applier
	service  *service
	registry *prometheus.Registry
	// publisher makes the statuses known.
	publisher *publisher
	caps      model.Capabilities
	lost      chan struct{}
	render    renderFunc
}

// onlyIPv4 renders for a host without IPv6.
func onlyIPv4(render renderFunc) renderFunc {
	return func(m model.Gateways, c model.Capabilities) ([]generators.File, error) {
		return render(m.OnlyIPv4(), c)
	}
}

type renderFunc = func(model.Gateways, model.Capabilities) ([]generators.File, error)

// input is where an engine's configurations come from.
type input struct {
	// next is what to apply when something has changed; false when nothing new can be had.
	next func(context.Context) (apply.Job, bool)
	// follow marks the applier on every change, until ctx ends.
	follow func(context.Context) error
	// reread is what SIGHUP asks for.
	reread func()
}

// newEngine takes the state folder and makes everything that serve works with. publish makes statuses known, text is the
// body of /status.
func newEngine(ctx context.Context, o *options, eo *engineOptions, stderr io.Writer, publish func([]status.Report), text func() []byte) (*engine, error) {
	if err := o.checkStreams(); err != nil {
		return nil, err
	}
	eagerGC()
	tight := process.LimitFiles(limits.Default.Files, limits.Default.WorkerFiles())
	e := &engine{options: o, engineOptions: eo, log: o.logger(stderr), registry: prometheus.NewRegistry(), lost: make(chan struct{}, 1), publisher: newPublisher(publish)}
	if tight != nil {
		e.log.Warn("few files can be open", "error", tight)
	}
	var err error
	if e.store, err = eo.openStore(o.stateDir); err != nil {
		return nil, err
	}
	if err := e.prepare(ctx, stderr, text); err != nil {
		return nil, errors.Join(err, e.store.Close())
	}
	return e, nil
}

// close lets go of the proxy and the state folder.
func (e *engine) close() error { return errors.Join(e.proxy.Close(), e.store.Close()) }

func (e *engine) prepare(ctx context.Context, stderr io.Writer, text func() []byte) error {
	proxy := proxyNamed(e.options.proxy)
	marker := filepath.Join(e.store.Dir(), proxy.marker)
	calls := ""
	if proxy.calls != "" && e.attach == "" {
		calls = filepath.Join(e.store.Dir(), proxy.calls)
	}
	if e.proxyBinary == "" {
		e.proxyBinary = findBinary(proxy.name)
	}
	var err error
	if e.caps, err = proxy.asked(ctx, e.proxyBinary); err != nil {
		return fmt.Errorf("find out what the proxy can do: %w", err)
	}
	for _, note := range faultNotes(e.caps) {
		e.log.Warn(note)
	}
	e.service = newService(&e.serviceOptions, e.registry, e.log, func() []byte {
		e.publisher.flush() // What /readyz says is true of what /status shows.
		return text()
	})
	e.proxy, err = proxy.run(runnerOptions{
		binary: e.proxyBinary, caps: e.caps, state: e.store.Dir(), current: e.store.Current(), marker: marker,
		calls: calls, attach: e.attach, timeout: e.timeout, errors: stderr, log: e.log,
		lost: func() {
			select {
			case e.lost <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	options := generators.Options{Layout: generators.LayoutFull, Marker: marker, CallLog: calls, MaxStreams: e.maxStreams}
	if err := e.workers(&options, proxy); err != nil {
		return err
	}
	if options.Instance == "" {
		if options.Instance, err = e.store.Instance(); err != nil {
			return err
		}
	}
	if r, ok := e.proxy.(resolving); ok {
		options.Resolver = r.Resolver()
	}
	generator, err := e.generator(options, e.caps)
	if err != nil {
		return errors.Join(err, e.proxy.Close())
	}
	e.render = generator.Render
	if !process.HasIPv6() {
		e.log.Info("this host has no IPv6: Gateways without addresses are served by IPv4 alone")
		e.render = onlyIPv4(e.render)
	}
	e.applier = apply.New(apply.Options{Proxy: e.proxy, Hooks: e.proxy.Hooks(), Store: e.store, Render: e.render, Log: e.log, Metrics: apply.NewMetrics(e.registry)})
	return nil
}

// serve runs until a signal ends it.
func (e *engine) serve(ctx context.Context, in input) error {
	// It answers until the proxy has finished: that the program drains is for others to know.
	answering, silence := context.WithCancel(ctx)
	var answers sync.WaitGroup
	defer answers.Wait()
	defer silence()
	if err := e.service.start(answering, &answers); err != nil {
		return err
	}
	defer e.publisher.start()()
	ctx, stop := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stop()
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)

	e.log.Info("starting", "proxy", e.caps.Proxy, "version", e.caps.Version.String(), "binary", e.proxyBinary, "state", e.store.Dir())
	tasks.Go(func() {
		if generation := e.store.Generation(); generation != "" {
			// The last good configuration serves until the input is read.
			if err := e.startLast(ctx, generation); err != nil {
				e.log.Error("the last good configuration could not be started", "error", err)
			}
		}
		e.applier.Mark()
		e.applier.Run(ctx, in.next)
	})
	failed := make(chan error, 1)
	tasks.Go(func() {
		if err := in.follow(ctx); err != nil && ctx.Err() == nil {
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
			in.reread()
		case syscall.SIGUSR1:
			if err := e.proxy.Signal(s); err != nil {
				e.log.Error("a signal could not be passed on", "signal", s, "error", err)
			}
		default:
			e.log.Info("ending", "signal", s.String(), "drain", e.drain)
			e.service.drain()
			stop()
			tasks.Wait()
			return e.shutdown(signals)
		}
	}
}

// startLast starts the proxy with the last good configuration. Where newer input may be long in coming, calls can come as
// soon as the proxy says that it serves that; what is read from files is there at once, and waited for.
func (e *engine) startLast(ctx context.Context, generation string) error {
	if err := e.proxy.Start(ctx, generation); err != nil || e.service.waiting == nil {
		return err
	}
	if running, err := e.proxy.Running(ctx); err == nil && running == generation {
		e.service.confirmed(generation)
	}
	return nil
}

// shutdown lets the proxy finish; another signal to end cuts that short.
func (e *engine) shutdown(signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), e.drain)
	defer cancel()
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM || s == syscall.SIGINT {
				cancel()
			}
		}
	}()
	return e.proxy.Shutdown(ctx)
}
