package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/runtime/notify"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// EntryOptions say which proxy to start with the configuration of a state folder.
type EntryOptions struct {
	// Command is the team's own, without what names the configuration.
	Command []string
	// Sidecar has the state folder. With a From, the same process brings that folder to the proxy; else another one changes what is in
	// the state folder, and tells the proxy. What the command says (Kind, Binary, Attach) is found out.
	Sidecar SidecarOptions
	// Drain is how long calls may take to finish at the end; 0 ends them at once.
	Drain time.Duration
	Log   *slog.Logger
}

// Entry is the first process of a proxy's container: it starts the proxy once a configuration is written, passes signals on in the
// proxy's own meaning, and ends with it.
type Entry struct {
	EntryOptions
	kind    entryKind
	command []string
	config  string
}

// NewEntry checks the command. Nothing is started yet.
func NewEntry(o EntryOptions) (*Entry, error) {
	kind, at, err := proxyOf(o.Command)
	if err != nil {
		return nil, err
	}
	if o.Drain < 0 {
		return nil, errors.New("--drain: it is less than nothing")
	}
	state, err := filepath.Abs(o.Sidecar.State.Dir)
	if err != nil {
		return nil, err
	}
	o.Sidecar.State.Dir = state
	if o.Sidecar.Config == "" {
		o.Sidecar.Config = kind.MainFile
	}
	e := &Entry{EntryOptions: o, kind: entryKinds[kind.Name], config: filepath.Join(state, "current", o.Sidecar.Config)}
	args, err := e.kind.complete(o.Command[at+1:], state, e.config)
	if err != nil {
		return nil, err
	}
	e.command = append(slices.Clone(o.Command[:at+1]), args...)
	e.Sidecar.Kind, e.Sidecar.Log = kind, o.Log
	e.Sidecar.Binary = o.Command[at]
	if path, err := exec.LookPath(o.Command[at]); err == nil {
		e.Sidecar.Binary = path
	} else if e.command[at] == kind.Name {
		e.Sidecar.Binary = proxies.FindBinary(kind.Name)
	}
	if at == 0 {
		e.command[0] = e.Sidecar.Binary
	}
	if e.kind.attach != "" && !slices.Contains(o.Command, "-S") {
		e.Sidecar.Attach = filepath.Join(state, e.kind.attach)
	}
	return e, nil
}

// Run returns when the proxy has ended, with its exit code: 128 and the signal's number where a signal has ended it.
func (e *Entry) Run(ctx context.Context, take Signals) (code int, err error) {
	signals, letGo := take()
	defer letGo()
	manager := notify.Process() // Whatever the proxy is, it has none.
	if e.Sidecar.From != "" {
		stop, err := e.follow(ctx)
		if err != nil {
			return 0, err
		}
		defer func() {
			if stopped := stop(); err == nil {
				err = stopped
			}
		}()
	}
	if err := process.LimitFiles(limits.Default.Files, limits.Default.WorkerFiles()); err != nil {
		e.Log.Warn("few files can be open", "error", err)
	}
	if s := e.wait(ctx, signals); s != nil {
		e.Log.Info("ending before there was a configuration", "signal", s.String())
		return codeOf(s), nil
	}
	if err := process.Adopt(); err != nil {
		e.Log.Warn("what a killed proxy leaves behind isn't ended with it", "error", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), e.command[0], e.command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// A signal from the terminal is for gatewright, which passes it on in its own way.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	e.Log.Info("starting", "proxy", e.Sidecar.Kind.Name, "command", e.command)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start the proxy: %w", err)
	}
	if e.Sidecar.From == "" {
		manager.Ready("has started " + e.Sidecar.Kind.Name)
	}
	id, err := process.Identify(cmd.Process.Pid)
	if err != nil {
		return 0, errors.Join(err, cmd.Wait())
	}
	return e.accompany(id, cmd, signals)
}

