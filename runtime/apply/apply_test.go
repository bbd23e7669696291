package apply

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

func TestApply(t *testing.T) {
	proxy := &fake{}
	a := newApplier(t, proxy)
	ctx := context.Background()
	m := sample(2, 10)
	if out := a.Apply(ctx, Job{Model: m}); out.Err != nil || out.Way != Reloaded || out.Generation != a.Store.Generation() {
		t.Fatalf("first: %+v", out)
	}
	if out := a.Apply(ctx, Job{Model: m}); out.Err != nil || out.Way != Unchanged {
		t.Errorf("the same again: %+v", out)
	}
	if len(proxy.reloads) != 1 || proxy.validated != 1 {
		t.Errorf("%d reloads, %d checks; want 1 of each", len(proxy.reloads), proxy.validated)
	}
	// Another one that joins the same proxy has nothing to do.
	b := New(a.Options)
	if out := b.Apply(ctx, Job{Model: m}); out.Err != nil || out.Way != Unchanged || out.Generation == "" {
		t.Errorf("joined: %+v", out)
	}
	if len(proxy.reloads) != 1 {
		t.Errorf("joining reloaded")
	}
}

func TestReloadFails(t *testing.T) {
	proxy := &fake{}
	a := newApplier(t, proxy)
	ctx := context.Background()
	first := a.Apply(ctx, Job{Model: sample(1, 1)})
	proxy.failReload = errors.New("it does not come")
	out := a.Apply(ctx, Job{Model: sample(1, 2)})
	if !errors.Is(out.Err, proxy.failReload) || out.Generation != first.Generation || a.Store.Generation() != first.Generation {
		t.Errorf("failed reload: %+v, current %s", out, a.Store.Generation())
	}
	proxy.failReload = nil
	if out := a.Apply(ctx, Job{Model: sample(1, 2)}); out.Err != nil || out.Way != Reloaded || a.Store.Generation() != out.Generation {
		t.Errorf("again: %+v", out)
	}
}

// spoil makes one part of each kind bad.
var spoil = map[PartKind]func(m *model.Gateways) Part{
	ListenerPart: func(m *model.Gateways) Part {
		m.Gateways[0].Listeners[7].Hostname = "bad.test"
		return ListenerOf(&m.Gateways[0], &m.Gateways[0].Listeners[7])
	},
	KeyPairPart: func(m *model.Gateways) Part {
		m.KeyPairs[3].Key = []byte("bad")
		return keyPairOf("pair3")
	},
	RulePart: func(m *model.Gateways) Part {
		r := m.Gateways[0].Listeners[2].Scopes[0].Rules[4]
		r.Matches[0].Path.Service = "bad"
		return RuleOf(r.Source)
	},
	ClusterPart: func(m *model.Gateways) Part {
		m.Clusters[77].Service = "bad"
		return clusterOf("c77")
	},
}

