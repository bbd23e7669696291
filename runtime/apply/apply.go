package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// Way is how a change reached the proxy.
type Way string

// The ways.
const (
	// Unchanged is when the proxy serves the same already.
	Unchanged Way = "unchanged"
	// Updated is without a reload.
	Updated Way = "update"
	// Reloaded is by a reload or a start.
	Reloaded Way = "reload"
)

// Job is a model to serve.
type Job struct {
	Model        model.Gateways
	Capabilities model.Capabilities
	// Report is told what became of the job: after every attempt, and again when something that was left out
	// is served after all. It is called by the goroutine of Applier.Run, and may be nil.
	Report func(Outcome)
}

// Outcome is what became of a job.
type Outcome struct {
	// Err is why the proxy doesn't serve the job; it serves what it did before, if anything. Another attempt
	// follows.
	Err error
	// Generation is what the proxy was told to answer last; "" before the first success.
	Generation string
	Way        Way
	// Reason says why a reload was needed, or what was done instead; "" when there was no choice.
	Reason, Cause string
	// Served is the job's model without what is left out. It is being served when Err is nil.
	Served model.Gateways
	// LeftOut is what the proxy refuses (R31), sorted.
	LeftOut []Culprit
	// Took is how long the attempt was, from the start to the proof that it is served.
	Took time.Duration

	// wait is how long a reload that is needed has to wait; nothing was done then.
	wait time.Duration
	// behind says that Err is about the files on disk only: the proxy serves the job.
	behind bool
}

// Options are what an Applier works with.
type Options struct {
	Proxy Proxy
	// Hooks are what this proxy can do that others can't.
	Hooks  Hooks
	Store  *Store
	Render Renderer
	// Whole says that Render doesn't look at the model, so that nothing can be left out of what it returns.
	Whole bool
	Log   *slog.Logger
	// Metrics may be nil.
	Metrics *Metrics
	// Retry is the pause after the first failure; it doubles up to RetryMax. 0 takes 200 ms and 30 s.
	Retry, RetryMax time.Duration
	// Recheck is how long a part that was left out waits for another try although nothing has changed, for
	// the reason may lie outside; it doubles up to ten times itself. 0 takes a minute.
	Recheck time.Duration
	// Settle is how long the files on disk may be behind a proxy that is changed without a reload, one change
	// after the other. 0 takes a second.
	Settle time.Duration
}

// Applier brings one model after the other to one proxy. It is used by one goroutine at a time, but for Mark.
type Applier struct {
	Options
	dirty chan struct{}
	lost  chan struct{}

	// live is what the proxy is known to serve; nil when that isn't known.
	live *Configuration
	// force asks for a reload although the proxy seems to serve the right generation.
	force      bool
	generation string
	quarantine quarantine
	// places are what the proxy had bound when it was last confirmed; nil before.
	places []netip.AddrPort
	// unsettled is since when the files on disk are behind the proxy; zero when they aren't.
	unsettled time.Time
	// settling is what brings them there; nil while nothing does.
	settling *settling
	// unfinished says that another reload is due, for the proxy has learnt what it had to.
	unfinished bool
	// waiting is what the log says last of a proxy that isn't there yet; "" once it is.
	waiting string
	// failed says that the last attempt failed, and confirms that something was confirmed, as the log has it.
	failed, confirms bool
	// behind says that the log has that the files on disk couldn't be written.
	behind bool
	// logged are the messages about left out parts that the log has already.
	logged map[Part]string
}

// New returns an Applier that does nothing until Run.
func New(o Options) *Applier {
	defaults := []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Retry, 200 * time.Millisecond}, {&o.RetryMax, 30 * time.Second}, {&o.Recheck, time.Minute}, {&o.Settle, time.Second}}
	for _, d := range defaults {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return &Applier{Options: o, dirty: make(chan struct{}, 1), lost: make(chan struct{}, 1)}
}

// Mark says that there is something new to apply. It never waits.
func (a *Applier) Mark() { notify(a.dirty) }

