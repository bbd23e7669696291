package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// failing is renderLines with rules and clusters that it can't write: fail says why, and how it is told.
func failing(fail func(text string) error, tell func([]generators.Refused) error) Renderer {
	return func(m model.Gateways, c model.Capabilities) ([]generators.File, error) {
		var refused []generators.Refused
		seen := map[*model.Rule]bool{}
		eachRule(m, func(_ *model.Listener, _ string, r *model.Rule) {
			if err := fail(r.Matches[0].Path.Service); err != nil && !seen[r] {
				seen[r] = true
				refused = append(refused, generators.Refused{Rule: &r.Source, Err: err})
			}
		})
		for _, cluster := range m.Clusters {
			if err := fail(cluster.Service); err != nil {
				refused = append(refused, generators.Refused{Cluster: cluster.Name, Err: err})
			}
		}
		for _, p := range m.KeyPairs {
			if err := fail(string(p.Key)); err != nil {
				return nil, fmt.Errorf("certificate %s: %w", p.Name, err)
			}
		}
		for _, l := range m.Gateways {
			for _, l := range l.Listeners {
				if err := fail(l.Hostname); err != nil {
					return nil, err
				}
			}
		}
		if len(refused) > 0 {
			return nil, tell(refused)
		}
		return renderLines(m, c)
	}
}

// tooLong fails for what is spoilt.
func tooLong(text string) error {
	if strings.HasPrefix(text, "bad") {
		return errors.New("bad: it is too long")
	}
	return nil
}

// ways are how a generator may fail.
var ways = map[string]func([]generators.Refused) error{
	"named":   func(r []generators.Refused) error { return fmt.Errorf("fake: %w", generators.Refusals(r)) },
	"unnamed": func(r []generators.Refused) error { return r[0].Err },
	"panic":   func(r []generators.Refused) error { panic(r[0].Err) },
}

// TestRenderFails: one part of each kind, and all of them together, are left out whatever way the generator says it, at
// the first start and later, with and without a proxy, and they heal.
func TestRenderFails(t *testing.T) {
	const listeners, rules = 10, 1000
	for way, tell := range ways {
		for kind, spoilOne := range spoil {
			t.Run(way+" "+string(kind), func(t *testing.T) {
				m := sample(listeners, rules)
				want := spoilOne(&m)
				render := failing(tooLong, tell)
				files, served, leftOut, err := Render(render, m, model.Capabilities{})
				if err != nil || len(leftOut) != 1 || leftOut[0].Part != want || !strings.Contains(leftOut[0].Message, "bad: it is too long") ||
					len(files) == 0 {
					t.Fatalf("want %s left out: %v, %+v, %d files", want, err, leftOut, len(files))
				}
				if _, err := render(served, model.Capabilities{}); err != nil {
					t.Errorf("what is served can't be rendered: %v", err)
				}
				proxy := &fake{}
				a := newApplier(t, proxy)
				a.Options.Render = render
				ctx := context.Background()
				out := a.Apply(ctx, Job{Model: m})
				if out.Err != nil || len(out.LeftOut) != 1 || out.LeftOut[0].Part != want || out.Way != Reloaded {
					t.Fatalf("cold: want %s left out: %v, %+v", want, out.Err, out.LeftOut)
				}
				if proxy.validated != 1 {
					t.Errorf("the proxy was asked %d times about what couldn't be rendered", proxy.validated)
				}
				m.Gateways[0].Listeners[0].Scopes[0].Rules[0].Matches[0].Path.Service = "other"
				if out := a.Apply(ctx, Job{Model: m}); out.Err != nil || out.Way != Reloaded || len(out.LeftOut) != 1 {
					t.Errorf("the next change: %+v", out)
				}
				if out := a.Apply(ctx, Job{Model: sample(listeners, rules)}); out.Err != nil || len(out.LeftOut) != 0 {
					t.Errorf("healed: %v, %+v", out.Err, out.LeftOut)
				}
				if out := a.Apply(ctx, Job{Model: m}); out.Err != nil || out.Way != Reloaded || len(out.LeftOut) != 1 {
					t.Errorf("warm: %+v", out)
				}
			})
		}
		t.Run(way+" all at once", func(t *testing.T) {
			m := sample(listeners, rules)
			want := map[Part]bool{}
			for _, spoilOne := range spoil {
				want[spoilOne(&m)] = true
			}
			_, _, leftOut, err := Render(failing(tooLong, tell), m, model.Capabilities{})
			for _, c := range leftOut {
				if !want[c.Part] {
					t.Errorf("%s is left out, and nothing is wrong with it", c.Part)
				}
			}
			if err != nil || len(leftOut) != len(want) {
				t.Errorf("%v, %+v", err, leftOut)
			}
		})
	}
}

