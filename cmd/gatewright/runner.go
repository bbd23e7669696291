package main

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

// runner is a proxy that is run or joined.
type runner interface {
	apply.Proxy
	// Hooks are what it can do beside that.
	Hooks() apply.Hooks
	// Start starts it with the configuration that is there, unless it runs.
	Start(ctx context.Context, generation string) error
	// Shutdown lets it finish its calls, until ctx ends. What was joined goes on.
	Shutdown(ctx context.Context) error
	// Signal passes a signal on.
	Signal(os.Signal) error
	// Close lets go of it.
	Close() error
}

// resolving is a runner whose proxy asks for endpoints.
type resolving interface {
	// Resolver is where: generators.Options.Resolver.
	Resolver() string
}

// runnerOptions are what every runner is made with.
type runnerOptions struct {
	binary string
	caps   model.Capabilities
	// state is the state folder, current the configuration in it, and marker the socket of the generation.
	state, current, marker string
	// calls is the file for what a proxy that is run says of calls, or "".
	calls string
	// attach is the pid file or the master socket of a proxy that runs; "" to run one.
	attach  string
	timeout time.Duration
	errors  io.Writer
	log     *slog.Logger
	lost    func()
}

// runNginx makes a runner that reloads nginx, and tells it its endpoints where it asks for them.
func runNginx(o runnerOptions) (_ runner, err error) {
	options := nginxrunner.Options{
		Binary: o.binary, Prefix: o.state, Config: filepath.Join(o.current, "nginx.conf"), Marker: o.marker,
		CallLog: o.calls, Join: o.attach, Timeout: o.timeout, Errors: o.errors, Log: o.log, Lost: o.lost,
	}
	if !o.caps.Has(model.FeatureResolve) {
		return nginxrunner.New(options)
	}
	server, err := endpoints.ListenStable(o.state, o.log)
	if err != nil {
		return nil, err
	}
	options.Inherit = server.Held()
	proxy, err := nginxrunner.New(options)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return endpoints.New(proxy, server), nil
}

func runHAProxy(o runnerOptions) (runner, error) {
	return haproxyrunner.New(haproxyrunner.Options{
		Binary: o.binary, State: o.state, Config: filepath.Join(o.current, "haproxy.cfg"), Marker: o.marker,
		Join: o.attach, Timeout: o.timeout, Errors: o.errors, Log: o.log, Lost: o.lost,
	})
}

// joinNginx joins an nginx whose main file may be anyone's; without a pid file it is looked for.
func joinNginx(o runnerOptions, config string) (validating, error) {
	options := nginxrunner.Options{Binary: o.binary, Prefix: o.state, Config: config, Marker: o.marker, Join: o.attach, Timeout: o.timeout, Log: o.log}
	if o.attach == "" {
		options.Find = true
	}
	return nginxrunner.New(options)
}

// joinHAProxy joins an HAProxy whose main file may be anyone's; without a pid file or socket it is looked for.
func joinHAProxy(o runnerOptions, config string) (validating, error) {
	options := haproxyrunner.Options{Binary: o.binary, State: o.state, Config: config, Marker: o.marker, Join: o.attach, Timeout: o.timeout, Log: o.log}
	if o.attach == "" {
		options.Find = true
	}
	return haproxyrunner.New(options)
}

// findBinary is the proxy's binary when --proxy-binary doesn't name one: that in PATH, or where distributions put
// it, which isn't in everybody's PATH.
func findBinary(name string) string {
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
