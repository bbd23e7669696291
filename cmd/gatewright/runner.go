package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gatewright/gatewright/runtime/apply"
	nginxrunner "github.com/gatewright/gatewright/runtime/nginx"
)

// runner is a proxy that is run or joined.
type runner interface {
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

// runnerOptions are what every runner is made with.
type runnerOptions struct {
	binary string
	// state is the state folder, current the configuration in it, and marker the socket of the generation.
	state, current, marker string
	// attach is the pid file or the master socket of a proxy that runs; "" to run one.
	attach  string
	timeout time.Duration
	errors  io.Writer
	log     *slog.Logger
	lost    func()
}

func runNginx(o runnerOptions) (runner, error) {
	return nginxrunner.New(nginxrunner.Options{
		Binary: o.binary, Prefix: o.state, Config: filepath.Join(o.current, "nginx.conf"), Marker: o.marker,
		Join: o.attach, Timeout: o.timeout, Errors: o.errors, Log: o.log, Lost: o.lost,
	})
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
