package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/runtime/serve"
)

const reloadHelp = `Bring a folder of configuration to a proxy that runs beside this one: plain files, a mounted ConfigMap, a
checkout of git-sync; rendered by gatewright or your own.

Every change is copied to --state-dir, checked there by the proxy's binary, and switched to in one step: the proxy is
started with STATE/current, not with the folder that is watched. Then the proxy is told to reload, and new workers of
it, or its answer when gatewright rendered the files, prove that it did; if they don't come, current points to the
last good files again.

No link is followed out of the folder, and copies have permissions no wider than the files: --from itself may be a link
that is switched, links in the folder lead to places in it. A proxy that was started with other files than STATE/current
isn't reloaded, with a message that has the right command.

The proxy is found by --attach, or as the only one of its kind among the processes to be seen here, such as those of a
pod whose containers share their process namespace. No rights are needed but the proxy's own user.`

// reloadOptions are the flags of reload.
type reloadOptions struct {
	*logOptions
	sidecar serve.SidecarOptions
}

func newReload(log *logOptions) *cobra.Command {
	o := &reloadOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "reload --from DIR --state-dir DIR",
		Short: "Bring a folder of configuration to a running proxy, on every change",
		Long:  reloadHelp,
		Example: `  gatewright reload --from /etc/proxy --state-dir /run/gatewright --attach /run/gatewright/nginx.pid
  gatewright reload --proxy haproxy --from /git/current/haproxy --state-dir /run/gatewright --attach /run/gatewright/master.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.ErrOrStderr()) },
	}
	f := cmd.Flags()
	kindFlag(f, &o.sidecar.Kind)
	binaryFlag(f, &o.sidecar.Binary)
	f.StringVar(&o.sidecar.From, "from", "", fromUsage)
	f.StringVar(&o.sidecar.Config, "config", "", "the main `file` in it (default nginx.conf or haproxy.cfg)")
	attachFlag(f, &o.sidecar.Attach)
	stateFlags(f, &o.sidecar.State)
	serviceFlags(f, &o.sidecar.Listen, &o.sidecar.Timeout)
	return cmd
}

func (o *reloadOptions) run(ctx context.Context, stderr io.Writer) (err error) {
	switch {
	case o.sidecar.From == "":
		return errors.New("no folder to watch: name it with --from DIR")
	case o.sidecar.State.Dir == "":
		return errNoState
	}
	o.sidecar.Log, o.sidecar.Version = o.logger(stderr), thisBuild().Version
	s, err := serve.NewSidecar(o.sidecar)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Serve(ctx, serve.SidecarSignals)
}
