package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/relay"
	"github.com/gatewright/gatewright/runtime/external"
)

// programPrefix is what the value of --generator begins with.
const programPrefix = "exec:"

// programValue is a flag with a generator that is a program.
type programValue struct{ program **external.Generator }

func (p *programValue) String() string {
	if *p.program == nil {
		return ""
	}
	return programPrefix + (*p.program).Path
}

func (p *programValue) Type() string { return programPrefix + "PATH" }

func (p *programValue) Set(s string) error {
	path, ok := strings.CutPrefix(s, programPrefix)
	if !ok || !strings.Contains(path, "/") {
		return errors.New("it must be exec: and the path of a program, such as exec:/usr/local/bin/generate-envoy or exec:./generate-envoy; " +
			"nginx and haproxy are for --proxy")
	}
	*p.program = &external.Generator{Path: path, Reserved: []string{pipeline.StatusFile, relay.File}}
	return nil
}

// notForPrograms are flags about nginx and HAProxy, which a program isn't told of.
var notForPrograms = []string{
	"proxy", "proxy-binary", "proxy-version", "templates", "layout", "state-dir", "user", "group", "call-once", "instance",
	"trusted-proxies", "bridge-socket", "system-ca", "max-streams",
}

// check refuses flags that a program wouldn't be told of.
func (t *target) check(f *pflag.FlagSet) error {
	if t.program == nil {
		return nil
	}
	for _, name := range notForPrograms {
		if f.Changed(name) {
			return fmt.Errorf("--%s is for nginx and haproxy, and --generator generates for another proxy: leave one of them out", name)
		}
	}
	return nil
}

// programCapabilities are those that the program tells. It has no bridge, and nobody asks endpoints how they are.
func (t *target) programCapabilities(ctx context.Context) (caps model.Capabilities, note string, err error) {
	t.program.Context = ctx
	if caps, err = t.program.Capabilities(); err != nil {
		return caps, "", err
	}
	missing := maps.Clone(caps.Missing)
	if missing == nil {
		missing = map[model.Feature]string{}
	}
	missing[model.FeatureBridge] = "generator " + t.program.Path + " has no bridge: only nginx and haproxy have one"
	missing[model.FeatureHealth] = "gatewright asks endpoints only where it runs nginx or haproxy"
	caps.Missing = missing
	return caps, "", nil
}

// programRefused says by name that a command can't serve with a program.
func programRefused(f *pflag.FlagSet) {
	f.Var(refusedProgram{}, "generator", "not here: a program generates files for generate, capabilities, explain and graph alone")
	_ = f.MarkHidden("generator")
}

type refusedProgram struct{}

func (refusedProgram) String() string { return "" }

func (refusedProgram) Type() string { return programPrefix + "PATH" }

func (refusedProgram) Set(string) error {
	return errors.New("a program only generates files, and this command also checks and reloads them: use \"gatewright generate\", " +
		"and reload your proxy when its exit code is 0 or 2 (docs/exec-generators.md)")
}
