package controller

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/status"
)

// writers is how many statuses are written at a time.
const writers = 16

// writer brings statuses to the cluster, the newest ones only, and only where they differ from what is there.
type writer struct {
	controller *Controller
	metrics    writerMetrics
	recorder   events.EventRecorder
	// running is held while this replica writes.
	running sync.Mutex
	// fresh says that there are new reports.
	fresh chan struct{}

	mu sync.Mutex
	// world is what statuses are compared with; reports are nil before there are any about it.
	world   *world
	reports map[object]*status.Report
	queue   workqueue.TypedRateLimitingInterface[object] // nil while this replica doesn't write
	written map[object]written
	paces   map[object]*pace
	// troubled are those whose status couldn't be written.
	troubled map[object]bool
}

// object is a kind and a name.
type object struct {
	kind string
	name
}

// written is what a status was written to, until the watch tells of it.
type written struct {
	before string // resourceVersion
	after  client.Object
}

// pace keeps an object whose status changes all the time, such as a Gateway that counts its routes, from being
// written all the time.
type pace struct {
	last  time.Time
	pause time.Duration
}

// The pauses between two writes of one object: they double while it changes all the time.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 700 * time.Millisecond
)

type writerMetrics struct {
	writes *prometheus.CounterVec
	leader prometheus.Gauge
}

func newWriter(c *Controller, registry prometheus.Registerer) *writer {
	w := &writer{
		controller: c, fresh: make(chan struct{}, 1), world: newWorld(&c.Options),
		written: map[object]written{}, paces: map[object]*pace{}, troubled: map[object]bool{},
		metrics: writerMetrics{
			writes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatewright_status_writes_total",
				Help: "Statuses written to the cluster, by kind and result (ok, conflict, error)."}, []string{"kind", "result"}),
			leader: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatewright_leader",
				Help: "1 while this replica is the one that writes statuses."}),
		},
	}
	registry.MustRegister(w.metrics.writes, w.metrics.leader)
	w.recorder = c.manager.GetEventRecorder("gatewright")
	return w
}

// compareWith sets the world that statuses are compared with. Reports about the last one are dropped: they say nothing about this one.
func (w *writer) compareWith(next *world) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.world, w.reports = next, nil
	w.written, w.paces = map[object]written{}, map[object]*pace{}
}

// publish takes new reports in place of the last ones.
func (w *writer) publish(reports []status.Report) {
	byObject := make(map[object]*status.Report, len(reports))
	for i := range reports {
		r := &reports[i]
		byObject[object{r.Kind, name{Namespace: r.Namespace, Name: r.Name}}] = r
	}
	w.mu.Lock()
	w.reports = byObject
	w.mu.Unlock()
	select {
	case w.fresh <- struct{}{}:
	default:
	}
}

// check looks whether somebody has changed a status that is ours.
func (w *writer) check(kind string, key name) {
	if _, ok := statusKinds[kind]; !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil && w.reports != nil {
		w.queue.Add(object{kind, key})
	}
}

// finish is how long writes that have begun may take when this replica is to write no more. After retryPeriod and renewDeadline it
// ends before another replica may lead, which is after leaseDuration.
const finish = 2 * time.Second

// wait returns when nothing is being written any more.
func (w *writer) wait() {
	w.running.Lock()
	defer w.running.Unlock()
}

// run writes until ctx ends, and returns when what had begun by then is done.
func (w *writer) run(ctx context.Context) {
	w.running.Lock()
	defer w.running.Unlock()
	writing, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	queue := newQueue()
	w.mu.Lock()
	w.queue = queue
	w.written, w.paces = map[object]written{}, map[object]*pace{}
	w.mu.Unlock()
	w.metrics.leader.Set(1)
	defer w.metrics.leader.Set(0)
	var tasks sync.WaitGroup
	for range writers {
		tasks.Go(func() {
			for ctx.Err() == nil && w.work(writing, queue) {
			}
		})
	}
	for first := true; ; first = false {
		if !first {
			select {
			case <-ctx.Done():
				w.mu.Lock()
				w.queue = nil
				w.mu.Unlock()
				queue.ShutDown()
				timer := time.AfterFunc(finish, abandon)
				tasks.Wait()
				timer.Stop()
				return
			case <-w.fresh:
			}
		}
		w.compare(queue)
	}
}

