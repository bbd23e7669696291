package nginx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	case p.Child != nil:
		return p.Child.Process()
	case p.Join != "":
		return p.Named(Kind(p.Binary), p.Join)
	}
	return p.Only(Kind(p.Binary))
}

// Running asks the marker's socket which generation is served. A joined nginx that can't be reloaded, or can't read what is
// written for it, counts for nothing: calls would get what is served now for ever.
func (p *Proxy) Running(ctx context.Context) (string, error) {
	if p.Child == nil {
		master, err := p.master()
		if err == nil {
			err = p.ReadableBy(master.PID, filepath.Dir(p.Config))
		}
		if err != nil {
			return "", err
		}
	}
	return p.Runner.Running(ctx)
}

// Master identifies the running master. One that is started later is another one.
func (p *Proxy) Master() (string, error) {
	id, err := p.master()
	if err != nil {
		return "", err
	}
	return id.String(), nil
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

// Close lets go of an nginx that goes on running.
func (p *Proxy) Close() error {
	err := p.Runner.Close()
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
