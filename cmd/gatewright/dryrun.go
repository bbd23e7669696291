package main

import (
	"context"
	"errors"
	"os"

	"github.com/gatewright/gatewright/runtime/apply"
)

// errDryRun is why nothing is served.
var errDryRun = errors.New("this is a dry run")

// dryRunner is a proxy that checks configurations and is never started or told anything.
type dryRunner struct {
	runner
	generation string
}

func (d *dryRunner) Running(context.Context) (string, error) {
	if d.generation == "" {
		return "", errDryRun
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

// dry takes the proxy away, all but its check.
func (e *engine) dry() {
	e.proxy = &dryRunner{runner: e.proxy}
	e.applier.Proxy, e.applier.Hooks = e.proxy, apply.Hooks{}
}
