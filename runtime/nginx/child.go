package nginx

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
)

// pid is the running master's.
func (p *Proxy) pid() (int, error) {
	switch {
	case p.PID != nil:
		return p.PID()
	case p.child == nil:
		return process.FromFile(p.Join)
	}
	return p.child.PID()
}

// Master identifies the running master. One that is started later is another one.
func (p *Proxy) Master() (string, error) {
	pid, err := p.pid()
	if err != nil {
		return "", err
	}
	return process.Identity(pid)
}

// Start starts nginx with the configuration that is there, unless it runs: the last good one serves until a new
// one is ready.
func (p *Proxy) Start(ctx context.Context, generation string) error {
	if p.child == nil {
		return nil
	}
	p.child.Lock()
	defer p.child.Unlock()
	if _, err := p.pid(); err == nil {
		return nil
	}
	return p.start(ctx, generation)
}

// start returns when the generation is served.
func (p *Proxy) start(ctx context.Context, generation string) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	if err := p.child.Start(ctx); err != nil || generation == "" || p.Marker == "" {
		return err
	}
	running, err := p.Running(ctx)
	if err == nil && running != generation {
		err = fmt.Errorf("nginx serves generation %s, not %s", running, generation)
	}
	return err
}

// clear takes away what a killed nginx has left: workers that go on serving and hold the ports, and the marker's
// socket. The workers end their streams in peace.
func (p *Proxy) clear(ctx context.Context) error {
	if p.Marker == "" {
		return nil
	}
	// A worker that has just been started still has its master's title.
	return process.FreeSocket(ctx, p.Marker, unix.SIGQUIT, "nginx: worker", "nginx: master process "+strings.Join(append([]string{p.Binary}, p.arguments()...), " "))
}

// arguments are those that a child is started with.
func (p *Proxy) arguments() []string {
	return []string{"-e", "stderr", "-p", p.Prefix, "-c", p.Config, "-g", "daemon off;"}
}

// Shutdown lets a child finish its calls and streams and end, and ends them with ctx. A joined nginx isn't
// touched.
func (p *Proxy) Shutdown(ctx context.Context) error {
	if p.child == nil {
		return nil
	}
	return p.child.Shutdown(ctx)
}

// Close lets go of an nginx that goes on running.
func (p *Proxy) Close() error {
	if p.child == nil {
		return nil
	}
	return p.child.Close()
}

// Signal passes a signal on to nginx, such as SIGUSR1 to open its logs again.
func (p *Proxy) Signal(s os.Signal) error {
	pid, err := p.pid()
	if err != nil {
		return err
	}
	n, ok := s.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v is unknown here", s)
	}
	return process.Signal(pid, n)
}

// Find returns the master of the only nginx that is to be seen here.
func Find() (int, error) {
	return process.Find("nginx", func(pid int) bool { return strings.HasPrefix(process.Title(pid), "nginx: master process") })
}
