package nginx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
)

// Kind tells nginx's masters from all other processes.
func Kind(binary string) process.Kind {
	return process.Kind{
		Program: "nginx", Binary: binary, Role: "master process", Prefix: masterTitle + " ",
		Is: func(pid int) bool { return strings.HasPrefix(process.Title(pid), masterTitle) },
	}
}

// masterTitle begins the title of a master; its command line follows.
const masterTitle = "nginx: master process"

// master is the running one.
func (p *Proxy) master() (process.ID, error) {
	switch {
	case p.child != nil:
		return p.child.Process()
	case p.Join != "":
		return Kind(p.Binary).FromFile(p.Join)
	}
	return Kind(p.Binary).Find()
}

// Master identifies the running master. One that is started later is another one.
func (p *Proxy) Master() (string, error) {
	id, err := p.master()
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// Start starts nginx with the configuration that is there, unless it runs: the last good one serves until a new
// one is ready.
func (p *Proxy) Start(ctx context.Context, generation string) error {
	if p.child == nil {
		return nil
	}
	p.child.Lock()
	defer p.child.Unlock()
	if _, err := p.master(); err == nil {
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
	return Kind(p.Binary).FreeSocket(ctx, p.Marker, unix.SIGQUIT)
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
	err := p.child.Close()
	if p.calls != nil {
		p.stop()
		p.following.Wait()
		err = errors.Join(err, p.calls.Close())
	}
	return err
}

// Signal passes a signal on to nginx, such as SIGUSR1 to open its logs again.
func (p *Proxy) Signal(s os.Signal) error {
	id, err := p.master()
	if err != nil {
		return err
	}
	n, ok := s.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v is unknown here", s)
	}
	if !id.Takes(n) {
		return fmt.Errorf("%s isn't passed on to nginx, which is still starting and would end by it", unix.SignalName(n))
	}
	return id.Signal(n)
}