// Lost says that the proxy was started again, so that it serves what is on disk. It never waits.
func (a *Applier) Lost() { notify(a.lost) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Apply makes the proxy serve a job and says what became of it. Run is the usual way to call it.
func (a *Applier) Apply(ctx context.Context, job Job) Outcome {
	start := time.Now()
	out := a.apply(ctx, job)
	out.Took = time.Since(start)
	out.Generation = a.generation
	out.LeftOut = a.quarantine.list()
	if out.wait > 0 {
		return out
	}
	a.Metrics.observe(out)
	a.log(out)
	if job.Report != nil {
		job.Report(out)
	}
	return out
}

func (a *Applier) apply(ctx context.Context, job Job) Outcome {
	if err := a.quarantine.heal(job.Model); err != nil {
		return Outcome{Err: err}
	}
	a.findBusy(job.Model)
	next, err := a.renderServed(ctx, job)
	if err != nil {
		return Outcome{Err: err}
	}
	if a.Hooks.Beside != nil {
		a.Hooks.Beside(ctx, next)
	}
	if a.serves(next) || a.adopt(ctx, next) {
		return Outcome{Way: Unchanged, Served: next.Model}
	}
	out := Outcome{Way: Reloaded, Served: next.Model}
	if u, ok := a.update(ctx, next); ok {
		out.Reason, out.Cause = u.Reason, u.Cause
		if u.Applied {
			out.Way = Updated
			return out
		}
	}
	if a.Hooks.Pace != nil && a.live != nil {
		if out.wait = a.Hooks.Pace(*a.live, job.Capabilities); out.wait > 0 {
			return out
		}
	}
	out.Served, out.Err = a.replace(ctx, job, next)
	return out
}

// renderServed renders all of a job that isn't left out. What can't be rendered is left out too.
func (a *Applier) renderServed(ctx context.Context, job Job) (Configuration, error) {
	for {
		next, err := a.render(job, a.quarantine.served(job.Model))
		var failed *renderError
		if err == nil || a.Whole || !errors.As(err, &failed) {
			return next, err
		}
		var fault *panicked
		if errors.As(err, &fault) {
			a.Log.Error("a fault of gatewright", "error", fault, "stack", string(fault.stack))
		}
		start := time.Now()
		err = a.quarantine.blame(ctx, job.Model, failed.error, a.Render.check(job.Capabilities))
		a.took("isolate", start)
		if err != nil {
			return Configuration{}, err
		}
	}
}

// renderError is an error of Render itself.
type renderError struct{ error }

func (e *renderError) Unwrap() error { return e.error }

func (a *Applier) render(job Job, m model.Gateways) (Configuration, error) {
	defer a.took("render", time.Now())
	files, err := a.Render.guarded(m, job.Capabilities)
	if err != nil {
		return Configuration{}, &renderError{fmt.Errorf("render: %w", err)}
	}
	generation, err := a.Proxy.Generation(files)
	if err != nil {
		return Configuration{}, fmt.Errorf("render: %w", err)
	}
	return Configuration{Model: m, Files: files, Generation: generation}, nil
}

// serves says whether the proxy is known to serve a configuration. For a proxy that takes changes without a
// reload the model counts too: not all of it need be in the files.
func (a *Applier) serves(next Configuration) bool {
	if a.live == nil || a.force || a.live.Generation != next.Generation {
		return false
	}
	if a.Hooks.Update != nil {
		return reflect.DeepEqual(a.live.Model, next.Model)
	}
	return true
}

// adopt takes over a proxy that runs already and serves what is on disk and wanted.
func (a *Applier) adopt(ctx context.Context, next Configuration) bool {
	if a.live != nil || a.force || a.Store.Generation() != next.Generation {
		return false
	}
	running, err := a.Proxy.Running(ctx)
	if err != nil || running != next.Generation {
		return false
	}
	a.confirmed(next)
	if a.Hooks.Update != nil {
		// It gets once more what isn't in the files.
		before := Configuration{Files: next.Files, Generation: next.Generation}
		u, err := a.Hooks.Update(ctx, before, next)
		return err == nil && u.Applied
	}
	return true
}

// update tries to do without a reload.
func (a *Applier) update(ctx context.Context, next Configuration) (Update, bool) {
	if a.Hooks.Update == nil || a.live == nil || a.force {
		return Update{}, false
	}
	done, err := a.Hooks.Update(ctx, *a.live, next)
	if err != nil {
		a.force = true
		return Update{Reason: "the change without a reload failed: " + err.Error(), Cause: "failed"}, true
	}
	if !done.Applied && a.live.Generation == next.Generation {
		// A reload would read the same files again.
		done.Applied = true
	}
	if done.Applied {
		onDisk := a.Store.Generation() == next.Generation
		a.confirmed(next)
		if !onDisk && a.unsettled.IsZero() {
			a.unsettled = time.Now()
		}
	}
	return done, true
}

func (a *Applier) confirmed(c Configuration) {
	a.live = &c
	a.generation = c.Generation
	a.places = placesOf(c.Model)
	a.unfinished = false
}

func (a *Applier) log(out Outcome) {
	took := out.Took.Round(100 * time.Microsecond)
	if !isAbsent(out.Err) {
		a.waiting = ""
	}
	switch {
	case isAbsent(out.Err):
		a.logWaiting(out.Err)
	case out.Err != nil:
		a.Log.Error("not applied; the last good configuration stays", "error", out.Err, "generation", short(out.Generation), "took", took)
	case out.Way != Unchanged:
		a.Log.Info("applied", "way", string(out.Way), "reason", out.Reason, "generation", short(out.Generation), "took", took)
	case !a.confirms:
		a.Log.Info("the proxy serves this already", "generation", short(out.Generation), "took", took)
	case a.failed:
		a.Log.Info("the proxy serves what it is to serve again", "generation", short(out.Generation), "took", took)
	}
	a.failed, a.confirms = out.Err != nil, a.confirms || out.Err == nil
	a.logLeftOut(out.LeftOut)
}

// logLeftOut logs once what is left out, and once that it no longer is.
func (a *Applier) logLeftOut(leftOut []Culprit) {
	now := make(map[Part]string, len(leftOut))
	for _, c := range leftOut {
		now[c.Part] = c.Message
		if before, ok := a.logged[c.Part]; !ok || before != c.Message {
			a.Log.Warn("left out, for it can't be served", "part", c.Part.String(), "message", c.Message)
		}
	}
	for p := range a.logged {
		if _, ok := now[p]; !ok {
			a.Log.Info("no longer left out", "part", p.String())
		}
	}
	a.logged = now
}

// short is enough of a generation for a person to tell it from others.
func short(generation string) string { return generation[:min(len(generation), 12)] }
