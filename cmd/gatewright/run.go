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
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/outcome"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/watch"
)

const runHelp = `Run a gateway without Kubernetes: manifests are watched and reach a running proxy on every change.

The proxy's binary is looked for in PATH and /usr/sbin unless --proxy-binary names it. It runs as a child, from the configuration in --state-dir, and is started again when it ends. With --attach
one that somebody else starts is joined: it has to be started with the same prefix and files, for nginx
"nginx -p STATE -c STATE/current/nginx.conf". A configuration that the proxy refuses, or that it doesn't come to
serve, leaves the last good one serving; one bad object costs only itself. What is wrong with each object is in
status.yaml in --state-dir and at /status.

SIGTERM and SIGINT let the proxy finish its calls, for as long as --drain says; a second one ends it at once. SIGHUP
reads the manifests again. SIGUSR1 is passed on.`

func newRun(log *logOptions) *cobra.Command {
	o := &options{logOptions: log}
	r := &runOptions{options: o}
	cmd := &cobra.Command{
		Use:   "run -f FILES --state-dir DIR",
		Short: "Serve manifests with a local proxy, and follow their changes",
		Long:  runHelp,
		Example: `  gatewright run -f manifests/ --state-dir /var/lib/gatewright
  gatewright run -f manifests/ --state-dir /run/gatewright --attach /run/gatewright/nginx.pid`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), cmd.ErrOrStderr()) },
	}
	f := cmd.Flags()
	o.inputFlags(f)
	proxyFlag(f, &o.proxy)
	binaryFlag(f, &o.proxyBinary)
	templatesFlag(f, &o.templates)
	stateFlag(f, &o.stateDir)
	attachFlag(f, &r.attach)
	r.serviceFlags(f)
	f.DurationVar(&r.drain, "drain", 30*time.Second, "how long calls may take to finish at the end")
	f.IntVar(&r.keep, "keep", 10, "how many versions of the configuration to keep")
	return cmd
}

// runOptions are the flags of run.
type runOptions struct {
	*options
	serviceOptions

	attach string
	drain  time.Duration
	keep   int
}

// gateway is a running `run`.
type gateway struct {
	*runOptions
	log     *slog.Logger
	store   *apply.Store
	proxy   runner
	applier *apply.Applier
	service *service
	caps    model.Capabilities
	lost    chan struct{}
	render  func(model.Gateways, model.Capabilities) ([]generators.File, error)

	mu sync.Mutex
	// problems are what is wrong with the manifests now.
	problems string
	// statuses are those of the last good manifests.
	statuses []byte
}

func (o *runOptions) run(ctx context.Context, stderr io.Writer) (err error) {
	switch {
	case len(o.filenames) == 0:
		return errors.New("no manifests: name them with -f FILE or -f FOLDER")
	case o.stateDir == "":
		return errors.New("no state folder: name it with --state-dir DIR")
	}
	for _, name := range o.filenames {
		if name == stdoutName {
			return errors.New("-f -: run watches files and folders; standard input can't be watched")
		}
	}
	o.reader = resources.NewReader()
	g := &gateway{runOptions: o, log: o.logger(stderr), lost: make(chan struct{}, 1)}
	if g.store, err = apply.OpenStore(o.stateDir, o.keep); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.store.Close()) }()
	if err := g.prepare(ctx, stderr); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.proxy.Close()) }()
	return g.serve(ctx)
}

