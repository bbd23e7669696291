package apply

import (
	"context"
	"errors"
	"time"
)

// settlePause is how long no change must come before the files on disk follow a proxy that is ahead of them.
const settlePause = 20 * time.Millisecond

// busyMax is the longest pause between looks at a port that somebody else has.
const busyMax = 2 * time.Second

// Run applies what source gives, whenever Mark was called, until ctx ends. One job is applied at a time, and
// what is marked meanwhile is one job afterwards. source returns false when there is nothing new to apply.
// Failed jobs are tried again with growing pauses.
func (a *Applier) Run(ctx context.Context, source func(context.Context) (Job, bool)) {
	var job Job
	var have bool
	retry, recheck := a.Retry, a.Recheck
	timer := time.NewTimer(0)
	if !timer.Stop() {
		<-timer.C
	}
	defer timer.Stop()
	var then func() Outcome // what the timer is for
	attempt := func() Outcome { return a.Apply(ctx, job) }
	for {
		var out Outcome
		select {
		case <-ctx.Done():
			a.last(ctx)
			return
		case <-a.dirty:
			next, ok := source(ctx)
			if !ok {
				continue
			}
			job, have = next, true
			retry = a.Retry
			out = attempt()
		case <-a.lost:
			a.live = nil
			if !have {
				continue
			}
			out = attempt()
		case <-timer.C:
			out = then()
		}
		timer.Stop()
		switch {
		case out.wait > 0:
			timer.Reset(out.wait)
			then = attempt
		case out.Err != nil:
			timer.Reset(retry)
			retry = min(2*retry, a.RetryMax)
			then = attempt
			if out.behind {
				then = func() Outcome { return a.settled(ctx, job) }
			}
		case !a.unsettled.IsZero():
			retry = a.Retry
			timer.Reset(max(0, min(settlePause, a.Settle-time.Since(a.unsettled))))
			then = func() Outcome { return a.settled(ctx, job) }
		case len(a.quarantine.busy) > 0:
			timer.Reset(retry)
			retry = min(2*retry, busyMax)
			then = attempt
		case len(out.LeftOut) > 0:
			timer.Reset(recheck)
			recheck = min(2*recheck, 10*a.Recheck)
			then = func() Outcome {
				a.quarantine.forget()
				return attempt()
			}
		default:
			retry, recheck = a.Retry, a.Recheck
		}
	}
}

// settled settles; a check that refuses what the proxy took without one leads to a reload without the culprit.
func (a *Applier) settled(ctx context.Context, job Job) Outcome {
	err := a.settle(ctx)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		a.unsettled, a.force = time.Time{}, true
		return a.Apply(ctx, job)
	}
	if err != nil {
		a.Log.Error("the files on disk are behind the proxy", "error", err)
	}
	a.Metrics.settled(err == nil)
	return Outcome{Err: err, LeftOut: a.quarantine.list(), behind: err != nil}
}

// last settles at the end, for ctx is no longer good for it.
func (a *Applier) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := a.settle(ctx); err != nil {
		a.Log.Error("the files on disk are behind the proxy", "error", err)
	}
}
