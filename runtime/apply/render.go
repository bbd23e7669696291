package apply

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// Renderer makes a proxy's files of a model: a Generator's Render.
type Renderer func(model.Gateways, model.Capabilities) ([]generators.File, error)

// OnlyIPv4 renders for a host without IPv6.
func (r Renderer) OnlyIPv4() Renderer {
	return func(m model.Gateways, c model.Capabilities) ([]generators.File, error) { return r(m.OnlyIPv4(), c) }
}

// Render makes the files of all of a model that can be rendered, and returns what of the model that is. What can't is
// left out (R31, R42). The error says that not even an empty model can be rendered: no object is to blame.
func Render(r Renderer, m model.Gateways, c model.Capabilities) (files []generators.File, served model.Gateways, leftOut []Culprit,
	err error) {
	q := &quarantine{}
	for {
		served = q.served(m)
		if files, err = r.guarded(served, c); err == nil {
			return files, served, q.list(), nil
		}
		if err = q.blame(context.Background(), m, err, r.check(c)); err != nil {
			return nil, model.Gateways{}, nil, err
		}
	}
}

// panicked is the error of a generator that panics.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string {
	return fmt.Sprintf("gatewright has a fault that this sets off: %v: please report it with the manifests", p.value)
}

// guarded is the renderer with a panic as an error: it costs no more than the object that sets it off.
func (r Renderer) guarded(m model.Gateways, c model.Capabilities) (files []generators.File, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v, debug.Stack()}
		}
	}()
	return r(m, c)
}

// check finds out whether a model can be rendered.
func (r Renderer) check(c model.Capabilities) check {
	return func(_ context.Context, m model.Gateways) (string, error) {
		if _, err := r.guarded(m, c); err != nil {
			return err.Error(), nil
		}
		return "", nil
	}
}

// blame puts what can't be rendered into quarantine: the parts that the error names, or else what a search finds. The
// error is about no part.
func (q *quarantine) blame(ctx context.Context, m model.Gateways, why error, check check) error {
	s := &search{quarantine: q, model: m, check: check}
	var refused generators.Refusals
	if errors.As(why, &refused) {
		if culprits := q.named(refused); len(culprits) > 0 {
			return s.add(culprits...)
		}
	}
	before := len(q.culprits)
	err := s.run(ctx)
	switch {
	case errors.Is(err, errNotOurs):
		return fmt.Errorf("render: %w", why)
	case err != nil:
		return fmt.Errorf("render: %w; looking for the object to blame: %w", why, err)
	case len(q.culprits) == before:
		return fmt.Errorf("render: %w; it didn't happen again, so no object is to blame", why)
	}
	return nil
}

// named are the parts that a generator has named, but for those that are left out already.
func (q *quarantine) named(refused generators.Refusals) []Culprit {
	var out []Culprit
	for _, r := range refused {
		p := clusterOf(r.Cluster)
		if r.Rule != nil {
			p = RuleOf(*r.Rule)
		}
		if q.keeps(p) {
			out = append(out, Culprit{Part: p, Message: r.Err.Error()})
		}
	}
	return out
}
