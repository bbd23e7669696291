package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// replace stages, validates, switches and reloads, and returns the model that is served then.
func (a *Applier) replace(ctx context.Context, job Job, next Configuration) (model.Gateways, error) {
	a.stopSettling()
	first, err := a.first(job, next)
	if err == nil {
		err = a.check(ctx, first)
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		a.discard(first.Generation)
		if a.Whole {
			return model.Gateways{}, fmt.Errorf("the proxy refuses the configuration: %w", err)
		}
		if next, err = a.isolate(ctx, job, refusal); err != nil {
			return model.Gateways{}, err
		}
		if a.serves(next) {
			return next.Model, nil
		}
		if first, err = a.first(job, next); err == nil {
			err = a.stage(first)
		}
	}
	if err == nil {
		err = a.vacate(ctx, job, first)
	}
	if err == nil {
		err = a.reload(ctx, first)
	}
	if err == nil {
		a.unfinished = first.Generation != next.Generation
	}
	return next.Model, err
}

// first is what to serve of next until the proxy has learnt what it can't know before; next itself otherwise.
func (a *Applier) first(job Job, next Configuration) (Configuration, error) {
	if a.Hooks.Step == nil || a.live == nil {
		return next, nil
	}
	if m, needed := a.Hooks.Step(a.live.Model, next.Model); needed {
		return a.render(job, m)
	}
	return next, nil
}

// stage writes a version.
func (a *Applier) stage(c Configuration) error {
	defer a.took("stage", time.Now())
	_, err := a.Store.Stage(c.Generation, c.Files)
	return err
}

// check stages a version and asks the proxy about it while the disk is busy with it.
func (a *Applier) check(ctx context.Context, c Configuration) error {
	start := time.Now()
	dir, finish, err := a.Store.Begin(c.Generation, c.Files)
	if err != nil {
		return err
	}
	finished := make(chan error, 1)
	go func() {
		err := finish()
		a.took("stage", start)
		finished <- err
	}()
	err = a.validate(ctx, dir)
	if failed := <-finished; err == nil {
		err = failed
	}
	return err
}

// took notes how long a step took.
func (a *Applier) took(step string, start time.Time) {
	took := time.Since(start)
	a.Metrics.step(step, took)
	a.Log.Debug("step", "name", step, "took", took)
}

// validate asks the proxy about a folder. Its message names files as they are called in the configuration.
func (a *Applier) validate(ctx context.Context, dir string) error {
	start := time.Now()
	err := a.Proxy.Validate(ctx, dir)
	a.took("validate", start)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return &Refusal{Message: strings.ReplaceAll(refusal.Message, dir+"/", "")}
	}
	return err
}

// isolate finds what makes a job refused, leaves it out, and returns what is left.
func (a *Applier) isolate(ctx context.Context, job Job, refusal *Refusal) (Configuration, error) {
	start := time.Now()
	before := len(a.quarantine.culprits)
	s := &search{quarantine: &a.quarantine, model: job.Model, check: func(ctx context.Context, m model.Gateways) (string, error) {
		files, err := a.Render.guarded(m, job.Capabilities)
		if err != nil {
			return err.Error(), nil
		}
		dir, remove, err := a.Store.Scratch(files)
		if err != nil {
			return "", err
		}
		defer remove()
		err = a.validate(ctx, dir)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			return refusal.Message, nil
		}
		return "", err
	}}
	err := s.run(ctx)
	a.took("isolate", start)
	if err != nil {
		if errors.Is(err, errNotOurs) {
			return Configuration{}, err
		}
		return Configuration{}, fmt.Errorf("the proxy refuses the configuration (%s); looking for the object to blame: %w", refusal.Message, err)
	}
	a.Log.Info("found what the proxy refuses", "parts", len(a.quarantine.culprits)-before, "checks", s.checks, "took", time.Since(start))
	return a.renderServed(ctx, job)
}

// reload switches to a staged configuration that passed its check and reloads. When the proxy doesn't come to
// serve it, the one before is what a starting proxy reads again. The end of this program doesn't interrupt it: the proxy
// would read one half of the new files and one of the old ones, and be told to drain in the middle of it.
func (a *Applier) reload(ctx context.Context, next Configuration) error {
	before := a.Store.Generation()
	if a.Hooks.Prepare != nil {
		a.Hooks.Prepare(next)
	}
	if err := a.Store.Switch(next.Generation); err != nil {
		return err
	}
	start := time.Now()
	err := a.Proxy.Reload(context.WithoutCancel(ctx), a.Store.Current(), next.Generation)
	a.took("reload", start)
	if err != nil {
		a.live = nil
		if before != "" {
			err = errors.Join(err, a.Store.Switch(before))
		}
		return err
	}
	a.confirmed(next)
	a.force = false
	a.unsettled = time.Time{}
	if err := errors.Join(a.Store.Confirm(), a.Store.Prune()); err != nil {
		a.Log.Warn("the proxy serves the new configuration, but the state folder isn't tidy", "error", err)
	}
	return nil
}

// discard removes what was staged and isn't wanted. What stays is pruned later.
func (a *Applier) discard(generation string) {
	if err := a.Store.Discard(generation); err != nil {
		a.Log.Warn("a refused version could not be removed", "generation", generation, "error", err)
	}
}
