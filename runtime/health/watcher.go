package health

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatewright/gatewright/generators/model"
)

// Watcher knows how endpoints are. Of an endpoint that it has just met it thinks well.
type Watcher struct {
	log     *slog.Logger
	changed func()
	client  *http.Transport

	mu    sync.Mutex
	ctx   context.Context // nil until Run, and after it
	tasks sync.WaitGroup
	watch map[place]*watched
}

// place is an endpoint and what it is asked.
type place struct {
	at    netip.AddrPort
	check model.HealthCheck
}

// watched is what is known of a place.
type watched struct {
	stop context.CancelFunc // nil until somebody asks it
	// ill says that it is left out; in a row counts the checks that said otherwise.
	ill   bool
	inRow int
}

// New returns a Watcher that says by changed, from any goroutine, that Of would give another model. Its metrics are in the registry.
func New(registry prometheus.Registerer, log *slog.Logger, changed func()) *Watcher {
	w := &Watcher{log: log, changed: changed, client: newTransport(), watch: map[place]*watched{}}
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
		p := place{netip.AddrPortFrom(ip, uint16(e.Port)), *c.Health}
		seen[p] = true
		known := w.watch[p]
		if known == nil {
			known = &watched{}
			w.watch[p] = known
			w.start(p, known)
		}
		if !known.ill {
			list = append(list, e)
		}
	}
	return list
}

// start has an endpoint asked. The lock is held.
func (w *Watcher) start(p place, known *watched) {
	if w.ctx == nil || known.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(w.ctx)
	known.stop = stop
	w.tasks.Go(func() {
		defer stop()
		for {
			asking, cancel := context.WithTimeout(ctx, p.check.Timeout)
			err := check(asking, w.client, p.at, p.check.Service)
			cancel()
			if ctx.Err() != nil {
				return
			}
			w.learn(p, known, err)
			wait := time.NewTimer(w.pause(p.check.Interval))
			select {
			case <-ctx.Done():
				wait.Stop()
				return
			case <-wait.C:
			}
		}
	})
}

// mostChecks is how many endpoints are asked in a second at most, all together.
const mostChecks = 500

// pause is how long an endpoint isn't asked again: about its interval, a tenth more or less so that not all are asked in one moment, and
// longer where there are many.
func (w *Watcher) pause(interval time.Duration) time.Duration {
	w.mu.Lock()
	least := time.Duration(len(w.watch)) * time.Second / mostChecks
	w.mu.Unlock()
	interval = max(interval, least)
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
		w.log.Warn("an endpoint isn't well and gets no more calls", "endpoint", p.at, "service", p.check.Service, "error", err)
	} else {
		w.log.Info("an endpoint is well again", "endpoint", p.at, "service", p.check.Service)
	}
	w.changed()
}
