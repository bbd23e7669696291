package health

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators/model"
)

// Watcher knows how endpoints are. Of an endpoint that it has just met it thinks well.
type Watcher struct {
	log     *slog.Logger
	changed func()
	ask     func(ctx context.Context, at netip.AddrPort, service string) error

	mu    sync.Mutex
	ctx   context.Context // nil until Run, and after it
	tasks sync.WaitGroup
	watch map[place]*watched
	// shares are by namespace.
	shares map[string]*share
}

// share is what a namespace has of the checks: none has others' wait.
type share struct {
	places int
	open   chan struct{} // the checks under way
}

// place is an endpoint of a namespace's Service and what it is asked.
type place struct {
	namespace string
	at        netip.AddrPort
	check     model.HealthCheck
}

// watched is what is known of a place.
type watched struct {
	stop context.CancelFunc // nil until somebody asks it
	// ill says that it is left out; in a row counts the checks that said otherwise.
	ill   bool
	inRow int
}

// New returns a Watcher that says by changed, which must not wait, from any goroutine that Of would give another model. Its metrics are in the registry.
func New(registry prometheus.Registerer, log *slog.Logger, changed func()) *Watcher {
	w := &Watcher{log: log, changed: changed, watch: map[place]*watched{},
		shares: map[string]*share{}}
	client := newTransport()
	w.ask = func(ctx context.Context, at netip.AddrPort, service string) error {
		return check(ctx, client, at, service)
	}
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "gatewright_health_endpoints",
		Help: "Endpoints that are asked how they are.", ConstLabels: prometheus.Labels{"state": "well"}}, func() float64 { return w.count(false) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "gatewright_health_endpoints",
			Help: "Endpoints that are asked how they are.", ConstLabels: prometheus.Labels{"state": "ill"}}, func() float64 { return w.count(true) }))
	return w
}

func (w *Watcher) count(ill bool) (n float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.watch {
		if p.ill == ill {
			n++
		}
	}
	return n
}

// Run asks endpoints until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	w.mu.Lock()
	w.ctx = ctx
	for p, known := range w.watch {
		w.start(p, known)
	}
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
	stop()
	w.tasks.Wait()
}

// Of is a model without the endpoints that aren't well, and has those asked from now on that are in it and no others. Where all
// endpoints of a cluster are ill they all stay: what is wrong may be the check.
func (w *Watcher) Of(m model.Gateways) model.Gateways {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, own := map[place]bool{}, false
	for i := range m.Clusters {
		c := &m.Clusters[i]
		if c.Health == nil {
			continue
		}
		if !own {
			m.Clusters, own = slices.Clone(m.Clusters), true
			c = &m.Clusters[i]
		}
		if well := w.well(c, seen); len(well) > 0 {
			c.Endpoints = well
		}
	}
	for p, known := range w.watch {
		if !seen[p] {
			if known.stop != nil {
				known.stop()
			}
			delete(w.watch, p)
			if s := w.shares[p.namespace]; s.places == 1 {
				delete(w.shares, p.namespace)
			} else {
				s.places--
			}
		}
	}
	return m
}

// well are the endpoints of a cluster that are. The lock is held.
func (w *Watcher) well(c *model.Cluster, seen map[place]bool) (list []model.Endpoint) {
	for _, e := range c.Endpoints {
		ip, err := netip.ParseAddr(e.Address)
		if err != nil || e.Port < 1 || e.Port > 65535 {
			list = append(list, e) // Translation lets no check meet a name.
			continue
		}
		p := place{c.Namespace, netip.AddrPortFrom(ip, uint16(e.Port)), *c.Health}
		seen[p] = true
		known := w.watch[p]
		if known == nil {
			known = w.add(p)
			w.start(p, known)
		}
		if !known.ill {
			list = append(list, e)
		}
	}
	return list
}

// add begins to know a place. The lock is held.
func (w *Watcher) add(p place) *watched {
	s := w.shares[p.namespace]
	if s == nil {
		s = &share{open: make(chan struct{}, mostOpen)}
		w.shares[p.namespace] = s
	}
	s.places++
	known := &watched{}
	w.watch[p] = known
	return known
}

// start has an endpoint asked. The lock is held.
func (w *Watcher) start(p place, known *watched) {
	if w.ctx == nil || known.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(w.ctx)
	known.stop = stop
	open := w.shares[p.namespace].open
	w.tasks.Go(func() {
		defer stop()
		for pause := rand.N(w.pause(p) / 2); ; pause = w.pause(p) {
			if !sleep(ctx, pause) {
				return
			}
			select {
			case open <- struct{}{}:
			case <-ctx.Done():
				return
			}
			asking, cancel := context.WithTimeout(ctx, p.check.Timeout)
			err := w.ask(asking, p.at, p.check.Service)
			cancel()
			<-open
			if ctx.Err() != nil {
				return
			}
			if !ours(err) {
				w.learn(p, known, err)
			}
		}
	})
}

// sleep is false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// ours says whether it is this host that lacks something for a check, which tells nothing of the endpoint.
func ours(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// mostChecks is how many endpoints of a namespace's Services are asked in a second at most, and mostOpen at a time.
const (
	mostChecks = 100
	mostOpen   = 64
)

// pause is how long an endpoint isn't asked again: about its interval, a tenth more or less so that not all are asked in one moment, and
// longer where its namespace has many.
func (w *Watcher) pause(p place) time.Duration {
	w.mu.Lock()
	places := 1
	if s := w.shares[p.namespace]; s != nil {
		places = s.places
	}
	w.mu.Unlock()
	interval := max(p.check.Interval, time.Duration(places)*time.Second/mostChecks)
	return interval - interval/10 + rand.N(interval/5+1)
}

// learn counts what a check said.
func (w *Watcher) learn(p place, known *watched, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if (err != nil) == known.ill {
		known.inRow = 0
		return
	}
	known.inRow++
	least := p.check.Unhealthy
	if known.ill {
		least = p.check.Healthy
	}
	if known.inRow < least || w.watch[p] != known {
		return
	}
	known.ill, known.inRow = !known.ill, 0
	if known.ill {
		w.log.Warn("an endpoint isn't well: it gets calls only where none of its Service is", "endpoint", p.at, "service", p.check.Service, "error", err)
	} else {
		w.log.Info("an endpoint is well again", "endpoint", p.at, "service", p.check.Service)
	}
	w.changed()
}
