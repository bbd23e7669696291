package proxies

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	haproxyrunner "github.com/gatewright/gatewright/runtime/haproxy"
	nginxrunner "github.com/gatewright/gatewright/runtime/nginx"
	"github.com/gatewright/gatewright/runtime/nginx/endpoints"
)

// Runner is what every proxy can do that is run or joined.
type Runner interface {
	apply.Proxy
	// Start starts it with the configuration that is there, unless it runs.
	Start(ctx context.Context, generation string) error
	// Shutdown lets it finish its calls, until ctx ends. What was joined goes on.
	Shutdown(ctx context.Context) error
	// Signal passes a signal on.
	Signal(os.Signal) error
	// Close lets go of it.
	Close() error
}

// Runtime is a proxy that is run or joined, with what it can do beside that.
type Runtime struct {
	Runner
	Hooks apply.Hooks
	// Resolver is where the proxy asks for endpoints, generators.Options.Resolver; "" for one that doesn't ask.
	Resolver string
}

// Options are what every Runtime is made with.
type Options struct {
	Binary       string
	Capabilities model.Capabilities
	// State is the state folder, Current the configuration in it, and Marker the socket of the generation.
	State, Current, Marker string
	// Calls is the file for what a proxy that is run says of calls, or "".
	Calls string
	// Attach is the pid file or the master socket of a proxy that runs; "" to run one, or to look for the one to join.
	Attach  string
	Timeout time.Duration
	// Errors gets what a proxy that is run writes to its standard error.
	Errors io.Writer
	Log    *slog.Logger
	// Lost is called after a proxy that is run had ended by itself and was started again; it may be nil.
	Lost func()
}

// runNginx makes a Runtime that reloads nginx, and tells it its endpoints where it asks for them.
func runNginx(o Options) (*Runtime, error) {
	options := nginxrunner.Options{
		Binary: o.Binary, Prefix: o.State, Config: filepath.Join(o.Current, "nginx.conf"), Marker: o.Marker,
		CallLog: o.Calls, Join: o.Attach, Timeout: o.Timeout, Errors: o.Errors, Log: o.Log, Lost: o.Lost,
	}
	if !o.Capabilities.Has(model.FeatureResolve) {
		nginx, err := nginxrunner.New(options)
		if err != nil {
			return nil, err
		}
		return &Runtime{Runner: nginx, Hooks: nginx.Hooks()}, nil
	}
	server, err := endpoints.ListenStable(o.State, o.Log)
	if err != nil {
		return nil, err
	}
	options.Inherit = server.Held()
	nginx, err := nginxrunner.New(options)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	asking := endpoints.New(nginx, server)
	return &Runtime{Runner: asking, Hooks: asking.Hooks(), Resolver: asking.Resolver()}, nil
}

func runHAProxy(o Options) (*Runtime, error) {
	haproxy, err := haproxyrunner.New(haproxyrunner.Options{
		Binary: o.Binary, State: o.State, Config: filepath.Join(o.Current, "haproxy.cfg"), Marker: o.Marker,
		Join: o.Attach, Timeout: o.Timeout, Errors: o.Errors, Log: o.Log, Lost: o.Lost,
	})
	if err != nil {
		return nil, err
	}
	return &Runtime{Runner: haproxy, Hooks: haproxy.Hooks()}, nil
}

// FindBinary is the binary of a proxy when nobody names one: that in PATH, or where distributions put it, which isn't in
// everybody's PATH.
func FindBinary(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return name
}