// portion is how many statuses are compared at a time: nothing new is heard of the cluster meanwhile.
const portion = 64

// compare queues every object whose status is not what it should be.
func (w *writer) compare(queue workqueue.TypedRateLimitingInterface[object]) {
	w.mu.Lock()
	reports := w.reports
	w.mu.Unlock()
	for objects := range slices.Chunk(slices.Collect(maps.Keys(reports)), portion) {
		w.locked(func() {
			for _, o := range objects {
				if d := w.difference(o); len(d.Operations) > 0 {
					queue.Add(o)
				}
			}
		})
	}
	w.locked(func() {
		if w.reports == nil {
			return
		}
		for kind, k := range statusKinds {
			for _, key := range k.mentioned(w.world) {
				if o := (object{kind, key}); w.reports[o] == nil {
					queue.Add(o)
				}
			}
		}
	})
}

// locked does something while neither the reports nor the world change.
func (w *writer) locked(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.world.mu.Lock()
	defer w.world.mu.Unlock()
	do()
}

// difference is what to write to an object; both w and the world are locked.
func (w *writer) difference(o object) change {
	k := statusKinds[o.kind]
	have := k.get(w.world, o.name)
	if have == nil || w.reports == nil {
		delete(w.written, o)
		delete(w.paces, o)
		return change{}
	}
	if done, ok := w.written[o]; ok {
		if done.before == have.GetResourceVersion() {
			have = done.after
		} else {
			delete(w.written, o)
		}
	}
	report := w.reports[o]
	switch {
	case report == nil && !k.entries:
		return change{}
	case report == nil:
		report = k.nothing(have)
	case report.Generation != have.GetGeneration():
		// It is about a spec that isn't there any more; the report of the new one follows.
		return change{}
	}
	p := status.Difference(k.current(have), report, w.controller.ControllerName, w.world.owned(o.Namespace), metav1.Now())
	return change{have: have, Patch: p}
}

// change is a patch and the object that it is for.
type change struct {
	status.Patch
	have client.Object
}

// work writes the status of one object. It returns false at the end.
func (w *writer) work(ctx context.Context, queue workqueue.TypedRateLimitingInterface[object]) bool {
	o, end := queue.Get()
	if end {
		return false
	}
	defer queue.Done(o)
	var d change
	wait := time.Duration(0)
	w.locked(func() {
		if d = w.difference(o); len(d.Operations) > 0 {
			wait = w.pause(o)
		}
	})
	switch {
	case len(d.Operations) == 0:
		queue.Forget(o)
	case wait > 0:
		queue.AddAfter(o, wait)
	default:
		w.write(ctx, queue, o, d)
	}
	return true
}

// pause says how long an object's next write has to wait, and counts it when it hasn't.
func (w *writer) pause(o object) time.Duration {
	p := w.paces[o]
	now := time.Now()
	switch {
	case p == nil:
		w.paces[o] = &pace{now, shortestPause}
		return 0
	case now.Sub(p.last) < p.pause:
		return p.pause - now.Sub(p.last)
	case now.Sub(p.last) < 2*p.pause:
		p.pause = min(2*p.pause, longestPause)
	default:
		p.pause = shortestPause
	}
	p.last = now
	return 0
}

// statusKind is a kind of object whose status is written.
type statusKind struct {
	// entries says that several controllers write entries of their own.
	entries bool
	// get finds an object in the world; nil when there is none.
	get func(*world, name) client.Object
	// current takes its status, and empty makes an object to decode another version into.
	current func(client.Object) status.Current
	empty   func() client.Object
	// nothing is the report that removes our entries.
	nothing func(client.Object) *status.Report
	// mentioned are the objects with entries of ours.
	mentioned func(*world) []name
}

