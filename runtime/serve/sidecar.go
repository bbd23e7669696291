package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/runtime/watch"
)

// SidecarOptions say which folder to bring to which running proxy.
type SidecarOptions struct {
	Kind *proxies.Kind
	// Binary is the proxy's; "" looks for it.
	Binary string
	// Attach is the pid file or master socket of the proxy; "" looks for the only one of its kind.
	Attach string
	// From is the folder to watch, and Config the main file in it; "" is the usual one.
	From, Config string
	State        State
	// Listen is where the Service answers; see ServiceOptions.
	Listen string
	// Timeout is how long a reload of the proxy may take.
	Timeout time.Duration
	// Version is this program's, for the metrics.
	Version string
	Log     *slog.Logger
}

// Sidecar brings a folder of configuration to a proxy that runs beside this process.
type Sidecar struct {
	options SidecarOptions
	store   *apply.Store
	applier *apply.Applier
	service *Service
	// files are those that were read last. The applier's goroutine alone uses them.
	files []generators.File

	mu   sync.Mutex
	text string
	// problem is why the folder can't be read; "" when it can. It stays while files that were read earlier are applied.
	problem string
}

// NewSidecar takes the state folder. Nothing is started yet.
func NewSidecar(o SidecarOptions) (*Sidecar, error) {
	store, err := o.State.Open()
	if err != nil {
		return nil, err
	}
	if o.Config == "" {
		o.Config = o.Kind.MainFile
	}
	if o.Binary == "" {
		o.Binary = proxies.FindBinary(o.Kind.Name)
	}
	joined, err := o.Kind.Join(proxies.Options{
		Binary: o.Binary, State: store.Dir(), Current: store.Current(), Marker: filepath.Join(store.Dir(), o.Kind.Marker),
		Attach: o.Attach, Timeout: o.Timeout, Log: o.Log,
	}, o.Config)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return newSidecar(o, store, joined, joined.Hooks), nil
}

func newSidecar(o SidecarOptions, store *apply.Store, proxy apply.Proxy, hooks apply.Hooks) *Sidecar {
	registry := prometheus.NewRegistry()
	describeBuild(registry, o.Version)
	s := &Sidecar{options: o, store: store, service: NewService(registry, o.Log)}
	s.applier = apply.New(apply.Options{
		Proxy: proxy, Hooks: hooks, Store: store, Log: o.Log, Metrics: apply.NewMetrics(registry), Whole: true,
		Render: func(model.Gateways, model.Capabilities) ([]generators.File, error) { return s.files, nil },
	})
	return s
}

// Close lets go of the state folder.
func (s *Sidecar) Close() error { return s.store.Close() }

// next reads the folder, for the applier.
func (s *Sidecar) next(context.Context) (apply.Job, bool) {
	files, err := s.read()
	s.service.Read(err)
	if err != nil {
		s.options.Log.Error("the folder can't be read; what was served stays", "error", err)
		s.misread("error: " + err.Error() + "\n")
		return apply.Job{}, false
	}
	s.misread("")
	s.files = files
	return apply.Job{Report: s.report}, true
}

// read returns the files of the folder, which must have the main one.
func (s *Sidecar) read() ([]generators.File, error) {
	files, err := folder.Read(s.options.From)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.Path == s.options.Config {
			return files, nil
		}
	}
	return nil, fmt.Errorf("%s has no file %s: name the main file with --config", s.options.From, s.options.Config)
}

// Serve runs until a signal ends it; SIGHUP reads the folder again. The proxy goes on.
func (s *Sidecar) Serve(ctx context.Context, take Signals) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watcher, err := watch.New([]string{s.options.From}, s.options.Log)
	if err != nil {
		return err
	}
	var tasks sync.WaitGroup
	if err := s.service.Start(ctx, &tasks, ServiceOptions{Listen: s.options.Listen, Status: s.status, Written: s.store.Generation}); err != nil {
		return errors.Join(err, watcher.Close())
	}
	signals, letGo := take()
	defer letGo()
	s.options.Log.Info("starting", "proxy", s.options.Kind.Name, "from", s.options.From, "state", s.options.State.Dir)
	s.applier.Mark()
	tasks.Go(func() { s.applier.Run(ctx, s.next) })
	tasks.Go(func() { watcher.Run(ctx, func(map[string]bool) { s.applier.Mark() }) })
	for sig := range signals {
		if sig == syscall.SIGHUP {
			s.applier.Mark()
			continue
		}
		break
	}
	s.options.Log.Info("ending")
	stop()
	if !within(grace, &tasks) {
		// A file system that doesn't answer can't be made to. The proxy serves what current names.
		return errors.New("ended in the middle of something that could not be stopped, such as reading a folder whose file system doesn't answer")
	}
	return watcher.Close()
}

// grace is how long work that was told to stop may take.
const grace = 8 * time.Second

// within says whether tasks end in time.
func within(limit time.Duration, tasks *sync.WaitGroup) bool {
	ended := make(chan struct{})
	go func() {
		tasks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-time.After(limit):
		return false
	}
}

func (s *Sidecar) report(out apply.Outcome) {
	s.service.Applied(out)
	text := "generation: " + out.Generation
	if out.Err != nil {
		text += "\nerror: " + out.Err.Error()
	}
	s.setText(text)
}

func (s *Sidecar) setText(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text + "\n"
}

func (s *Sidecar) misread(problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = problem
}

// status is the body of /status.
func (s *Sidecar) status() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []byte(s.text + s.problem)
}
