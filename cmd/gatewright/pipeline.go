package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/gatewright/gatewright/controller/outcome"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
)

// statusFile is the file of a rendered folder that holds every object's status.
const statusFile = "status.yaml"

// pipeline is what the manifests became: every subcommand that reads any starts from it.
type pipeline struct {
	caps model.Capabilities
	// problems are what is wrong with manifests that are followed; others end the command.
	problems resources.Problems
	notes    []string
	result   translate.Result
	steps    []step
	// served is what of the result is served, leftOut what can't be rendered, and reports say so; see render.
	served  model.Gateways
	leftOut []apply.Culprit
	reports []status.Report
}

// step is how long a part of the work took.
type step struct {
	name string
	took time.Duration
}

func (s step) String() string { return s.name + " " + s.took.Round(100*time.Microsecond).String() }

// translate goes load → complete → capabilities → translate.
func (o *options) translate(ctx context.Context, stdin io.Reader) (*pipeline, error) {
	return o.translateFor(stdin, nil, func() (model.Capabilities, string, error) { return o.capabilities(ctx) })
}

// translateFor is translate for a proxy whose capabilities are asked once the manifests are read; the note that
// comes with them may be "". A reader that was there before looks at changed files only, unless they are nil.
func (o *options) translateFor(stdin io.Reader, changed map[string]bool, capabilities func() (model.Capabilities, string, error)) (*pipeline, error) {
	if len(o.filenames) == 0 {
		return nil, errors.New("no manifests: name them with -f FILE, -f FOLDER or -f - for stdin")
	}
	p := &pipeline{}
	var snapshot *resources.Snapshot
	var loadNotes, completeNotes []resources.Note
	err := p.timed("load", func() (err error) {
		if o.reader != nil {
			snapshot, loadNotes, p.problems = o.reader.Follow(o.filenames, changed)
			return nil
		}
		snapshot, loadNotes, err = resources.Load(o.filenames, stdin)
		return err
	})
	if err != nil {
		return nil, err
	}
	snapshot, completeNotes = resources.Complete(snapshot, resources.Completion{
		GatewayClass: o.gatewayClass,
		Controller:   translate.DefaultController,
		Backends:     o.backends,
	})
	caps, capsNote, err := capabilities()
	if err != nil {
		return nil, err
	}
	p.caps = caps
	if capsNote != "" {
		p.notes = append(p.notes, capsNote)
	}
	for _, n := range append(loadNotes, completeNotes...) {
		p.notes = append(p.notes, n.String())
	}
	var addresses translate.Addresses
	if o.hostAddresses != nil {
		addresses.Local = o.hostAddresses()
	}
	return p, p.timed("translate", func() (err error) {
		p.result, err = o.translator.Try(snapshot, caps, translate.Options{
			Controller:    translate.DefaultController,
			Backends:      translate.Backends(o.backends),
			ClusterDomain: string(o.clusterDomain),
			Addresses:     addresses,
		})
		return err
	})
}

// refused is what isn't served, and why.
func (p *pipeline) refused() []status.Refusal { return status.Refusals(p.reports) }

// warn adds to the notes what is to be known of what is served.
func (p *pipeline) warn() {
	for _, w := range status.Warnings(p.reports) {
		where := w.Object
		if w.Where != "" {
			where += ", " + w.Where
		}
		p.notes = append(p.notes, fmt.Sprintf("%s: %s: %s", where, w.Condition, w.Message))
	}
}

// render makes the proxy's files of all that can be rendered, and says what can't in the reports.
func (p *pipeline) render(render apply.Renderer) (files []generators.File, err error) {
	err = p.timed("render", func() (err error) {
		files, p.served, p.leftOut, err = apply.Render(render, p.result.Gateways, p.caps)
		p.reports = outcome.Rendered(p.result.Reports(), p.result.Gateways, p.leftOut)
		return err
	})
	return files, err
}

// leaveOut finds what can't be rendered, for who asks what is served and needs no files.
func (o *options) leaveOut(p *pipeline) error {
	_, err := p.render(proxyNamed(o.proxy).generator(generators.Options{}).Render)
	return err
}

// files are those of the output folder: the proxy's and the status of every object.
func (o *options) files(p *pipeline) ([]generators.File, error) {
	g := generators.Options{Layout: generators.Layout(o.layout), Folder: "gatewright", MaxStreams: o.maxStreams}
	if o.output != stdoutName {
		abs, err := filepath.Abs(o.output)
		if err != nil {
			return nil, err
		}
		g.Folder = filepath.Base(abs)
	}
	proxy := proxyNamed(o.proxy)
	if o.stateDir != "" {
		abs, err := filepath.Abs(o.stateDir)
		if err != nil {
			return nil, fmt.Errorf("--state-dir: %w", err)
		}
		g.Marker = filepath.Join(abs, proxy.marker)
	}
	if err := o.serving(&g, p.caps); err != nil {
		return nil, err
	}
	generator, err := o.generator(g, p.caps)
	if err != nil {
		return nil, err
	}
	render := apply.Renderer(generator.Render)
	if o.ipv6 == "off" {
		render = onlyIPv4(render)
	}
	files, err := p.render(render)
	if err != nil {
		return nil, err
	}
	text, err := status.Marshal(p.reports)
	if err != nil {
		return nil, err
	}
	files = append(files, generators.File{Path: statusFile, Data: text})
	generators.Sort(files)
	return files, nil
}

func (p *pipeline) timed(name string, work func() error) error {
	start := time.Now()
	err := work()
	p.steps = append(p.steps, step{name, time.Since(start)})
	return err
}