// statusKinds are all of them, by their names.
var statusKinds = map[string]*statusKind{
	"GatewayClass": plain(func(w *world) map[name]*gatewayv1.GatewayClass { return w.classes },
		func(o *gatewayv1.GatewayClass) status.Current { return status.Current{GatewayClass: &o.Status} }),
	"Gateway": plain(func(w *world) map[name]*gatewayv1.Gateway { return w.gateways },
		func(o *gatewayv1.Gateway) status.Current { return status.Current{Gateway: &o.Status} }),
	"ListenerSet": plain(func(w *world) map[name]*gatewayv1.ListenerSet { return w.sets },
		func(o *gatewayv1.ListenerSet) status.Current { return status.Current{ListenerSet: &o.Status} }),
	"GRPCRoute": withEntries(func(w *world) map[name]*gatewayv1.GRPCRoute { return w.grpcRoutes },
		func(o *gatewayv1.GRPCRoute) status.Current { return status.Current{Route: &o.Status.RouteStatus} },
		status.Report{Kind: "GRPCRoute", Route: &gatewayv1.RouteStatus{}}),
	"HTTPRoute": withEntries(func(w *world) map[name]*gatewayv1.HTTPRoute { return w.httpRoutes },
		func(o *gatewayv1.HTTPRoute) status.Current { return status.Current{Route: &o.Status.RouteStatus} },
		status.Report{Kind: "HTTPRoute", Route: &gatewayv1.RouteStatus{}}),
	"BackendTLSPolicy": withEntries(func(w *world) map[name]*gatewayv1.BackendTLSPolicy { return w.policies },
		func(o *gatewayv1.BackendTLSPolicy) status.Current { return status.Current{Policy: &o.Status} },
		status.Report{Kind: "BackendTLSPolicy", Policy: &gatewayv1.PolicyStatus{}}),
	policy.TimeoutKind: withEntries(func(w *world) map[name]*policy.GRPCTimeoutPolicy { return w.timeouts },
		func(o *policy.GRPCTimeoutPolicy) status.Current { return status.Current{Policy: &o.Status} },
		status.Report{Kind: policy.TimeoutKind, Policy: &gatewayv1.PolicyStatus{}}),
	policy.RetryKind: withEntries(func(w *world) map[name]*policy.GRPCRetryPolicy { return w.retries },
		func(o *policy.GRPCRetryPolicy) status.Current { return status.Current{Policy: &o.Status} },
		status.Report{Kind: policy.RetryKind, Policy: &gatewayv1.PolicyStatus{}}),
	policy.BackendKind: withEntries(func(w *world) map[name]*policy.BackendPolicy { return w.backends },
		func(o *policy.BackendPolicy) status.Current { return status.Current{Policy: &o.Status} },
		status.Report{Kind: policy.BackendKind, Policy: &gatewayv1.PolicyStatus{}}),
	policy.ParametersKind: withEntries(func(w *world) map[name]*policy.GatewayParameters { return w.parameters },
		func(o *policy.GatewayParameters) status.Current { return status.Current{Policy: &o.Status} },
		status.Report{Kind: policy.ParametersKind, Policy: &gatewayv1.PolicyStatus{}}),
}

// clientObject is a pointer to T.
type clientObject[T any] interface {
	*T
	client.Object
}

func plain[T any, P clientObject[T]](objects func(*world) map[name]P, current func(P) status.Current) *statusKind {
	return &statusKind{
		get: func(w *world, key name) client.Object {
			if o := objects(w)[key]; o != nil {
				return o
			}
			return nil
		},
		current:   func(o client.Object) status.Current { return current(o.(P)) },
		empty:     func() client.Object { return P(new(T)) },
		mentioned: func(*world) []name { return nil },
	}
}

func withEntries[T any, P clientObject[T]](objects func(*world) map[name]P, current func(P) status.Current,
	nothing status.Report) *statusKind {
	k := plain(objects, current)
	k.entries = true
	k.nothing = func(o client.Object) *status.Report {
		r := nothing
		r.Namespace, r.Name, r.Generation = o.GetNamespace(), o.GetName(), o.GetGeneration()
		return &r
	}
	k.mentioned = func(w *world) []name {
		var out []name
		for key, o := range objects(w) {
			if current(o).Mentions(w.options.ControllerName, w.owned(key.Namespace)) {
				out = append(out, key)
			}
		}
		return out
	}
	return k
}
