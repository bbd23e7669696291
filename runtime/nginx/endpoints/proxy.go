package endpoints

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/nginx"
)

// patience is how long nginx may take to ask for what has changed: it repeats a question that was lost after
// five seconds, and pauses for one after each answer.
const patience = 7 * time.Second

// soon is how long workers may take that have just been started and find somebody who answers.
const soon = 150 * time.Millisecond

// Proxy is an nginx whose endpoints change without a reload. The
// configuration has to be rendered with the server's address as generators.Options.Resolver, for an nginx that
// has model.FeatureResolve.
type Proxy struct {
	*nginx.Proxy
	server *Server

	mu sync.Mutex
	// prepared are the clusters of the configuration that the next reload brings.
	prepared []model.Cluster
	// served are the names of those that the last one brought.
	served map[string]bool
	// unlearnt are clusters, by name, of which nginx isn't known to have the endpoints.
	unlearnt map[string]model.Cluster
	// learnt is the master whose workers have learnt all endpoints once.
	learnt string
}

// New returns a proxy whose endpoints a server tells. Close closes both.
func New(p *nginx.Proxy, s *Server) *Proxy {
	out := &Proxy{Proxy: p, server: s, served: map[string]bool{}, unlearnt: map[string]model.Cluster{}}
	if text, err := os.ReadFile(s.learnt); err == nil {
		out.learnt = strings.TrimSpace(string(text))
	}
	return out
}

// Hooks are what such an nginx can do beside what an apply.Proxy has to.
func (p *Proxy) Hooks() apply.Hooks {
	h := p.Proxy.Hooks()
	h.Update, h.Prepare, h.Step = p.Update, p.Prepare, p.Step
	return h
}

// experienced says whether the workers of the running master have learnt endpoints before. Those of one that was started
// while nobody answered have none, and ask again only after five seconds. Where the master can't be told from others
// they count as experienced.
func (p *Proxy) experienced() bool {
	master, err := p.Master()
	p.mu.Lock()
	defer p.mu.Unlock()
	return err != nil || master == p.learnt
}

// gain waits for the workers of a master that has just been started to learn the endpoints that are answered now.
func (p *Proxy) gain(ctx context.Context, clusters []model.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	if err := p.server.Wait(ctx, clusters); err != nil {
		return fmt.Errorf("nginx was started while nobody told it endpoints: %w", err)
	}
	p.learn()
	return nil
}

// learn notes that the running master's workers know all endpoints.
func (p *Proxy) learn() {
	master, err := p.Master()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || master == p.learnt {
		return
	}
	p.learnt = master
	if p.server.learnt == "" {
		return
	}
	if err := folder.Replace(p.server.learnt, []byte(master+"\n"), 0o600); err != nil {
		p.Log.Warn("nginx will be reloaded once more when gatewright is started again", "error", err)
	}
}

// Resolver is where nginx asks: generators.Options.Resolver.
func (p *Proxy) Resolver() string { return p.server.Address() }

// Close lets go of nginx, and ends the answers.
func (p *Proxy) Close() error {
	err := p.Proxy.Close()
	if closed := p.server.Close(); err == nil {
		err = closed
	}
	return err
}

// Start is nginx.Proxy's, but for files that name an address where somebody else may answer now: nginx would send calls to
// where that one says. Newer files are waited for.
func (p *Proxy) Start(ctx context.Context, generation string) error {
	if _, err := p.Master(); err != nil && p.server.moved {
		return errors.New("the last good configuration asks for endpoints at an address that somebody else has now, so nginx isn't started " +
			"with it")
	}
	return p.Proxy.Start(ctx, generation)
}

// Prepare lets the server know all endpoints of a configuration before nginx asks for them.
func (p *Proxy) Prepare(next apply.Configuration) {
	p.mu.Lock()
	p.prepared = next.Model.Clusters
	p.mu.Unlock()
	p.server.Set(next.Model)
}

// Reload lets nginx read its configuration again, and returns when it has learnt the endpoints of clusters that
// are new: what it knows of others it keeps.
func (p *Proxy) Reload(ctx context.Context, dir, generation string) error {
	if err := p.Proxy.Reload(ctx, dir, generation); err != nil {
		return err
	}
	added := p.added(!p.experienced())
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.server.Wait(ctx, added); err != nil {
		// It serves the configuration, and goes on asking.
		p.Log.Warn("nginx serves before it knows all endpoints", "error", err)
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range added {
			p.unlearnt[c.Name] = c
		}
		return nil
	}
	p.learn()
	return nil
}

