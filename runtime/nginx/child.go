package nginx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
)

// pid is the running master's.
func (p *Proxy) pid() (int, error) {
	switch {
	case p.PID != nil:
		return p.PID()
	case p.Join != "":
		return process.FromFile(p.Join)
	}
	if pid := int(p.master.Load()); pid != 0 && process.Alive(pid) {
		return pid, nil
	}
	return 0, errors.New("nginx isn't running")
}

// takeOver looks for a child that an earlier run of gatewright has left serving.
func (p *Proxy) takeOver() {
	pid, err := process.FromFile(filepath.Join(p.Prefix, pidName))
	if err != nil {
		return
	}
	// Another process may have got the number since.
	title := process.Title(pid)
	if !strings.HasPrefix(title, "nginx: master") || !strings.Contains(title, p.Config) {
		return
	}
	p.Log.Info("took over a running nginx", "pid", pid)
	p.follow(pid, func() error { return process.Wait(context.Background(), pid) })
	p.good = true
}

// Start starts nginx with the configuration that is there, if it doesn't run already: the last good one serves
// until a new one is ready.
func (p *Proxy) Start(ctx context.Context, generation string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.pid(); err == nil || p.joined() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	return p.start(ctx, generation)
}

// start starts a master and returns when it serves.
func (p *Proxy) start(ctx context.Context, generation string) error {
	if err := p.clear(ctx); err != nil {
		return err
	}
	said := p.log.Size()
	cmd := exec.Command(p.Binary, "-e", "stderr", "-p", p.Prefix, "-c", p.Config, "-g", "daemon off;")
	cmd.Stdout, cmd.Stderr = p.log.File(), p.log.File()
	// A signal from the terminal is for gatewright, which passes it on in its own way.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start nginx: %w", err)
	}
	p.follow(cmd.Process.Pid, cmd.Wait)
	if err := p.confirm(ctx, cmd.Process.Pid, nil, generation, said); err != nil {
		err = p.explain(fmt.Errorf("start nginx: %w", err), said)
		return errors.Join(err, p.end(cmd.Process.Pid))
	}
	p.good = true
	return nil
}

// follow notes a master and starts it again when it ends without being asked to.
func (p *Proxy) follow(pid int, wait func() error) {
	exited := make(chan struct{})
	p.master.Store(int64(pid))
	p.exited = exited
	// A child is reaped for as long as this process lives, whoever still cares.
	go func() {
		err := wait()
		close(exited)
		p.mu.Lock()
		again := p.master.CompareAndSwap(int64(pid), 0) && p.good && !p.stopping
		p.mu.Unlock()
		if again {
			p.Log.Error("nginx has ended by itself; starting it again", "pid", pid, "error", err)
			p.restart()
		}
	}()
}

// The pauses between attempts to start nginx again.
const (
	restartPause = 100 * time.Millisecond
	restartMax   = 10 * time.Second
)

// restart tries until nginx runs, by whichever way, or isn't wanted any more.
func (p *Proxy) restart() {
	pause := restartPause
	for {
		p.mu.Lock()
		_, err := p.pid()
		if err == nil || p.stopping {
			p.mu.Unlock()
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), p.Timeout)
		err = p.start(ctx, "")
		cancel()
		p.mu.Unlock()
		if err == nil {
			p.Lost()
			return
		}
		p.Log.Error("nginx could not be started again", "error", err, "again", pause)
		select {
		case <-p.done:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, restartMax)
	}
}

// clear takes away what a killed nginx has left: workers that go on serving and hold the ports, and the marker's
// socket. The workers end their streams in peace.
func (p *Proxy) clear(ctx context.Context) error {
	if p.Marker == "" {
		return nil
	}
	holders, err := process.Listeners(p.Marker)
	if err != nil {
		return err
	}
	for _, pid := range holders {
		if !strings.HasPrefix(process.Title(pid), "nginx: worker") {
			return fmt.Errorf("start nginx: process %d (%s) listens at %s: end it, or choose another --state-dir", pid, process.Name(pid), p.Marker)
		}
		p.Log.Warn("a worker of an nginx that was killed is told to finish", "pid", pid)
		if err := process.Signal(pid, unix.SIGQUIT); err != nil {
			return err
		}
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		// The last one to close it frees the socket, and with it the ports.
		err := process.RemoveSocket(p.Marker)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start nginx: %w", err)
		case <-tick.C:
		}
	}
}

// end ends a master that could not come to serve.
func (p *Proxy) end(pid int) error {
	p.good = false
	if err := process.Signal(pid, unix.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(2 * time.Second):
		return process.Signal(pid, unix.SIGKILL)
	}
}

// Shutdown lets a child finish its calls and streams and end, and ends them with ctx. A joined nginx isn't
// touched.
func (p *Proxy) Shutdown(ctx context.Context) error {
	if p.joined() {
		return nil
	}
	p.mu.Lock()
	p.stopping = true
	master, exited := int(p.master.Load()), p.exited
	p.mu.Unlock()
	if master == 0 {
		return nil
	}
	if err := process.Signal(master, unix.SIGQUIT); err != nil {
		return err
	}
	select {
	case <-exited:
		return nil
	case <-ctx.Done():
	}
	if err := process.Signal(master, unix.SIGTERM); err != nil {
		return err
	}
	select {
	case <-exited:
		return nil
	case <-time.After(5 * time.Second):
		return process.Signal(master, unix.SIGKILL)
	}
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