// follow brings the folder to the proxy beside everything else, until stop is called.
func (e *Entry) follow(ctx context.Context) (stop func() error, err error) {
	sidecar, err := NewSidecar(e.Sidecar)
	if err != nil {
		return nil, err
	}
	end := make(chan os.Signal, 1)
	failed := make(chan error, 1)
	var task sync.WaitGroup
	task.Go(func() { failed <- sidecar.Serve(ctx, func() (<-chan os.Signal, func()) { return end, func() {} }) })
	return func() error {
		end <- syscall.SIGTERM
		task.Wait()
		return errors.Join(<-failed, sidecar.Close())
	}, nil
}

// wait returns when there is a configuration to start with, or the signal that ended that.
func (e *Entry) wait(ctx context.Context, signals <-chan os.Signal) os.Signal {
	if e.written() {
		return nil
	}
	e.Log.Info("waiting for a configuration", "file", e.config)
	tick := time.NewTicker(entryLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return syscall.SIGTERM
		case s := <-signals:
			if ending(s) {
				return s
			}
		case <-tick.C:
			if e.written() {
				return nil
			}
		}
	}
}

// entryLook is how often it is looked for a configuration.
const entryLook = 50 * time.Millisecond

func (e *Entry) written() bool {
	_, err := os.Stat(e.config)
	return err == nil
}

// accompany passes signals on until the proxy has ended.
func (e *Entry) accompany(id process.ID, cmd *exec.Cmd, signals <-chan os.Signal) (int, error) {
	exited := make(chan struct{})
	var ended error
	go func() {
		ended = cmd.Wait()
		close(exited)
	}()
	drain, now := context.WithCancel(context.Background())
	defer now()
	finished := make(chan error, 1)
	draining := false
	for {
		select {
		case <-exited:
			if draining {
				now()
				if err := <-finished; err != nil {
					return 0, err
				}
			}
			if n := process.EndOrphans(id.PID); n > 0 {
				e.Log.Warn("ended what the proxy has left behind", "processes", n)
			}
			return e.result(ended, draining)
		case s := <-signals:
			switch {
			case ending(s) && draining:
				now()
			case ending(s):
				draining = true
				e.Log.Info("ending", "signal", s.String(), "drain", e.Drain)
				notify.Process().Stopping("lets the proxy finish its calls", e.Drain+stopping)
				defer time.AfterFunc(e.Drain, now).Stop()
				go func() { finished <- e.kind.program.Finish(drain, id, exited) }()
			default:
				e.pass(id, s)
			}
		}
	}
}

// pass passes on a signal that doesn't end the proxy.
func (e *Entry) pass(id process.ID, s os.Signal) {
	n, ok := s.(syscall.Signal)
	if ok && n == unix.SIGHUP {
		n = e.kind.reload
	}
	switch {
	case n != e.kind.reload && !slices.Contains(e.kind.also, n):
		e.Log.Warn("a signal isn't passed on: it would end the proxy, or start another one", "signal", s.String())
	case !id.Takes(n):
		e.Log.Warn("a signal isn't passed on: the proxy is still starting and would end by it", "signal", s.String())
	default:
		if err := id.Signal(n); err != nil {
			e.Log.Error("a signal could not be passed on", "signal", s.String(), "error", err)
		}
	}
}

// result is the exit code of a proxy that has ended.
func (e *Entry) result(err error, wanted bool) (int, error) {
	code := 0
	var exit *exec.ExitError
	switch {
	case err == nil:
	case !errors.As(err, &exit):
		return 0, err
	default:
		code = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			code = codeOf(status.Signal())
		}
	}
	if wanted {
		e.Log.Info("the proxy has ended", "code", code)
	} else {
		e.Log.Error("the proxy has ended by itself", "code", code)
	}
	return code, nil
}

// codeOf is the exit code of what a signal has ended, as shells have it.
func codeOf(s os.Signal) int {
	n, _ := s.(syscall.Signal)
	return 128 + int(n)
}

// ending says that a signal asks for the end.
func ending(s os.Signal) bool {
	return s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT
}

// EntrySignals are those of this process that an Entry knows.
func EntrySignals() (<-chan os.Signal, func()) {
	return notified(syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
}