// added are the clusters of the configuration that a reload has brought, all of them or those that are new.
func (p *Proxy) added(all bool) []model.Cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.unlearnt)
	var added []model.Cluster
	served := make(map[string]bool, len(p.prepared))
	for _, c := range p.prepared {
		served[c.Name] = true
		if all || !p.served[c.Name] {
			added = append(added, c)
		}
	}
	p.served = served
	return added
}

// Step lets calls go to new clusters before nginx has learnt their endpoints, which it asks for only once it serves
// them: they come with its files. Another reload leaves them to what it has learnt.
func (p *Proxy) Step(old, next model.Gateways) (first model.Gateways, needed bool) {
	known := make(map[string]bool, len(old.Clusters))
	for _, c := range old.Clusters {
		known[c.Name] = true
	}
	first = next
	first.Clusters = slices.Clone(next.Clusters)
	for i := range first.Clusters {
		if c := &first.Clusters[i]; !known[c.Name] && len(c.Endpoints) > 0 {
			c.Unlearnt, needed = true, true
		}
	}
	return first, needed
}

// Update tells nginx the endpoints that have changed and returns when it has learnt them. They change also when
// something else needs a reload: they don't depend on the rest of the configuration, and dead ones should go.
func (p *Proxy) Update(ctx context.Context, old, next apply.Configuration) (apply.Update, error) {
	if old.Generation == next.Generation && !p.experienced() {
		if err := p.gain(ctx, next.Model.Clusters); err != nil {
			return apply.Update{}, err // A reload brings workers that ask at once.
		}
	}
	p.server.Set(next.Model)
	if old.Generation != next.Generation {
		reason, cause := difference(old.Model, next.Model)
		return apply.Update{Reason: reason, Cause: cause}, nil
	}
	clusters := p.learning(changed(old.Model.Clusters, next.Model.Clusters), next.Model.Clusters)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.server.Wait(ctx, clusters); err != nil {
		return apply.Update{}, err
	}
	p.mu.Lock()
	clear(p.unlearnt)
	p.mu.Unlock()
	return apply.Update{Applied: true, Reason: reason(clusters), Cause: "endpoints"}, nil
}

// reason names what was told.
func reason(clusters []model.Cluster) string {
	switch len(clusters) {
	case 0:
		return "no endpoints"
	case 1:
		return "endpoints of " + clusters[0].Name
	}
	return fmt.Sprintf("endpoints of %s and %d more", clusters[0].Name, len(clusters)-1)
}

// learning adds clusters to those that nginx has to learn, and returns all of them that are still there.
func (p *Proxy) learning(clusters, all []model.Cluster) []model.Cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range clusters {
		p.unlearnt[c.Name] = c
	}
	var out []model.Cluster
	for _, c := range all {
		if _, ok := p.unlearnt[c.Name]; ok {
			out = append(out, c)
		}
	}
	return out
}

// changed are the clusters of next whose endpoints aren't those of old.
func changed(old, next []model.Cluster) []model.Cluster {
	before := make(map[string]*model.Cluster, len(old))
	for i := range old {
		before[old[i].Name] = &old[i]
	}
	var out []model.Cluster
	for i := range next {
		c := before[next[i].Name]
		if c == nil || !slices.Equal(c.Endpoints, next[i].Endpoints) {
			out = append(out, next[i])
		}
	}
	return out
}

// difference says why two configurations with different files need a reload.
func difference(old, next model.Gateways) (reason, cause string) {
	switch {
	case !reflect.DeepEqual(listeners(old), listeners(next)):
		return "listeners have changed", "listeners"
	case !reflect.DeepEqual(old.KeyPairs, next.KeyPairs):
		return "certificates have changed", "certificates"
	case !slices.EqualFunc(old.Clusters, next.Clusters, func(a, b model.Cluster) bool { return a.Name == b.Name }):
		return "the Services that are used have changed", "services"
	case !reflect.DeepEqual(old.Gateways, next.Gateways):
		return "routes have changed", "routes"
	case slices.ContainsFunc(old.Clusters, func(c model.Cluster) bool { return c.Unlearnt }):
		return "the endpoints of new Services are known now", "services"
	}
	return "the files have changed", "files"
}

// listeners are a model's listeners without their rules.
func listeners(m model.Gateways) []model.Gateway {
	out := slices.Clone(m.Gateways)
	for i := range out {
		out[i].Listeners = slices.Clone(out[i].Listeners)
		for j := range out[i].Listeners {
			out[i].Listeners[j].Scopes = nil
		}
	}
	return out
}

var _ apply.Proxy = (*Proxy)(nil)