// prepare makes everything that serve works with.
func (g *gateway) prepare(ctx context.Context, stderr io.Writer) error {
	proxy := proxyNamed(g.options.proxy)
	templates, err := openTemplates(g.templates)
	if err != nil {
		return err
	}
	marker := filepath.Join(g.store.Dir(), proxy.marker)
	if g.proxyBinary == "" {
		g.proxyBinary = findBinary(proxy.name)
	}
	if g.caps, err = proxy.asked(ctx, g.proxyBinary); err != nil {
		return fmt.Errorf("find out what the proxy can do: %w", err)
	}
	registry := prometheus.NewRegistry()
	g.service = newService(&g.serviceOptions, registry, g.log, g.statusText)
	g.proxy, err = proxy.run(runnerOptions{
		binary: g.proxyBinary, caps: g.caps, state: g.store.Dir(), current: g.store.Current(), marker: marker,
		attach: g.attach, timeout: g.timeout, errors: stderr, log: g.log,
		lost: func() {
			select {
			case g.lost <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	options := generators.Options{Layout: generators.LayoutFull, Marker: marker, Templates: templates}
	if r, ok := g.proxy.(resolving); ok {
		options.Resolver = r.Resolver()
	}
	g.render = proxy.generator(options).Render
	g.applier = apply.New(apply.Options{Proxy: g.proxy, Store: g.store, Render: g.render, Log: g.log, Metrics: apply.NewMetrics(registry)})
	return nil
}

// serve runs until a signal ends it.
func (g *gateway) serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watcher, err := watch.New(g.filenames, g.log)
	if err != nil {
		return err
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stop()
	if err := g.service.start(ctx, &tasks); err != nil {
		return errors.Join(err, watcher.Close())
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)

	g.log.Info("starting", "proxy", g.caps.Proxy, "version", g.caps.Version.String(), "binary", g.proxyBinary, "state", g.store.Dir())
	tasks.Go(func() {
		if generation := g.store.Generation(); generation != "" {
			// The last good configuration serves until the manifests are read.
			if err := g.proxy.Start(ctx, generation); err != nil {
				g.log.Error("the last good configuration could not be started", "error", err)
			}
		}
		g.applier.Mark()
		g.applier.Run(ctx, g.next)
	})
	tasks.Go(func() { watcher.Run(ctx, g.applier.Mark) })
	for {
		var s os.Signal
		select {
		case <-g.lost:
			g.applier.Lost()
			continue
		case s = <-signals:
		}
		switch s {
		case syscall.SIGHUP:
			g.applier.Mark()
		case syscall.SIGUSR1:
			if err := g.proxy.Signal(s); err != nil {
				g.log.Error("a signal could not be passed on", "signal", s, "error", err)
			}
		default:
			g.log.Info("ending", "signal", s.String(), "drain", g.drain)
			g.service.drain()
			stop()
			tasks.Wait()
			return errors.Join(watcher.Close(), g.shutdown(signals))
		}
	}
}

// shutdown lets the proxy finish; another signal to end cuts that short.
func (g *gateway) shutdown(signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), g.drain)
	defer cancel()
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM || s == syscall.SIGINT {
				cancel()
			}
		}
	}()
	return g.proxy.Shutdown(ctx)
}

// next reads and translates the manifests, for the applier. A file with errors stays as it was when it was good; the
// others count as they are.
func (g *gateway) next(context.Context) (apply.Job, bool) {
	start := time.Now()
	p, err := g.translateFor(nil, func() (model.Capabilities, string, error) { return g.caps, "", nil })
	if err == nil && !p.hasGateways() {
		err = errors.New("there is no Gateway in the manifests")
		if len(p.problems) > 0 {
			err = errors.Join(p.problems, err)
		}
	}
	if err != nil {
		g.log.Error("the manifests have errors; what was served stays", "error", err)
		g.service.read(err)
		g.publish(nil, err.Error())
		return apply.Job{}, false
	}
	problems := ""
	if len(p.problems) > 0 {
		problems = p.problems.Error()
		g.log.Error("some manifests have errors; their files stay as they were", "error", p.problems)
		g.service.read(p.problems)
	} else {
		g.service.read(nil)
	}
	g.log.Debug("read the manifests", "took", time.Since(start), "steps", p.steps, "refused", len(p.refused))
	return apply.Job{Model: p.result.Gateways, Capabilities: p.caps, Report: func(out apply.Outcome) {
		g.service.applied(out)
		text, err := status.Marshal(outcome.Complete(p.result.Reports, p.result.Gateways, out))
		if err != nil {
			g.log.Error("the status can't be written", "error", err)
			return
		}
		g.publish(text, problems)
	}}, true
}

// publish keeps the statuses for /status and in the state folder. Without any, the last ones stay.
func (g *gateway) publish(statuses []byte, problems string) {
	g.mu.Lock()
	before := string(g.text())
	g.problems = problems
	if statuses != nil {
		g.statuses = statuses
	}
	text := g.text()
	g.mu.Unlock()
	if string(text) == before {
		return
	}
	if err := replaceFile(filepath.Join(g.store.Dir(), statusFile), text); err != nil {
		g.log.Error("the status can't be written", "error", err)
	}
}

// text is the content of status.yaml.
func (g *gateway) text() []byte {
	if g.problems == "" {
		return g.statuses
	}
	head := "# Some manifests have errors. Their files count as they were when they were good, with the statuses below:\n"
	for line := range strings.Lines(g.problems) {
		head += "#   " + strings.TrimSuffix(line, "\n") + "\n"
	}
	if len(g.statuses) == 0 {
		return []byte(head + "[]\n")
	}
	return append([]byte(head), g.statuses...)
}

func (g *gateway) statusText() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text()
}
