package apply

import (
	"context"
	"time"
)

// busyMax is the longest pause between looks at a port that somebody else has.
const busyMax = 2 * time.Second

// absentMax is the longest pause between looks for a proxy that isn't there yet.
const absentMax = time.Second

// finishPause is how long no change must come before a proxy that serves already takes the reload that is left. A change
// of which it needs one anyway brings that along.
const finishPause = time.Second

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
	urgent := false         // that it is for something that isn't served yet
	attempt := func() Outcome { return a.Apply(ctx, job) }
	settle := func() Outcome {
		a.startSettling(ctx)
		return Outcome{}
	}
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
			a.stopSettling()
			a.live = nil
			if !have {
				continue
			}
			out = attempt()
		case err := <-a.settling.done():
			refused := a.settled(err)
			switch {
			case refused:
				out = attempt()
			case urgent:
				continue
			default:
				out = Outcome{Err: err, behind: err != nil, LeftOut: a.quarantine.list()}
			}
		case <-timer.C:
			out = then()
		}
		timer.Stop()
		urgent = false
		switch {
		case out.wait > 0:
			timer.Reset(out.wait)
			then, urgent = attempt, true
		case out.Err != nil:
			timer.Reset(retry)
			retry = min(2*retry, a.RetryMax)
			if isAbsent(out.Err) {
				retry = min(retry, absentMax)
			}
			then, urgent = attempt, true
			if out.behind {
				then, urgent = settle, false
			}
		case a.settling != nil:
			// It says when it is done.
		case !a.unsettled.IsZero() && a.live != nil:
			retry = a.Retry
			timer.Reset(max(0, min(settlePause, a.Settle-time.Since(a.unsettled))))
			then = settle
		case a.unfinished:
			timer.Reset(finishPause)
			then = attempt
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
