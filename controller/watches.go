package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// watches read everything from the beginning and follow it until the next outage: what a cache has learnt before one
// can't be told from what is there now. They start the watching of every kind as soon as the cluster has it.
type watches struct {
	controller *Controller
	cache      cache.Cache
	world      *world
	kick       chan struct{}
	// progress says that another kind has been read, or found absent.
	progress chan struct{}

	// identity is whose data are read. It is known when problem says no more than errNotProven.
	identity types.UID

	mu sync.Mutex
	// problem is why the reading hasn't begun, or isn't to be relied on.
	problem error
	states  []*watchState
}

// watchState is how far the watching of one kind is.
type watchState struct {
	kind *kind
	// started says when everything that there was is known; nil before the watching has started.
	started toolscache.ResourceEventHandlerRegistration
	// absent says that the cluster has no such kind; problem is what else keeps it from being watched.
	absent  bool
	problem error
}

var (
	errNotAsked    = errors.New("the API server hasn't answered yet")
	errNotAskedNow = errors.New("the API server couldn't be asked, and everything is read anew when it answers")
	errNotProven   = errors.New("everything has been read, but it isn't proven yet that it is of one cluster")
)

func newWatches(c *Controller, problem error) (*watches, error) {
	w := &watches{controller: c, world: newWorld(&c.Options), kick: make(chan struct{}, 1), progress: make(chan struct{}, 1), problem: problem}
	list := kinds()
	for _, k := range list {
		w.states = append(w.states, &watchState{kind: k, problem: errors.New("not asked yet")})
	}
	var namespaces map[string]cache.Config
	for _, n := range c.Namespaces {
		if namespaces == nil {
			namespaces = map[string]cache.Config{}
		}
		namespaces[n] = cache.Config{}
	}
	config, client := c.manager.GetConfig(), c.manager.GetHTTPClient()
	// Which kinds there are may have changed too. Neither the mapper nor the cache asks before there is a need.
	mapper, err := apiutil.NewDynamicRESTMapper(config, client)
	if err != nil {
		return nil, err
	}
	noCopies := true
	w.cache, err = cache.New(config, cache.Options{
		HTTPClient: client, Scheme: c.manager.GetScheme(), Mapper: mapper,
		DefaultTransform: stripper(list), DefaultNamespaces: namespaces, DefaultUnsafeDisableDeepCopy: &noCopies,
		DefaultWatchErrorHandler: broken,
	})
	return w, err
}

// The pauses between tries to start what can't be watched yet and to read everything anew, and longPause between those of what has
// failed again and again.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 10 * time.Second
	longPause  = time.Minute
)

// reachPause is the longest pause between two questions whether the API server is back.
const reachPause = time.Second

// steady is how long everything has to be followed without an outage before the next one counts as the first.
const steady = lastPause

// follow watches the cluster until ctx ends. After an outage it begins anew: soon after the first, and after pauses that grow
// while there are more, for an API server that has too much to do has more to do with every such beginning.
func (c *Controller) follow(ctx context.Context) {
	pauses := pauses{first: firstPause, last: lastPause}
	for ctx.Err() == nil {
		w := c.watches.Load()
		start := time.Now()
		if w.run(ctx) && time.Since(start) > steady {
			pauses.reset()
		}
		next, err := newWatches(c, errNotAskedNow)
		if err != nil {
			// They were made before, of nothing else.
			c.Log.Error("the cluster can't be watched", "error", err)
			return
		}
		c.watches.Store(next)
		wait(ctx, max(pauses.take(), spread(c.outages.pause())))
	}
}

// run reads everything and follows it until the next outage. It returns true if everything has been read before that.
func (w *watches) run(ctx context.Context) (complete bool) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !w.reach(ctx) {
		return false
	}
	outage := w.controller.outages.after()
	tasks.Go(func() {
		if err := w.cache.Start(ctx); err != nil {
			w.controller.Log.Error("the cluster can't be watched", "error", err)
		}
	})
	tasks.Go(func() { w.startAll(ctx) })
	for {
		select {
		case <-ctx.Done():
			return complete
		case <-outage:
			w.obstruct(errNotAskedNow)
			return complete
		case <-w.progress:
		}
		if !complete && w.unread() == nil {
			if !w.prove(ctx) {
				return false
			}
			complete = true
		} else {
			w.controller.Changed()
		}
	}
}

// reach asks the API server who it is until it says so. It returns false when ctx ends.
func (w *watches) reach(ctx context.Context) bool {
	for pauses := (pauses{first: firstPause, last: reachPause}); ctx.Err() == nil; {
		identity, err := identityOf(ctx, w.controller.manager.GetAPIReader())
		if err == nil {
			w.identity = identity
			w.obstruct(errNotProven)
			return true
		}
		w.obstruct(fmt.Errorf("the API server can't be asked for the Namespace %s: %w", identityName, err))
		wait(ctx, max(pauses.take(), spread(w.controller.outages.pause())))
	}
	return false
}

