package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/watch"
)

const reloadHelp = `Bring a folder of configuration to a proxy that runs beside this one: plain files, a mounted ConfigMap, a
checkout of git-sync; rendered by gatewright or your own.

Every change is copied to --state-dir, checked there by the proxy's binary, and switched to in one step: the proxy is
started with STATE/current, not with the folder that is watched. Then the proxy is told to reload, and new workers of
it, or its answer when gatewright rendered the files, prove that it did; if they don't come, current points to the
last good files again.

No link is followed out of the folder, and copies have permissions no wider than the files: --from itself may be a link
that is switched, links in the folder lead to places in it. A proxy that was started with other files than STATE/current
isn't reloaded, with a message that has the right command.

The proxy is found by --attach, or as the only one of its kind among the processes to be seen here, such as those of a
pod whose containers share their process namespace. No rights are needed but the proxy's own user.`

// reloadOptions are the flags of reload.
type reloadOptions struct {
	*logOptions
	serviceOptions
	stateOptions

	proxy, binary, attach string
	from, config, state   string
}

func newReload(log *logOptions) *cobra.Command {
	o := &reloadOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "reload --from DIR --state-dir DIR",
		Short: "Bring a folder of configuration to a running proxy, on every change",
		Long:  reloadHelp,
		Example: `  gatewright reload --from /etc/proxy --state-dir /run/gatewright --attach /run/gatewright/nginx.pid
  gatewright reload --proxy haproxy --from /git/current/haproxy --state-dir /run/gatewright --attach /run/gatewright/master.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.ErrOrStderr()) },
	}
	f := cmd.Flags()
	proxyFlag(f, &o.proxy)
	binaryFlag(f, &o.binary)
	f.StringVar(&o.from, "from", "", "`folder` to watch")
	f.StringVar(&o.config, "config", "", "the main `file` in it (default nginx.conf or haproxy.cfg)")
	stateFlag(f, &o.state)
	attachFlag(f, &o.attach)
	o.stateFlags(f)
	o.serviceFlags(f)
	return cmd
}

// sidecar is a running `reload`.
type sidecar struct {
	*reloadOptions
	log     *slog.Logger
	applier *apply.Applier
	service *service

	mu   sync.Mutex
	text string
	// problem is why the folder can't be read; "" when it can. It stays while files that were read earlier are applied.
	problem string
}

func (o *reloadOptions) run(ctx context.Context, stderr io.Writer) (err error) {
	switch {
	case o.from == "":
		return errors.New("no folder to watch: name it with --from DIR")
	case o.state == "":
		return errors.New("no state folder: name it with --state-dir DIR")
	}
	s := &sidecar{reloadOptions: o, log: o.logger(stderr)}
	store, err := o.openStore(o.state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	joined, err := s.join(store)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	s.service = newService(&o.serviceOptions, registry, s.log, s.status)
	var files []generators.File
	s.applier = apply.New(apply.Options{
		Proxy: joined, Hooks: joined.Hooks(), Store: store, Log: s.log, Metrics: apply.NewMetrics(registry), Whole: true,
		Render: func(model.Gateways, model.Capabilities) ([]generators.File, error) { return files, nil },
	})
	return s.serve(ctx, func(context.Context) (apply.Job, bool) {
		read, err := s.read()
		s.service.read(err)
		if err != nil {
			s.log.Error("the folder can't be read; what was served stays", "error", err)
			s.misread("error: " + err.Error() + "\n")
			return apply.Job{}, false
		}
		s.misread("")
		files = read
		return apply.Job{Report: s.report}, true
	})
}

// join makes what reloads the running proxy.
func (s *sidecar) join(store *apply.Store) (*joined, error) {
	kind := proxyNamed(s.proxy)
	if s.config == "" {
		s.config = kind.mainFile
	}
	if s.binary == "" {
		s.binary = findBinary(kind.name)
	}
	marker := filepath.Join(store.Dir(), kind.marker)
	proxy, err := kind.join(runnerOptions{
		binary: s.binary, state: store.Dir(), current: store.Current(), marker: marker, attach: s.attach, timeout: s.timeout, log: s.log,
	}, filepath.Join(store.Current(), s.config))
	return &joined{validating: proxy, marker: marker, config: s.config}, err
}

// read returns the files of the folder, which must have the main one.
func (s *sidecar) read() ([]generators.File, error) {
	files, err := folder.Read(s.from)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.Path == s.config {
			return files, nil
		}
	}
	return nil, fmt.Errorf("%s has no file %s: name the main file with --config", s.from, s.config)
}

// serve runs until a signal ends it. The proxy goes on.
func (s *sidecar) serve(ctx context.Context, next func(context.Context) (apply.Job, bool)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watcher, err := watch.New([]string{s.from}, s.log)
	if err != nil {
		return err
	}
	var tasks sync.WaitGroup
	if err := s.service.start(ctx, &tasks); err != nil {
		return errors.Join(err, watcher.Close())
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	s.log.Info("starting", "proxy", s.proxy, "from", s.from, "state", s.state)
	s.applier.Mark()
	tasks.Go(func() { s.applier.Run(ctx, next) })
	tasks.Go(func() { watcher.Run(ctx, func(map[string]bool) { s.applier.Mark() }) })
	for sig := range signals {
		if sig == syscall.SIGHUP {
			s.applier.Mark()
			continue
		}
		break
	}
	s.log.Info("ending")
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

func (s *sidecar) report(out apply.Outcome) {
	s.service.applied(out)
	text := "generation: " + out.Generation
	if out.Err != nil {
		text += "\nerror: " + out.Err.Error()
	}
	s.say(text)
}

func (s *sidecar) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text + "\n"
}

func (s *sidecar) misread(problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = problem
}

func (s *sidecar) status() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []byte(s.text + s.problem)
}

// validating is a proxy that was joined, with a check for a main file of any name.
type validating interface {
	apply.Proxy
	ValidateFile(ctx context.Context, file string) error
	Hooks() apply.Hooks
}

// joined is a running proxy for configurations of any origin. What gatewright rendered with this state folder
// tells its generation itself; of all others the hash of the files is the generation, and new workers are the proof
// that they are served.
type joined struct {
	validating
	marker, config string
}

// foreign begins the generations of configurations without a marker.
const foreign = "files-"

// Generation is the marker's, or a hash.
func (j *joined) Generation(files []generators.File) (string, error) {
	h := sha256.New()
	marked := false
	for _, f := range files {
		fmt.Fprintf(h, "%q %d\n", f.Path, len(f.Data))
		if f.Access != nil {
			fmt.Fprintf(h, "%o %d\n", f.Access.Mode, f.Access.Group)
		}
		h.Write(f.Data)
		marked = marked || strings.Contains(string(f.Data), j.marker)
	}
	if generation, err := j.validating.Generation(files); marked && err == nil {
		return generation, nil
	}
	return foreign + hex.EncodeToString(h.Sum(nil)), nil
}

// Hooks has the proxy's pace, where it has one; all others look at the model, and there is none.
func (j *joined) Hooks() apply.Hooks { return apply.Hooks{Pace: j.validating.Hooks().Pace} }

// Validate checks the main file, whatever its name.
func (j *joined) Validate(ctx context.Context, dir string) error {
	return j.ValidateFile(ctx, filepath.Join(dir, j.config))
}

// Reload proves it by the marker where there is one.
func (j *joined) Reload(ctx context.Context, dir, generation string) error {
	if strings.HasPrefix(generation, foreign) {
		generation = ""
	}
	return j.validating.Reload(ctx, dir, generation)
}
