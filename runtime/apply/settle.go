package apply

import (
	"context"
	"errors"
	"time"
)

// settlePause is how long no change must come before the files on disk follow a proxy that is ahead of them. Their check
// takes a processor for a while, which the changes of a burst have better use for.
const settlePause = 300 * time.Millisecond

// settling is the writing of what the proxy serves already. It goes on beside the changes that come meanwhile, for
// the disk and the proxy's check take longer than they do.
type settling struct {
	generation string
	cancel     context.CancelFunc
	result     chan error
}

// done gives how it ended. That of a nil settling never gives anything.
func (s *settling) done() <-chan error {
	if s == nil {
		return nil
	}
	return s.result
}

// startSettling begins to write what the proxy serves now.
func (a *Applier) startSettling(ctx context.Context) {
	if a.unsettled.IsZero() || a.live == nil || a.settling != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &settling{generation: a.live.Generation, cancel: cancel, result: make(chan error, 1)}
	a.settling = s
	live := *a.live
	go func() { s.result <- a.writeOut(ctx, live) }()
}

// stopSettling makes the state folder free for something else. What was written is whole, if it is anything.
func (a *Applier) stopSettling() {
	if a.settling == nil {
		return
	}
	a.settling.cancel()
	<-a.settling.result
	a.settling = nil
}

// settled notes how the writing has ended. It returns true when the proxy's check refuses what the proxy took
// without one: that has to be found and left out.
func (a *Applier) settled(err error) (refused bool) {
	generation := a.settling.generation
	a.settling.cancel()
	a.settling = nil
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		a.unsettled, a.force = time.Time{}, true
		return true
	case err != nil:
		a.behind = true
		a.Log.Error("the files on disk are behind the proxy; it is tried again", "error", err)
	case a.live != nil && a.live.Generation == generation:
		a.unsettled = time.Time{}
	case !a.unsettled.IsZero():
		// The proxy is ahead again.
		a.unsettled = time.Now()
	}
	if err == nil && a.behind {
		a.behind = false
		a.Log.Info("the files on disk are no longer behind the proxy", "generation", short(generation))
	}
	a.Metrics.settled(err == nil)
	return false
}

// writeOut brings a configuration to the disk and points a restart to it.
func (a *Applier) writeOut(ctx context.Context, c Configuration) error {
	err := a.check(ctx, c)
	if err == nil {
		err = a.Store.Switch(c.Generation)
	}
	if err == nil {
		err = errors.Join(a.Store.Confirm(), a.Store.Prune())
	}
	return err
}

// settle is all of it at once.
func (a *Applier) settle(ctx context.Context) error {
	a.stopSettling()
	if a.unsettled.IsZero() || a.live == nil {
		return nil
	}
	err := a.writeOut(ctx, *a.live)
	if err == nil {
		a.unsettled = time.Time{}
	}
	return err
}

// last settles at the end, for ctx is no longer good for it.
func (a *Applier) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := a.settle(ctx); err != nil {
		a.Log.Error("the files on disk are behind the proxy", "error", err)
	}
}
