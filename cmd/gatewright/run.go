package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/follow"
	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/serve"
)

const runHelp = `Run a gateway without Kubernetes: manifests are watched and reach a running proxy on every change.

The proxy's binary is looked for in PATH and /usr/sbin unless --proxy-binary names it. It runs as a child, from the configuration in --state-dir, and is started again when it ends. With --attach
one that somebody else starts is joined: it has to be started with the same prefix and files, for nginx
"nginx -p STATE -c STATE/current/nginx.conf". A configuration that the proxy refuses, or that it doesn't come to
serve, leaves the last good one serving; one bad object costs only itself. What is wrong with each object is in
status.yaml in --state-dir and at /status.

The workers of an HAProxy that would run as root run as haproxy, else as nobody, unless --user names another; nginx's run as the
user that it was built with.

A bridge runs beside the proxy as soon as a rule needs it, for what no proxy can do, such as mirrors, and is started again when it ends;
--bridge-socket names one of your own instead.

SIGTERM and SIGINT let the proxy finish its calls, for as long as --drain says; a second one ends it at once. SIGHUP
reads the manifests again. SIGUSR1 is passed on. SIGUSR2 ends it and leaves the proxy and
the bridge serving, for the next run with this state folder to take over: calls go on while gatewright is restarted or replaced.`

// runOptions are the flags of run.
type runOptions struct {
	*logOptions
	source pipeline.Source
	engine serve.Options
}

func newRun(log *logOptions) *cobra.Command {
	o := &runOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "run -f FILES --state-dir DIR",
		Short: "Serve manifests with a local proxy, and follow their changes",
		Long:  runHelp,
		Example: `  gatewright run -f manifests/ --state-dir /var/lib/gatewright
  gatewright run -f manifests/ --state-dir /run/gatewright --attach /run/gatewright/nginx.pid`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.ErrOrStderr()) },
	}
	f := cmd.Flags()
	sourceFlags(f, &o.source)
	engineFlags(f, &o.engine, string(generators.AccessStderr))
	return cmd
}

func (o *runOptions) run(ctx context.Context, stderr io.Writer) (err error) {
	switch {
	case len(o.source.Filenames) == 0:
		return errors.New("no manifests: name them with -f FILE or -f FOLDER")
	case o.engine.State.Dir == "":
		return errNoState
	case slices.Contains(o.source.Filenames, stdoutName):
		return errors.New("-f -: run watches files and folders; standard input can't be watched")
	}
	return withEngine(ctx, o.engine, o.logger(stderr), stderr, func(e *serve.Engine) error {
		return follow.Manifests(ctx, e, o.source, serve.EngineSignals)
	})
}

// errNoState is for the commands that need one.
var errNoState = errors.New("no state folder: name it with --state-dir DIR")

// withEngine makes an engine, lets work use it until a signal ends that, and lets go of it.
func withEngine(ctx context.Context, o serve.Options, log *slog.Logger, stderr io.Writer, work func(*serve.Engine) error) (err error) {
	eagerGC()
	o.Log, o.Errors, o.Version = log, stderr, thisBuild().Version
	e, err := serve.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return work(e)
}
