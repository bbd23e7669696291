package nginx

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/child"
	"github.com/gatewright/gatewright/runtime/marker"
	"github.com/gatewright/gatewright/runtime/process"
)

// Options say which nginx to run or to join.
type Options struct {
	Binary string
	// Prefix is nginx's prefix: its pid file, sockets and temporary files are below it, and it stays the same
	// from one configuration to the next.
	Prefix string
	// Config is the main file as nginx is started with it. It may be behind a symbolic link that is switched.
	Config string
	// Marker is the path of the socket where the configuration tells its generation; "" for a configuration of
	// somebody else's, whose reload is proved by its workers alone.
	Marker string
	// CallLog is the file where the configuration writes what nginx says of calls; "" for where all else goes. What stands
	// there is passed on to Errors, and never counts as nginx's own word.
	CallLog string
	// Join is the pid file of an nginx that somebody else starts and stops; "" to run one as a child.
	Join string
	// Find joins the only nginx that is to be seen here, which has no pid file.
	Find bool
	// Timeout is how long a start or a reload may take; 0 is 15 s.
	Timeout time.Duration
	// Inherit are files that a child has open, for whoever comes after us; nobody reads them.
	Inherit []*os.File
	// Errors is where the error log of a child goes; nil for nowhere but its file.
	Errors io.Writer
	Log    *slog.Logger
	// Lost is called after a child that had ended by itself was started again; it may be nil.
	Lost func()
}

// Proxy runs nginx as a child, or joins one that runs. It is an apply.Proxy.
type Proxy struct {
	Options
	*child.Runner
	// calls is the log of CallLog, or nil.
	calls *process.Log
	// following is what passes it on, until stop.
	following sync.WaitGroup
	stop      context.CancelFunc
	// told is what was said last of a check that ended early.
	told atomic.Pointer[string]
	// reloaded is when the last reload was asked for, in nanoseconds since 1970.
	reloaded atomic.Int64
}

// The names below the prefix.
const (
	pidName = "nginx.pid"
	logName = "nginx.log"
)

// Hooks are what nginx can do beside what an apply.Proxy has to.
func (p *Proxy) Hooks() apply.Hooks { return apply.Hooks{Pace: p.Pace, Sockets: p.Sockets} }

// New prepares a proxy; nothing is started yet. A child of an earlier run that still serves is taken over.
func New(o Options) (*Proxy, error) {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	p := &Proxy{Options: o, Runner: child.New("nginx", o.Marker, o.Timeout)}
	if o.Join != "" || o.Find {
		return p, nil
	}
	var err error
	p.Child, err = process.Supervise(process.Program{
		Name: "nginx", Kind: Kind(o.Binary), Drain: unix.SIGQUIT, Stop: unix.SIGTERM, Timeout: o.Timeout,
		LogFile: filepath.Join(o.Prefix, logName), Errors: o.Errors, Log: o.Log, Lost: o.Lost,
		Command: func() *exec.Cmd {
			cmd := command(context.Background(), o.Binary, p.arguments()...)
			cmd.ExtraFiles = o.Inherit
			return cmd
		},
		Complaint: complaint,
		Clear:     p.clear,
		Serves:    func(ctx context.Context, pid int) error { return p.serves(ctx, pid, nil, "") },
	})
	if err == nil {
		err = p.followCalls()
	}
	if err != nil {
		return nil, err
	}
	p.Child.TakeOver(filepath.Join(o.Prefix, pidName), func(pid int) bool {
		return strings.HasPrefix(process.Title(pid), masterTitle) && strings.Contains(process.Title(pid), " -c "+o.Config)
	})
	return p, nil
}

// Generation reads it from the head of http.conf.
func (p *Proxy) Generation(files []generators.File) (string, error) {
	return marker.In(files, "http.conf")
}

// Validate lets nginx check the configuration in a folder, with the prefix that it will have.
func (p *Proxy) Validate(ctx context.Context, dir string) error {
	return p.ValidateFile(ctx, filepath.Join(dir, filepath.Base(p.Config)))
}

// ValidateFile is Validate with a main file of any name.
func (p *Proxy) ValidateFile(ctx context.Context, file string) error {
	if p.Child == nil {
		return p.validateJoined(ctx, file)
	}
	return p.check(ctx, file)
}

// refusalText is what nginx says of a configuration without the times, the process ids and the last line, which
// only says that the test has failed.
func refusalText(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasSuffix(line, "test failed") || strings.Contains(line, "[warn]") {
			continue
		}
		if i := strings.Index(line, "[emerg]"); i >= 0 {
			_, text, numbered := strings.Cut(line[i:], ": ")
			if numbered && strings.Contains(line[i:i+len(line[i:])-len(text)], "#") {
				line = "[emerg] " + text
			} else {
				line = line[i:]
			}
		}
		lines = append(lines, "nginx: "+strings.TrimPrefix(line, "nginx: "))
	}
	if len(lines) == 0 {
		return "nginx refuses it and doesn't say why"
	}
	return strings.Join(lines, "\n")
}

// workers are the children of a master, those that drain apart from those that serve.
func workers(master int) (draining, serving []int) {
	for _, pid := range process.Children(master) {
		title := process.Title(pid)
		switch {
		case strings.Contains(title, "shutting down"):
			draining = append(draining, pid)
		case strings.HasPrefix(title, "nginx: worker"):
			serving = append(serving, pid)
		}
	}
	return draining, serving
}
