package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/external"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// target is the proxy that a command asks about, with no need for it to run.
type target struct {
	kind            *proxies.Kind
	binary, version string
	// bridgeless says that no bridge was named, and renders that only files are written.
	bridgeless, renders bool
	// streams is --max-streams, where the command has that.
	streams int
	// program generates the files instead of the kind; nil for none.
	program *external.Generator
}

func (t *target) flags(f *pflag.FlagSet) {
	kindFlag(f, &t.kind)
	binaryFlag(f, &t.binary)
	f.Var(&programValue{&t.program}, "generator",
		"`exec:PATH` of a program that generates the files, for any other proxy (docs/exec-generators.md)")
	f.StringVar(&t.version, "proxy-version", "", "take this `version` of the proxy, with no binary at hand")
}

func (t *target) capabilities(ctx context.Context) (caps model.Capabilities, note string, err error) {
	if t.program != nil {
		return t.programCapabilities(ctx)
	}
	caps, note, err = t.kind.Capabilities(ctx, t.binary, t.version)
	missing := maps.Clone(caps.Missing)
	if missing == nil {
		missing = map[model.Feature]string{}
	}
	if t.bridgeless {
		missing[model.FeatureBridge] = "no proxy can do that, and no bridge is named; run one by \"gatewright bridge\", and name its " +
			"socket with --bridge-socket"
	}
	if t.renders {
		missing[model.FeatureHealth] = "endpoints are asked by \"gatewright run\" and \"gatewright controller\" only"
	}
	caps.Missing = missing
	if t.streams > 0 {
		caps.Limits.Streams = t.streams
	}
	return caps, note, err
}

// inquiry are manifests and a proxy, for the commands that say what is served and write no configuration.
type inquiry struct {
	source pipeline.Source
	target target
}

func (i *inquiry) flags(f *pflag.FlagSet) {
	sourceFlags(f, &i.source)
	i.target.flags(f)
}

// read finds out what of the manifests is served, and tells the notes.
func (i *inquiry) read(cmd *cobra.Command, log *logOptions) (*pipeline.Result, error) {
	if err := i.target.check(cmd.Flags()); err != nil {
		return nil, err
	}
	r, err := readManifests(cmd, i.source, i.target)
	if err != nil {
		return nil, err
	}
	render := i.target.kind.Generator(generators.Options{Bridge: anyBridge}).Render
	if i.target.program != nil {
		render = i.target.program.Render
	}
	if _, err := r.Render(render); err != nil {
		return nil, err
	}
	r.Warn()
	log.journal(cmd.ErrOrStderr()).notes(r.Notes)
	return r, nil
}

// anyBridge stands for a bridge where nothing is written.
const anyBridge = "/run/gatewright/bridge.sock"

// readManifests reads and translates them for a proxy.
func readManifests(cmd *cobra.Command, s pipeline.Source, t target) (*pipeline.Result, error) {
	return pipeline.Read(s, cmd.InOrStdin(), func() (model.Capabilities, string, error) { return t.capabilities(cmd.Context()) })
}

// formatFlag is -o of the commands that print; the first format is the usual one.
func formatFlag(f *pflag.FlagSet, value *string, formats ...string) {
	choice(f, value, "output", "o", formats, "format")
}

// printValue writes a value as -o asks: its text, JSON or YAML.
func printValue(out io.Writer, format string, value any, text func(io.Writer) error) error {
	if format == "text" {
		return text(out)
	}
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if format == "yaml" {
		if data, err = yaml.JSONToYAML(data); err != nil {
			return err
		}
	}
	_, err = out.Write(data)
	return err
}
