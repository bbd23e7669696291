package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/bridge"
)

const bridgeHelp = `Relay calls beside a proxy, for the rules whose policies no proxy can serve: mirrors of streams, one time for a whole
call, retries by gRPC status, gRPC-Web, names in an endpoint's certificate.

The proxy sends those calls to --socket, by HTTP/2 in cleartext, and names in a header of each what to do with it. What that is
stands in --config, a file of JSON that is read again on every change. One that can't be used leaves the last good one serving,
with a message; /config on --status says which one runs, /metrics beside it what became of calls.

A second bridge may be started for the same sockets: once it has a configuration that it can use it takes their names, and new
connections come to it. SIGTERM and SIGINT
have the old one take no more calls and end once those under way have, for as long as --drain says; what is left gets a status.
SIGUSR2 does the same for up to an hour, as for workers that a reload has replaced. A second SIGTERM or SIGINT ends it at once.

Only this user and root may connect, or the user that --socket-user names: that of the proxy's workers. The folder of a socket
must be one that nobody else can change.`

// bridgeOptions are the flags of bridge.
type bridgeOptions struct {
	*logOptions
	bridge bridge.Options
	user   string
}

func newBridge(log *logOptions) *cobra.Command {
	o := &bridgeOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "bridge --config FILE --socket PATH",
		Short: "Relay calls beside a proxy, for policies that it can't serve",
		Long:  bridgeHelp,
		Example: `  gatewright bridge --config /run/gatewright/bridge.json --socket /run/gatewright/bridge.sock
  gatewright bridge --config bridge.json --socket /run/gatewright/bridge.sock --status /run/gatewright/status.sock --socket-user www-data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.ErrOrStderr()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.bridge.Config, "config", "", "`file` with what is done with calls")
	f.StringVar(&o.bridge.Socket, "socket", "", "`path` of the socket that the proxy sends calls to")
	f.StringVar(&o.bridge.Listen, "status", "", "`path` of the socket that answers /config and /metrics")
	f.StringVar(&o.user, "socket-user", "", "the `user` whose processes may connect to --socket: name or number")
	f.DurationVar(&o.bridge.Drain, "drain", 30*time.Second, "how long calls may take to finish at the end")
	return cmd
}

func (o *bridgeOptions) run(ctx context.Context, stderr io.Writer) error {
	switch {
	case o.bridge.Config == "":
		return errors.New("no configuration: name it with --config FILE")
	case o.bridge.Socket == "":
		return errors.New("no socket: name it with --socket PATH")
	case o.bridge.Socket == o.bridge.Listen:
		return errors.New("--status: it is the same socket as --socket")
	case o.bridge.Drain < 0:
		return errors.New("--drain: it is less than nothing")
	}
	for flag, path := range map[string]string{"--socket": o.bridge.Socket, "--status": o.bridge.Listen} {
		if path == "" {
			continue
		}
		if err := checkSocket(path); err != nil {
			return fmt.Errorf("%s %s: %w", flag, path, err)
		}
	}
	var err error
	if o.bridge.Owner, err = userID(o.user); err != nil {
		return fmt.Errorf("--socket-user: %w", err)
	}
	o.bridge.Log = o.logger(stderr)
	eagerGC()
	draining, now, letGo := endings(ctx)
	defer letGo()
	return bridge.Run(draining, now, o.bridge)
}

// maxSocketPath is how long the path of a socket may be, with the folder that it is made in.
const maxSocketPath = 107 - len("/.b-1234567890")

// checkSocket says whether a socket can be made at a path, in a folder that nobody else can change.
func checkSocket(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if len(path) > maxSocketPath {
		return fmt.Errorf("a socket's path has at most %d bytes here", maxSocketPath)
	}
	dir := filepath.Dir(abs)
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("its folder: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if info, err := os.Lstat(abs); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return errors.New("it is not a socket: move it away")
	}
	return apply.CheckFolder(dir)
}

// userID is the number of a user; -1 for none.
func userID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		if n, failed := strconv.ParseUint(name, 10, 31); failed == nil {
			return int(n), nil
		}
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

// endings are contexts that end with the first signal, and with a second one that isn't SIGUSR2, which says that another bridge has taken
// this one's place: it may come more than once.
func endings(ctx context.Context) (first, second context.Context, letGo func()) {
	first, stop := context.WithCancelCause(ctx)
	second, kill := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				switch {
				case s == syscall.SIGUSR2:
					stop(bridge.ErrReplaced)
				case first.Err() != nil:
					kill()
				default:
					stop(nil)
				}
			case <-done:
				return
			}
		}
	}()
	return first, second, func() {
		signal.Stop(signals)
		close(done)
		stop(nil)
		kill()
	}
}
