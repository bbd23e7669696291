package child

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gatewright/gatewright/runtime/marker"
	"github.com/gatewright/gatewright/runtime/process"
)

// Runner starts and ends a proxy that is run as a child. One that was joined is neither started nor ended.
type Runner struct {
	// Child is nil for a proxy that was joined.
	Child *process.Supervisor

	name, marker string
	timeout      time.Duration
	// reloads keeps the reloads of a joined proxy apart.
	reloads sync.Mutex
}

// New returns a Runner of a proxy that was joined, until it gets a Child. Messages call it by its name, marker is the path of the socket
// that tells its generation, or "", and timeout is how long a start may take.
func New(name, marker string, timeout time.Duration) *Runner {
	return &Runner{name: name, marker: marker, timeout: timeout}
}

// Running asks the marker's socket which generation is served.
func (r *Runner) Running(ctx context.Context) (string, error) {
	return marker.Ask(ctx, r.name, r.marker)
}

// Hold keeps starts and reloads out until release is called.
func (r *Runner) Hold() (release func()) {
	var lock sync.Locker = &r.reloads
	if r.Child != nil {
		lock = r.Child
	}
	lock.Lock()
	return lock.Unlock
}

// Start starts a child with the configuration that is there, unless it runs: the last good one serves until a new one is ready.
func (r *Runner) Start(ctx context.Context, generation string) error {
	if r.Child == nil {
		return nil
	}
	defer r.Hold()()
	if _, err := r.Child.Process(); err == nil {
		return nil
	}
	return r.Begin(ctx, generation)
}

// Begin starts a child that doesn't run, for who holds it, and returns when the generation is served.
func (r *Runner) Begin(ctx context.Context, generation string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.Child.Start(ctx); err != nil || generation == "" || r.marker == "" {
		return err
	}
	running, err := r.Running(ctx)
	if err == nil && running != generation {
		err = fmt.Errorf("%s serves generation %s, not %s", r.name, running, generation)
	}
	return err
}

// Said is the size of a child's log, for Explain; 0 for a proxy that was joined.
func (r *Runner) Said() int64 {
	if r.Child == nil {
		return 0
	}
	return r.Child.Said().Size()
}

// Explain adds to an error what a child has said since.
func (r *Runner) Explain(err error, since int64) error {
	if err == nil || r.Child == nil {
		return err
	}
	return r.Child.Explain(err, since)
}

// Shutdown lets a child finish its calls and streams and end, and ends them with ctx. A proxy that was joined isn't touched.
func (r *Runner) Shutdown(ctx context.Context) error {
	if r.Child == nil {
		return nil
	}
	return r.Child.Shutdown(ctx)
}

// Close lets go of a proxy that goes on running.
func (r *Runner) Close() error {
	if r.Child == nil {
		return nil
	}
	return r.Child.Close()
}
