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
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watches start the watching of every kind as soon as the cluster has it.
type watches struct {
	controller *Controller
	kick       chan struct{}

	mu     sync.Mutex
	states []*watchState
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

func newWatches(c *Controller, kinds []*kind) *watches {
	w := &watches{controller: c, kick: make(chan struct{}, 1)}
	for _, k := range kinds {
		w.states = append(w.states, &watchState{kind: k, problem: errors.New("not asked yet")})
	}
	return w
}

// The pauses between tries to start what can't be watched yet.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 10 * time.Second
)

// run starts watches until all have started, and again when a CRD comes.
func (w *watches) run(ctx context.Context) {
	pause := firstPause
	for {
		if w.start(ctx) {
			pause = lastPause
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.kick:
			timer.Stop()
			pause = firstPause
		case <-timer.C:
			pause = min(2*pause, lastPause)
		}
	}
}

// start tries what hasn't started. It returns true when nothing is left to try that is needed.
func (w *watches) start(ctx context.Context) bool {
	complete := true
	for _, s := range w.states {
		w.mu.Lock()
		done := s.started != nil
		w.mu.Unlock()
		if done {
			continue
		}
		registration, err := w.watch(ctx, s.kind)
		w.mu.Lock()
		s.started, s.absent, s.problem = registration, isAbsent(err), err
		w.mu.Unlock()
		complete = complete && (err == nil || s.absent && !s.kind.needed)
		if err == nil {
			go func() {
				// It ends with ctx at the latest.
				if toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
					w.controller.Changed()
				}
			}()
		}
	}
	return complete
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
		informer, err = w.controller.manager.GetCache().GetInformer(ctx, v.empty(), cache.BlockUntilSynced(false))
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
	c.world.mu.Lock()
	k.put(c.world, key, after)
	matters := k.matters(c.world, before, after)
	c.world.mu.Unlock()
	if k.GroupKind == crds.GroupKind() && isGatewayCRD(key.Name) {
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

// ready says what is not known yet of what has to be.
func (w *watches) ready() error {
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