func TestQuarantine(t *testing.T) {
	const listeners, rules = 10, 1000
	for kind, make := range spoil {
		t.Run(string(kind), func(t *testing.T) {
			proxy := &fake{}
			a := newApplier(t, proxy)
			ctx := context.Background()
			m := sample(listeners, rules)
			want := make(&m)
			out := a.Apply(ctx, Job{Model: m})
			if out.Err != nil || len(out.LeftOut) != 1 || out.LeftOut[0].Part != want || !strings.Contains(out.LeftOut[0].Message, "bad") {
				t.Fatalf("want %s left out: %v, %+v", want, out.Err, out.LeftOut)
			}
			if strings.Contains(out.LeftOut[0].Message, a.Store.Dir()) {
				t.Errorf("the message names a folder that is gone: %s", out.LeftOut[0].Message)
			}
			// The refusal, the empty one, all listeners, all rules, the halves, a probe, and what is left.
			if most := 6 + bits.Len(rules); proxy.validated > most {
				t.Errorf("%d checks, want at most %d", proxy.validated, most)
			}
			// The next change costs one check, and a change of the culprit heals it.
			proxy.validated = 0
			m.Gateways[0].Listeners[0].Scopes[0].Rules[0].Matches[0].Path.Service = "other"
			if out := a.Apply(ctx, Job{Model: m}); out.Err != nil || out.Way != Reloaded || len(out.LeftOut) != 1 || proxy.validated != 1 {
				t.Errorf("next change: %v, %d checks, %+v", out.Err, proxy.validated, out.LeftOut)
			}
			if out := a.Apply(ctx, Job{Model: sample(listeners, rules)}); out.Err != nil || len(out.LeftOut) != 0 {
				t.Errorf("healed: %v, %+v", out.Err, out.LeftOut)
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		proxy := &fake{}
		a := newApplier(t, proxy)
		m := sample(listeners, rules)
		var want []string
		for _, make := range spoil {
			want = append(want, make(&m).String())
		}
		slices.Sort(want)
		out := a.Apply(context.Background(), Job{Model: m})
		var got []string
		for _, c := range out.LeftOut {
			got = append(got, c.Part.String())
		}
		if out.Err != nil || !slices.Equal(got, want) {
			t.Errorf("left out %q, want %q (%v)", got, want, out.Err)
		}
		if n := len(out.Served.Gateways[0].Listeners); n != listeners-2 {
			t.Errorf("%d listeners are served, want all but 2", n)
		}
	})
	t.Run("not ours", func(t *testing.T) {
		proxy := &fake{broken: "no space"}
		out := newApplier(t, proxy).Apply(context.Background(), Job{Model: sample(1, 3)})
		if !errors.Is(out.Err, errNotOurs) || !strings.Contains(out.Err.Error(), "no space") || len(out.LeftOut) != 0 {
			t.Errorf("%+v", out)
		}
	})
}

// updating is a fake that takes changes without a reload.
type updating struct {
	fake
	updates []Configuration
	answer  Update
	err     error
}

func (u *updating) Update(_ context.Context, _, next Configuration) (Update, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.updates = append(u.updates, next)
	if u.answer.Applied && u.err == nil {
		u.running = next.Generation
	}
	return u.answer, u.err
}

func TestUpdate(t *testing.T) {
	proxy := &updating{answer: Update{Applied: true, Reason: "1 server", Cause: "endpoints"}}
	a := newApplier(t, proxy)
	a.Hooks.Update = proxy.Update
	ctx := context.Background()
	first := a.Apply(ctx, Job{Model: sample(1, 1)})
	out := a.Apply(ctx, Job{Model: sample(1, 2)})
	if out.Err != nil || out.Way != Updated || len(proxy.reloads) != 1 || out.Cause != "endpoints" {
		t.Fatalf("%+v, %d reloads", out, len(proxy.reloads))
	}
	if a.Store.Generation() != first.Generation {
		t.Errorf("the files on disk were written before the change was live")
	}
	if err := a.settle(ctx); err != nil || a.Store.Generation() != out.Generation {
		t.Errorf("settled: %v, current is %s", err, a.Store.Generation())
	}
	proxy.answer = Update{Reason: "a new listener", Cause: "listeners"}
	if out := a.Apply(ctx, Job{Model: sample(2, 2)}); out.Err != nil || out.Way != Reloaded || out.Reason != "a new listener" ||
		len(proxy.reloads) != 2 {
		t.Errorf("needs a reload: %+v", out)
	}
	proxy.err = errors.New("the socket broke")
	if out := a.Apply(ctx, Job{Model: sample(2, 3)}); out.Err != nil || out.Way != Reloaded || out.Cause != "failed" ||
		len(proxy.reloads) != 3 {
		t.Errorf("a failed update: %+v", out)
	}
}

func TestRun(t *testing.T) {
	proxy := &updating{answer: Update{Applied: true}}
	a := newApplier(t, proxy)
	a.Hooks.Update = proxy.Update
	a.Retry = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	outcomes := make(chan Outcome, 100)
	jobs := make(chan model.Gateways, 10)
	ended := make(chan struct{})
	proxy.failReload = errors.New("not yet")
	go func() {
		defer close(ended)
		a.Run(ctx, func(context.Context) (Job, bool) {
			select {
			case m := <-jobs:
				return Job{Model: m, Report: func(o Outcome) { outcomes <- o }}, true
			default:
				return Job{}, false
			}
		})
	}()
	jobs <- sample(1, 1)
	a.Mark()
	if out := <-outcomes; !errors.Is(out.Err, proxy.failReload) {
		t.Fatalf("%+v", out)
	}
	proxy.mu.Lock()
	proxy.failReload = nil
	proxy.mu.Unlock()
	for out := range outcomes { // Retried until it works.
		if out.Err == nil {
			break
		}
	}
	jobs <- sample(1, 2)
	a.Mark()
	out := <-outcomes
	if out.Err != nil || out.Way != Updated {
		t.Fatalf("%+v", out)
	}
	cancel()
	<-ended
	if a.Store.Generation() != out.Generation {
		t.Errorf("at the end the files on disk are %s, the proxy serves %s", a.Store.Generation(), out.Generation)
	}
}
