package apply

import (
	"context"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// slow is a fake that takes changes, and whose check takes as long as the test wants.
type slow struct {
	updating
	checking chan struct{} // told of each check
	checked  chan struct{} // ends each check
}

func (s *slow) Validate(ctx context.Context, dir string) error {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running == "" {
		return s.updating.Validate(ctx, dir)
	}
	s.checking <- struct{}{}
	select {
	case <-s.checked:
		return s.updating.Validate(ctx, dir)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestSettling: changes don't wait for the disk, the newest one gets there, and a reload takes the disk's place.
func TestSettling(t *testing.T) {
	proxy := &slow{checking: make(chan struct{}, 10), checked: make(chan struct{})}
	proxy.answer = Update{Applied: true}
	a := newApplier(t, proxy)
	a.Hooks.Update = proxy.Update
	ctx, cancel := context.WithCancel(context.Background())
	jobs := make(chan model.Gateways, 10)
	outcomes := make(chan Outcome, 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(ctx, func(context.Context) (Job, bool) {
			return Job{Model: <-jobs, Report: func(o Outcome) { outcomes <- o }}, true
		})
	}()
	apply := func(listeners, rules int, want Way) Outcome {
		t.Helper()
		jobs <- sample(listeners, rules)
		a.Mark()
		out := <-outcomes
		if out.Err != nil || out.Way != want {
			t.Fatalf("%+v, want %s", out, want)
		}
		return out
	}
	apply(1, 1, Reloaded)
	second := apply(1, 2, Updated)
	<-proxy.checking
	third := apply(1, 3, Updated) // while the second is being checked
	proxy.checked <- struct{}{}
	<-proxy.checking
	if got := a.Store.Generation(); got != second.Generation {
		t.Errorf("current is %s, want the second one, %s", got, second.Generation)
	}
	proxy.checked <- struct{}{}
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(time.Millisecond); a.Store.Generation() != third.Generation; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("current is %s, want the third one, %s", a.Store.Generation(), third.Generation)
		}
	}
	apply(1, 4, Updated)
	<-proxy.checking
	proxy.mu.Lock()
	proxy.answer = Update{Reason: "a new listener"}
	proxy.mu.Unlock()
	jobs <- sample(2, 4)
	a.Mark()
	<-proxy.checking // of the reload: the one before has been given up
	proxy.checked <- struct{}{}
	if out := <-outcomes; out.Err != nil || out.Way != Reloaded || a.Store.Generation() != out.Generation {
		t.Errorf("%+v, current is %s", out, a.Store.Generation())
	}
	cancel()
	<-ended
}
