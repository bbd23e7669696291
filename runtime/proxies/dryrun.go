package proxies

import (
	"context"
	"errors"
	"os"
)

// ErrDryRun is why nothing is served.
var ErrDryRun = errors.New("this is a dry run")

// Dry is a proxy that checks configurations as r does, and is never started or told anything.
func Dry(r *Runtime) *Runtime {
	return &Runtime{Runner: &dryRunner{Runner: r.Runner}, Resolver: r.Resolver}
}

type dryRunner struct {
	Runner
	generation string
}

func (d *dryRunner) Running(context.Context) (string, error) {
	if d.generation == "" {
		return "", ErrDryRun
	}
	return d.generation, nil
}

func (d *dryRunner) Reload(_ context.Context, _, generation string) error {
	d.generation = generation
	return nil
}

func (d *dryRunner) Start(context.Context, string) error { return nil }

func (d *dryRunner) Shutdown(context.Context) error { return nil }

func (d *dryRunner) Signal(os.Signal) error { return nil }
