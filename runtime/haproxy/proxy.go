package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/child"
	"github.com/gatewright/gatewright/runtime/marker"
	"github.com/gatewright/gatewright/runtime/process"
)

// Options say which HAProxy to run or to join. It is run in master-worker mode, the only one that reloads.
type Options struct {
	Binary string
	// State is the folder of the pid file, the master socket and the log.
	State string
	// Config is the main file as HAProxy is started with it. It may be behind a symbolic link that is switched.
	Config string
	// Marker is the path of the socket where the configuration tells its generation; "" for a configuration of
	// somebody else's, whose reload is proved by its workers alone.
	Marker string
	// Join is the pid file of the master, or the master socket, of an HAProxy that somebody else starts and
	// stops; "" to run one as a child.
	Join string
	// Find joins the only HAProxy that is to be seen here, of which neither is known.
	Find bool
	// Timeout is how long a start or a reload may take; 0 is 15 s.
	Timeout time.Duration
	// Errors is where the log of a child goes; nil for nowhere but its file.
	Errors io.Writer
	Log    *slog.Logger
	// Lost is called after a child that had ended by itself was started again; it may be nil.
	Lost func()
}

// Proxy runs HAProxy as a child, or joins one that runs. It is an apply.Proxy.
type Proxy struct {
	Options
	*child.Runner
	// worker is the one that began with the last reload of a joined HAProxy, when only the system tells of it.
	worker int
	// socket is the master's; "" when a joined HAProxy is known by its process id only, or not yet.
	socket string
	// known is the master that listens at the socket of a joined HAProxy; none before it was asked.
	known process.ID
	// updater is used by one goroutine at a time, that of the Applier.
	updater updater
}

// The names in the state folder.
const (
	pidName    = "haproxy.pid"
	logName    = "haproxy.log"
	socketName = "haproxy-master.sock"
)

// Hooks are what HAProxy can do beside what an apply.Proxy has to.
func (p *Proxy) Hooks() apply.Hooks { return apply.Hooks{Update: p.Update, Sockets: p.Sockets} }

// New prepares a proxy; nothing is started yet. A child of an earlier run that still serves is taken over.
func New(o Options) (*Proxy, error) {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	p := &Proxy{Options: o, Runner: child.New("HAProxy", o.Marker, o.Timeout)}
	if o.Join != "" || o.Find {
		return p, nil
	}
	p.socket = filepath.Join(o.State, socketName)
	if p.Errors != nil {
		p.Errors = &said{out: p.Errors}
	}
	pidFile := filepath.Join(o.State, pidName)
	var err error
	p.Child, err = process.Supervise(process.Program{
		Name: "HAProxy", Kind: Kind(o.Binary), Drain: unix.SIGUSR1, Stop: unix.SIGTERM, Timeout: o.Timeout,
		LogFile: filepath.Join(o.State, logName), Errors: p.Errors, Log: o.Log, Lost: o.Lost,
		Command: func() *exec.Cmd {
			return exec.Command(o.Binary, "-W", "-S", p.socket+",mode,600", "-p", pidFile, "-f", o.Config)
		},
		DrainChildren: true,
		Complaint:     complaint,
		Clear:         p.clear,
		Serves:        func(ctx context.Context, pid int) error { return p.serves(ctx, pid, nil, "") },
	})
	if err != nil {
		return nil, err
	}
	p.Child.TakeOver(pidFile, func(pid int) bool { return slices.Contains(process.Arguments(pid), o.Config) })
	return p, nil
}

// Generation reads it from the head of haproxy.cfg.
func (p *Proxy) Generation(files []generators.File) (string, error) {
	return marker.In(files, "haproxy.cfg")
}

// Validate lets HAProxy check the configuration in a folder.
func (p *Proxy) Validate(ctx context.Context, dir string) error {
	err := p.ValidateFile(ctx, filepath.Join(dir, filepath.Base(p.Config)))
	var refusal *apply.Refusal
	if errors.As(err, &refusal) {
		refusal.Message = ownNames(dir, refusal.Message)
	}
	return err
}

// ValidateFile is Validate with a main file of any name.
func (p *Proxy) ValidateFile(ctx context.Context, file string) error {
	return apply.Check(ctx, exec.CommandContext(ctx, p.Binary, "-c", "-f", file), refusalText)
}

// refusalText are HAProxy's alerts without those that only say that there were some.
func refusalText(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "[ALERT]") || strings.Contains(line, "rror(s) found in configuration file") ||
			strings.Contains(line, "Fatal errors found in configuration") {
			continue
		}
		// "[ALERT]    (1234) : config : text": the process id is another one every time.
		if _, text, ok := strings.Cut(line, ") : "); ok {
			line = text
		}
		lines = append(lines, "HAProxy: "+line)
	}
	if len(lines) == 0 {
		return "HAProxy refuses it and doesn't say why"
	}
	return strings.Join(lines, "\n")
}

// clear takes away what a killed HAProxy has left: workers that go on serving and hold the ports, and sockets.
func (p *Proxy) clear(ctx context.Context) error {
	for _, socket := range []string{p.Marker, p.socket} {
		if socket == "" {
			continue
		}
		if err := p.Child.Kind.FreeSocket(ctx, socket, unix.SIGUSR1); err != nil {
			return err
		}
	}
	return nil
}

// Signal passes a signal on. HAProxy has no logs to open again, so SIGUSR1, which ends it, isn't one to pass on.
func (p *Proxy) Signal(s os.Signal) error {
	n, ok := s.(syscall.Signal)
	if !ok || n == unix.SIGUSR1 {
		return fmt.Errorf("signal %v isn't passed on to HAProxy", s)
	}
	defer p.Hold()()
	master, err := p.master()
	if err == nil && master == (process.ID{}) {
		err = errNotSeen
	}
	if err != nil {
		return err
	}
	return master.Signal(n)
}
