package follow

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gatewright/gatewright/controller"
	"github.com/gatewright/gatewright/controller/outcome"
	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/serve"
	"github.com/gatewright/gatewright/runtime/watch"
)

// manifests are what is followed, with their statuses.
type manifests struct {
	engine   *serve.Engine
	follower *pipeline.Follower
	touched  touched
	// said is what the log has of what is wrong with the manifests; next alone uses it.
	said     string
	refusals refusals

	mu sync.Mutex
	// problems are what is wrong with the manifests now.
	problems string
	// statuses are those of the last good manifests.
	statuses []byte

	// writing is held while what the file is to have is given to the keeper, so that the newest counts.
	writing sync.Mutex
	keeper  *folder.Keeper
}

// Manifests serves manifests with an engine and follows their changes, until a signal ends it. Statuses are in the state
// folder and at /status.
func Manifests(ctx context.Context, e *serve.Engine, s pipeline.Source, signals serve.Signals) (err error) {
	m := &manifests{engine: e, follower: pipeline.NewFollower(s, controller.HostAddresses)}
	m.keeper = folder.NewKeeper(filepath.Join(e.Dir(), pipeline.StatusFile), 0o644, folder.Told(e.Log, "the status can't be written",
		"the status is written again"))
	defer func() { err = errors.Join(err, m.keeper.Close()) }()
	e.Registry.MustRegister(&m.refusals)
	watcher, err := watch.New(s.Filenames, e.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watcher.Close()) }()
	mark := func(files map[string]bool) {
		if files != nil && !m.follower.Concerns(files) {
			return // An editor's draft, or another neighbour.
		}
		m.touched.add(files)
		e.Mark()
	}
	return e.Serve(ctx, serve.Input{
		Next: m.next, Reread: func() { mark(nil) }, Status: m.statusText,
		Follow: func(ctx context.Context) error {
			watcher.Run(ctx, mark)
			return nil
		},
	}, signals)
}

// touched are the files that have changed since they were read.
type touched struct {
	mu sync.Mutex
	// files has them all once everything was read; nil before, and when anything may have changed.
	files map[string]bool
}

// add notes files; nil is all.
func (t *touched) add(files map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if files == nil {
		t.files = nil
	}
	if t.files != nil {
		maps.Copy(t.files, files)
	}
}

// take returns the files for who reads them now; nil is all.
func (t *touched) take() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	files := t.files
	t.files = map[string]bool{}
	return files
}

// next reads and translates the manifests, for the applier. A file with errors stays as it was when it was good; the
// others count as they are.
func (m *manifests) next(context.Context) (apply.Job, bool) {
	start := time.Now()
	r, err := m.follower.Read(m.touched.take(), m.engine.Capabilities)
	if err == nil && !r.Translated.HasGateways() {
		err = errors.New("there is no Gateway in the manifests")
		if len(r.Problems) > 0 {
			err = errors.Join(r.Problems, err)
		}
	}
	if err != nil {
		m.say("the manifests have errors; what was served stays", err)
		m.engine.Service.Read(err)
		m.engine.Publisher.Flush()
		m.setProblems(err.Error())
		m.write()
		return apply.Job{}, false
	}
	problems := ""
	if len(r.Problems) > 0 {
		problems = r.Problems.Error()
		m.say("some manifests have errors; their files stay as they were", r.Problems)
		m.engine.Service.Read(r.Problems)
	} else {
		m.say("", nil)
		m.engine.Service.Read(nil)
	}
	m.engine.Log.Debug("read the manifests", "took", time.Since(start), "steps", r.Steps)
	return apply.Job{Model: r.Translated.Gateways, Capabilities: r.Capabilities, Report: func(out apply.Outcome) {
		m.engine.Service.Applied(out)
		m.engine.Publisher.Put(func() {
			m.setProblems(problems)
			m.publish(outcome.Complete(r.Translated.Reports(), r.Translated.Gateways, out))
		})
	}}, true
}

// say makes a line in the log of what is wrong with the manifests, once, and one when that is mended.
func (m *manifests) say(trouble string, err error) {
	text := ""
	if err != nil {
		text = trouble + err.Error()
	}
	switch {
	case text == m.said:
	case err != nil:
		m.engine.Log.Error(trouble, "error", err)
	default:
		m.engine.Log.Info("the manifests have no errors any more")
	}
	m.said = text
}

// publish keeps the statuses of good manifests for /status and in the state folder.
func (m *manifests) publish(reports []status.Report) {
	m.refusals.tell(m.engine.Log, reports)
	text, err := status.Marshal(reports)
	if err != nil {
		m.engine.Log.Error("the status can't be written", "error", err)
		return
	}
	m.mu.Lock()
	m.statuses = text
	m.mu.Unlock()
	m.write()
}

// setProblems notes what is wrong with the manifests.
func (m *manifests) setProblems(problems string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.problems = problems
}

// write brings the file up to date.
func (m *manifests) write() {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.keeper.Put(m.statusText())
}

// text is the content of status.yaml.
func (m *manifests) text() []byte {
	if m.problems == "" {
		return m.statuses
	}
	head := "# Some manifests have errors. Their files count as they were when they were good, with the statuses below:\n"
	for line := range strings.Lines(m.problems) {
		head += "#   " + strings.TrimSuffix(line, "\n") + "\n"
	}
	if len(m.statuses) == 0 {
		return []byte(head + "[]\n")
	}
	return append([]byte(head), m.statuses...)
}

func (m *manifests) statusText() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text()
}
