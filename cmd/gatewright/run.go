package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller"
	"github.com/gatewright/gatewright/controller/outcome"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/watch"
)

const runHelp = `Run a gateway without Kubernetes: manifests are watched and reach a running proxy on every change.

The proxy's binary is looked for in PATH and /usr/sbin unless --proxy-binary names it. It runs as a child, from the configuration in --state-dir, and is started again when it ends. With --attach
one that somebody else starts is joined: it has to be started with the same prefix and files, for nginx
"nginx -p STATE -c STATE/current/nginx.conf". A configuration that the proxy refuses, or that it doesn't come to
serve, leaves the last good one serving; one bad object costs only itself. What is wrong with each object is in
status.yaml in --state-dir and at /status.

The workers of an HAProxy that would run as root run as haproxy, else as nobody, unless --user names another; nginx's run as the
user that it was built with.

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
	o.servingFlags(f)
	r.engineFlags(f)
	return cmd
}

// runOptions are the flags of run.
type runOptions struct {
	*options
	engineOptions
}

// gateway is a running `run`.
type gateway struct {
	*engine
	touched touched

	mu sync.Mutex
	// problems are what is wrong with the manifests now.
	problems string
	// statuses are those of the last good manifests.
	statuses []byte

	// writing is held while what the file is to have is given to the keeper, so that the newest counts.
	writing sync.Mutex
	keeper  *folder.Keeper
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
	o.reader, o.hostAddresses = resources.NewReader(), controller.HostAddresses
	g := &gateway{}
	if g.engine, err = newEngine(ctx, o.options, &o.engineOptions, stderr, g.publish, g.statusText); err != nil {
		return err
	}
	g.keeper = folder.NewKeeper(filepath.Join(g.store.Dir(), statusFile), 0o644, func(err error) {
		g.log.Error("the status can't be written; it is tried again", "error", err)
	})
	defer func() { err = errors.Join(err, g.keeper.Close(), g.close()) }()
	watcher, err := watch.New(g.filenames, g.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watcher.Close()) }()
	mark := func(files map[string]bool) {
		if files != nil && !g.reader.Concerns(files) {
			return // An editor's draft, or another neighbour.
		}
		g.touched.add(files)
		g.applier.Mark()
	}
	return g.serve(ctx, input{
		next: g.next, reread: func() { mark(nil) },
		follow: func(ctx context.Context) error {
			watcher.Run(ctx, mark)
			return nil
		},
	})
}

// touched are the files that have changed since they were read.
type touched struct {
	mu sync.Mutex
	// files has them all once everything was read; nil before, and when anything may have changed.
	files map[string]bool
}

// add notes files; nil is all.
func (t *touched) add(files map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if files == nil {
		t.files = nil
	}
	if t.files != nil {
		maps.Copy(t.files, files)
	}
}

// take returns the files for who reads them now; nil is all.
func (t *touched) take() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	files := t.files
	t.files = map[string]bool{}
	return files
}

// next reads and translates the manifests, for the applier. A file with errors stays as it was when it was good; the
// others count as they are.
func (g *gateway) next(context.Context) (apply.Job, bool) {
	start := time.Now()
	p, err := g.translateFor(nil, g.touched.take(), func() (model.Capabilities, string, error) { return g.caps, "", nil })
	if err == nil && !p.result.HasGateways() {
		err = errors.New("there is no Gateway in the manifests")
		if len(p.problems) > 0 {
			err = errors.Join(p.problems, err)
		}
	}
	if err != nil {
		g.log.Error("the manifests have errors; what was served stays", "error", err)
		g.service.read(err)
		g.publisher.flush()
		g.setProblems(err.Error())
		g.write()
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
	g.log.Debug("read the manifests", "took", time.Since(start), "steps", p.steps)
	return apply.Job{Model: p.result.Gateways, Capabilities: p.caps, Report: func(out apply.Outcome) {
		g.service.applied(out)
		g.publisher.put(func() []status.Report {
			g.setProblems(problems)
			return outcome.Complete(p.result.Reports(), p.result.Gateways, out)
		})
	}}, true
}

// publish keeps the statuses of good manifests for /status and in the state folder.
func (g *gateway) publish(reports []status.Report) {
	text, err := status.Marshal(reports)
	if err != nil {
		g.log.Error("the status can't be written", "error", err)
		return
	}
	g.mu.Lock()
	g.statuses = text
	g.mu.Unlock()
	g.write()
}

// setProblems notes what is wrong with the manifests.
func (g *gateway) setProblems(problems string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.problems = problems
}

// write brings the file up to date.
func (g *gateway) write() {
	g.writing.Lock()
	defer g.writing.Unlock()
	g.keeper.Put(g.statusText())
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