// TestManyFail: a tenant with very many rules that can't be written costs one more rendering where the generator names
// them, and the rest is served.
func TestManyFail(t *testing.T) {
	m := sample(1, 10000)
	for i, r := range m.Gateways[0].Listeners[0].Scopes[0].Rules {
		if i%5 == 0 {
			r.Matches[0].Path.Service = "bad"
		}
	}
	renderings := 0
	render := failing(tooLong, ways["named"])
	_, served, leftOut, err := Render(func(m model.Gateways, c model.Capabilities) ([]generators.File, error) {
		renderings++
		return render(m, c)
	}, m, model.Capabilities{})
	if err != nil || len(leftOut) != 2000 || len(served.Gateways[0].Listeners[0].Scopes[0].Rules) != 8000 || renderings != 2 {
		t.Errorf("%v, %d left out, %d renderings", err, len(leftOut), renderings)
	}
}

// TestBrokenGenerator: a fault that no object is to blame for is an error, and the last good configuration stays.
func TestBrokenGenerator(t *testing.T) {
	broken := errors.New("template x.tmpl:3: no such field")
	fail := func(model.Gateways, model.Capabilities) ([]generators.File, error) { return nil, broken }
	if _, _, leftOut, err := Render(fail, sample(2, 10), model.Capabilities{}); !errors.Is(err, broken) || len(leftOut) != 0 {
		t.Errorf("%v, %+v", err, leftOut)
	}
	a := newApplier(t, &fake{})
	ctx := context.Background()
	first := a.Apply(ctx, Job{Model: sample(2, 10)})
	a.Options.Render = fail
	if out := a.Apply(ctx, Job{Model: sample(2, 11)}); !errors.Is(out.Err, broken) || len(out.LeftOut) != 0 ||
		out.Generation != first.Generation {
		t.Errorf("%+v", out)
	}
}

// TestRenderFailsAgain: what is left out is tried again although nothing has changed, and served when it can be.
func TestRenderFailsAgain(t *testing.T) {
	fail := make(chan struct{})
	a := newApplier(t, &fake{})
	a.Recheck = time.Millisecond
	a.Options.Render = failing(func(text string) error {
		select {
		case <-fail:
			return nil
		default:
			if text == "huge" { // A word that the proxy itself takes.
				return errors.New("it is huge")
			}
			return nil
		}
	}, ways["unnamed"])
	m := sample(2, 10)
	m.Gateways[0].Listeners[0].Scopes[0].Rules[0].Matches[0].Path.Service = "huge"
	ctx, cancel := context.WithCancel(context.Background())
	outcomes, ended := make(chan Outcome, 1000), make(chan struct{})
	given := false
	go func() {
		defer close(ended)
		a.Run(ctx, func(context.Context) (Job, bool) {
			job := Job{Model: m, Report: func(o Outcome) {
				select {
				case outcomes <- o:
				default:
				}
			}}
			defer func() { given = true }()
			return job, !given
		})
	}()
	a.Mark()
	if out := <-outcomes; out.Err != nil || len(out.LeftOut) != 1 {
		t.Errorf("%+v", out)
	}
	close(fail)
	for out := range outcomes {
		if out.Err == nil && len(out.LeftOut) == 0 {
			break
		}
	}
	cancel()
	<-ended
}