// prove makes sure that what was read is of one cluster, and lets it be served.
func (w *watches) prove(ctx context.Context) bool {
	identity, err := identityOf(ctx, w.controller.manager.GetAPIReader())
	if err != nil || identity != w.identity {
		return false
	}
	w.controller.writer.compareWith(w.world)
	w.obstruct(nil)
	return true
}

// obstruct says why nothing is to be served; nil for no reason any more.
func (w *watches) obstruct(problem error) {
	w.mu.Lock()
	w.problem = problem
	w.mu.Unlock()
	w.controller.Changed()
}

// broken logs why a watch has failed, unless it was meant to end.
func broken(ctx context.Context, r *toolscache.Reflector, err error) {
	if ctx.Err() == nil {
		toolscache.DefaultWatchErrorHandler(ctx, r, err)
	}
}

func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// startAll starts watches until all have started, and again when a CRD comes.
func (w *watches) startAll(ctx context.Context) {
	pauses := pauses{first: firstPause, last: lastPause}
	for {
		if w.start(ctx) {
			pauses.next = lastPause
		}
		timer := time.NewTimer(pauses.take())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.kick:
			timer.Stop()
			pauses.reset()
		case <-timer.C:
		}
	}
}

// start tries what hasn't started. It returns true when nothing is left to try that is needed.
func (w *watches) start(ctx context.Context) bool {
	complete, news := true, false
	for _, s := range w.states {
		w.mu.Lock()
		done := s.started != nil
		w.mu.Unlock()
		if done {
			continue
		}
		registration, err := w.watch(ctx, s.kind)
		w.mu.Lock()
		news = s.tried(registration, err) || news
		w.mu.Unlock()
		complete = complete && (err == nil || s.absent && !s.kind.needed)
		if err == nil {
			go func() {
				select {
				case <-ctx.Done():
				case <-registration.HasSyncedChecker().Done():
					w.progressed()
				}
			}()
		}
	}
	if news {
		w.progressed()
	}
	return complete
}

// tried notes what came of a try to watch the kind, and says whether that is news: a kind that stays absent costs nothing.
func (s *watchState) tried(registration toolscache.ResourceEventHandlerRegistration, err error) (news bool) {
	news = err == nil || isAbsent(err) != s.absent || s.problem == nil || err.Error() != s.problem.Error()
	s.started, s.absent, s.problem = registration, isAbsent(err), err
	return news
}

func (w *watches) progressed() {
	select {
	case w.progress <- struct{}{}:
	default:
	}
}

// isAbsent says whether an error means that the cluster has no such kind.
func isAbsent(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err)
}

// watch starts to watch the best version of a kind that the cluster has.
func (w *watches) watch(ctx context.Context, k *kind) (toolscache.ResourceEventHandlerRegistration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var informer cache.Informer
	var err error
	for _, v := range k.versions {
		informer, err = w.cache.GetInformer(ctx, v.empty(), cache.BlockUntilSynced(false))
		if err == nil || !isAbsent(err) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return informer.AddEventHandler(w.handler(k))
}

// handler brings a kind's changes to the world.
func (w *watches) handler(k *kind) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { w.event(k, nil, subject(o)) },
		UpdateFunc: func(old, new any) { w.event(k, subject(old), subject(new)) },
		DeleteFunc: func(o any) { w.event(k, subject(o), nil) },
	}
}

// subject is what an event is about; one that was deleted while nobody watched is wrapped.
func subject(o any) client.Object {
	if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = gone.Obj
	}
	out, _ := o.(client.Object)
	return out
}

func (w *watches) event(k *kind, old, new client.Object) {
	// A nil object must be a nil interface of the narrower type too.
	var before, after metav1.Object
	var key name
	if old != nil {
		before, key = old, nameOf(old)
	}
	if new != nil {
		after, key = new, nameOf(new)
	}
	if key.Name == "" {
		return
	}
	c := w.controller
	w.world.mu.Lock()
	k.put(w.world, key, after)
	matters := k.matters(w.world, before, after)
	w.world.mu.Unlock()
	if k.GroupKind == crds.GroupKind() && isWatchedCRD(key.Name) {
		select {
		case w.kick <- struct{}{}:
		default:
		}
	}
	if after != nil && before != nil {
		c.writer.check(k.Kind, key)
	}
	if matters {
		c.Changed()
	}
}

// ready says why what is known isn't to be served.
func (w *watches) ready() error {
	w.mu.Lock()
	problem := w.problem
	w.mu.Unlock()
	if problem != nil && !errors.Is(problem, errNotProven) {
		return problem
	}
	if err := w.unread(); err != nil {
		return err
	}
	return problem
}

// unread says what is not known yet of what has to be.
func (w *watches) unread() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.states {
		switch {
		case s.absent && s.kind.needed:
			return fmt.Errorf("the cluster has no %s: install the CRDs of the Gateway API", s.kind.GroupKind)
		case s.absent:
		case s.started == nil:
			return fmt.Errorf("%s can't be watched yet: %w", s.kind.GroupKind, s.problem)
		case !s.started.HasSynced():
			return fmt.Errorf("not all objects of kind %s have been read yet", s.kind.GroupKind)
		}
	}
	return nil
}
