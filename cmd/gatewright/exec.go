package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/runtime/serve"
)

const execHelp = `Be the entry point of a proxy's own container: wait until --state-dir has a configuration, start the proxy with it, pass
signals on, and end with the proxy's exit code. Nothing is started again: that is for whoever runs the container.

The command is the team's own. What starts the proxy with the configuration in --state-dir is added: for nginx -p, -c, -e and
-g 'daemon off;', for HAProxy -W, -S STATE/master.sock and -f. An option that names another file is refused. A script may stand
before the proxy, such as the entry point of its image.

The configuration comes from a gatewright beside this one (controller, run or reload with --attach), or, with --from, from a folder
that this one follows and brings to the proxy by itself, as "gatewright reload" does: then the containers share nothing but that
folder.

SIGTERM, SIGINT and SIGQUIT let the proxy finish its calls, for as long as --drain says; a second one ends it at once. SIGHUP has
it read its configuration again, and SIGUSR1 has nginx open its logs again. Process 1 of a container also takes away what has lost
its parent.

Exit codes: the proxy's own; 128 and the number of the signal that ended it; 1 when it could not be started.`

// execOptions are the flags of exec.
type execOptions struct {
	*logOptions
	entry serve.EntryOptions
}

func newExec(log *logOptions) *cobra.Command {
	o := &execOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "exec --state-dir DIR -- PROXY [ARGUMENTS]",
		Short: "Start a proxy with the configuration of a state folder, as the entry point of its container",
		Long:  execHelp,
		Example: `  gatewright exec --state-dir /state -- nginx -g 'daemon off;'
  gatewright exec --state-dir /state --from /etc/proxy -- haproxy`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), cmd.ErrOrStderr(), args) },
	}
	f := cmd.Flags()
	stateFlags(f, &o.entry.Sidecar.State)
	f.StringVar(&o.entry.Sidecar.From, "from", "", fromUsage)
	f.StringVar(&o.entry.Sidecar.Config, "config", "", "the main `file` of the configuration (default nginx.conf or haproxy.cfg)")
	f.DurationVar(&o.entry.Drain, "drain", 30*time.Second, "how long calls may take to finish at the end")
	serviceFlags(f, &o.entry.Sidecar.Listen, &o.entry.Sidecar.Timeout)
	return cmd
}

func (o *execOptions) run(ctx context.Context, stderr io.Writer, command []string) error {
	switch {
	case o.entry.Sidecar.State.Dir == "":
		return errNoState
	case len(command) == 0:
		return errors.New("no command: name the proxy behind --, such as -- nginx -g 'daemon off;'")
	}
	o.entry.Command, o.entry.Log = command, o.logger(stderr)
	o.entry.Sidecar.Version = thisBuild().Version
	e, err := serve.NewEntry(o.entry)
	if err != nil {
		return err
	}
	eagerGC()
	code, err := e.Run(ctx, serve.EntrySignals)
	if err != nil || code == exitFine {
		return err
	}
	return exitCode(code)
}
