package pipeline

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gatewright/gatewright/controller/outcome"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
)

// StatusFile is the name of the file that holds every object's status.
const StatusFile = "status.yaml"

// Source says which manifests to read, and how.
type Source struct {
	// Filenames are files and folders; "-" is standard input.
	Filenames []string
	// GatewayClass, unless "", is the only class whose Gateways are served.
	GatewayClass string
	// Backends is how the proxy finds endpoints.
	Backends translate.Backends
	// ClusterDomain is the end of the Services' DNS names.
	ClusterDomain string
	// CrossServing is whose a host is that routes of two kinds want.
	CrossServing translate.CrossServing
}

// Result is what manifests became.
type Result struct {
	Capabilities model.Capabilities
	// Problems are what is wrong with manifests that are followed; others end in an error.
	Problems resources.Problems
	// Notes are what a person should know that isn't an error.
	Notes      []string
	Translated translate.Result
	// Steps are how long the parts of the work took.
	Steps []Step
	// Served is what of Translated is served, LeftOut what can't be rendered, and Reports say so; Render makes them.
	Served  model.Gateways
	LeftOut []apply.Culprit
	Reports []status.Report
}

// Step is how long a part of the work took.
type Step struct {
	Name string
	Took time.Duration
}

func (s Step) String() string { return s.Name + " " + s.Took.Round(100*time.Microsecond).String() }

// Read reads manifests once and translates them. The proxy's capabilities are asked once the manifests are read; the note that
// comes with them may be "".
func Read(s Source, stdin io.Reader, ask func() (caps model.Capabilities, note string, err error)) (*Result, error) {
	if len(s.Filenames) == 0 {
		return nil, errors.New("no manifests: name them with -f FILE, -f FOLDER or -f - for stdin")
	}
	r := &Result{}
	var snapshot *resources.Snapshot
	var notes []resources.Note
	err := r.Timed("load", func() (err error) {
		snapshot, notes, err = resources.Load(s.Filenames, stdin)
		return err
	})
	if err != nil {
		return nil, err
	}
	snapshot, notes = s.complete(snapshot, notes)
	caps, note, err := ask()
	if err != nil {
		return nil, err
	}
	if note != "" {
		r.Notes = append(r.Notes, note)
	}
	r.note(notes)
	return r, r.translate(s, &translate.Translator{}, snapshot, caps, nil)
}

// Follower reads manifests while they change. It remembers what it has read and what came of that.
type Follower struct {
	source     Source
	local      func() []netip.Addr
	reader     *resources.Reader
	translator translate.Translator
}

// NewFollower returns a Follower of manifests for a proxy on this host; local are the host's addresses now.
func NewFollower(s Source, local func() []netip.Addr) *Follower {
	return &Follower{source: s, local: local, reader: resources.NewReader()}
}

// Concerns says whether any of the files belongs to the manifests.
func (f *Follower) Concerns(files map[string]bool) bool { return f.reader.Concerns(files) }

// Read reads the files that have changed, nil for all, and translates everything. A file with errors stays as it was when it
// was good, and is among the Problems.
func (f *Follower) Read(changed map[string]bool, caps model.Capabilities) (*Result, error) {
	r := &Result{}
	var snapshot *resources.Snapshot
	var notes []resources.Note
	_ = r.Timed("load", func() error {
		snapshot, notes, r.Problems = f.reader.Follow(f.source.Filenames, changed)
		return nil
	})
	snapshot, notes = f.source.complete(snapshot, notes)
	r.note(notes)
	return r, r.translate(f.source, &f.translator, snapshot, caps, f.local())
}

// complete adds what only a cluster has.
func (s Source) complete(snapshot *resources.Snapshot, notes []resources.Note) (*resources.Snapshot, []resources.Note) {
	snapshot, more := resources.Complete(snapshot, resources.Completion{
		GatewayClass: s.GatewayClass,
		Controller:   translate.DefaultController,
		Backends:     string(s.Backends),
	})
	return snapshot, append(notes, more...)
}

func (r *Result) note(notes []resources.Note) {
	for _, n := range notes {
		r.Notes = append(r.Notes, n.String())
	}
}

func (r *Result) translate(s Source, t *translate.Translator, snapshot *resources.Snapshot, caps model.Capabilities,
	local []netip.Addr) error {
	r.Capabilities = caps
	return r.Timed("translate", func() (err error) {
		r.Translated, err = t.Try(snapshot, caps, translate.Options{
			Controller:    translate.DefaultController,
			Backends:      s.Backends,
			ClusterDomain: s.ClusterDomain,
			CrossServing:  s.CrossServing,
			Addresses:     translate.Addresses{Local: local},
			Whole:         true,
		})
		return err
	})
}

// Refused is what isn't served, and why.
func (r *Result) Refused() []status.Refusal { return status.Refusals(r.Reports) }

// Warn adds to the notes what is to be known of what is served.
func (r *Result) Warn() {
	for _, w := range status.Warnings(r.Reports) {
		where := w.Object
		if w.Where != "" {
			where += ", " + w.Where
		}
		r.Notes = append(r.Notes, fmt.Sprintf("%s: %s: %s", where, w.Condition, w.Message))
	}
}

// Render makes the proxy's files of all that can be rendered, and says what can't in the reports.
func (r *Result) Render(render apply.Renderer) (files []generators.File, err error) {
	err = r.Timed("render", func() (err error) {
		files, r.Served, r.LeftOut, err = apply.Render(render, r.Translated.Gateways, r.Capabilities)
		r.Reports = outcome.Rendered(r.Translated.Reports(), r.Translated.Gateways, r.LeftOut)
		return err
	})
	return files, err
}

// Timed notes how long a part of the work takes.
func (r *Result) Timed(name string, work func() error) error {
	start := time.Now()
	err := work()
	r.Steps = append(r.Steps, Step{name, time.Since(start)})
	return err
}
