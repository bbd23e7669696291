package controller

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/harness"
)

// pair is one replica for each kind of proxy in one cluster, each with a Gateway of its own, which has its name.
type pair struct {
	*lab
	replicas  []*replica
	addresses []string
	names     []string
}

// newPair starts a replica with the newest version of each proxy. They have the kubeconfigs.
func newPair(t *testing.T, kubeconfigs func(l *lab) []string) *pair {
	t.Helper()
	p := &pair{lab: newLab(t, cluster.Options{})}
	files := kubeconfigs(p.lab)
	for i, proxy := range harness.Newest(harness.Proxies(t)) {
		p.names = append(p.names, proxy.Name)
		p.addresses = append(p.addresses, harness.Address(t))
		r := p.newReplica(proxy, files[i])
		r.start("--gateway", "default/"+proxy.Name)
		p.replicas = append(p.replicas, r)
	}
	p.Apply(p.manifests())
	for i, r := range p.replicas {
		r.ready()
		p.answers(p.addresses[i], "base.Service", "first")
	}
	p.converged()
	return p
}

// manifests are the Gateways, and base.Service with a Service behind it.
func (p *pair) manifests() string {
	text := p.service("first", 0) + p.route("base", "base.Service", backend{"first", 1})
	for i, name := range p.names {
		text += gateway(name, p.addresses[i])
	}
	return text
}

// route is a GRPCRoute on both Gateways.
func (p *pair) route(name, service string, backends ...backend) string {
	return route(name, service, p.names, backends...)
}

// traffic starts callers of base.Service and streams on it at both.
func (p *pair) traffic() (end func()) {
	p.Helper()
	var all []*harness.Traffic
	for i, r := range p.replicas {
		all = append(all, harness.StartTraffic(p, r.proxy, callTo(p.addresses[i], "base.Service"), "first", 4, 5))
	}
	return func() {
		p.Helper()
		for _, t := range all {
			t.End()
		}
	}
}

// eachAnswers returns when both answer a gRPC service by a backend.
func (p *pair) eachAnswers(service, want string) {
	p.Helper()
	for _, address := range p.addresses {
		p.answers(address, service, want)
	}
}

// outage is how long the API server is away.
const outage = time.Minute

// TestOutage takes the API server away under traffic. What was served goes on, and what changes afterwards is served.
func TestOutage(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(l *lab) []string { account := l.account(); return []string{account, account} })
	end := p.traffic()
	p.StopAPIServer()
	back := time.After(outage)
	for waiting := true; waiting; {
		select {
		case <-back:
			waiting = false
		case <-time.After(time.Second):
		}
		for i, r := range p.replicas {
			for _, path := range []string{"/healthz", "/readyz"} {
				if code, body, err := r.Get(path); code != 200 || err != nil {
					t.Errorf("%s: %s while the API server is away: %d %s (%v)", r.proxy, path, code, body, err)
				}
			}
			if got := p.call(p.addresses[i], "base.Service"); got.Backend() != "first" {
				t.Errorf("%s: a new connection while the API server is away: %s %s", r.proxy, got.Backend(), got.Message)
			}
		}
	}
	p.StartAPIServer()
	start := time.Now()
	p.Apply(p.service("first", 1) + p.service("second", 0) + p.route("new", "new.Service", backend{"second", 1}))
	p.eachAnswers("new.Service", "second")
	for _, address := range p.addresses {
		p.answersAt(address, "base.Service", p.endpoint("first", 1))
	}
	p.converged()
	t.Logf("%s after the API server was back, all was served and told", time.Since(start).Round(time.Millisecond))
	end()
}

// TestStartAlone starts gatewright while the API server is away: with nothing to serve at first, later with what it served
// last. It waits, says for what, and goes on when the API server comes.
func TestStartAlone(t *testing.T) {
	t.Parallel()
	p := &pair{lab: newLab(t, cluster.Options{})}
	account := p.account()
	for _, proxy := range harness.Newest(harness.Proxies(t)) {
		p.names, p.addresses = append(p.names, proxy.Name), append(p.addresses, harness.Address(t))
	}
	p.Apply(p.manifests())
	start := func(r *replica) {
		r.start("--gateway", "default/"+r.proxy.Name)
		r.says("/healthz", "ok")
		r.says("/readyz", "the API server can't be asked for the Namespace kube-system")
		r.says("/readyz", "connection refused")
	}
	p.StopAPIServer()
	for _, proxy := range harness.Newest(harness.Proxies(t)) {
		r := p.newReplica(proxy, account)
		start(r)
		if r.Ready() == nil {
			t.Errorf("%s: it is ready with nothing to serve", proxy)
		}
		p.replicas = append(p.replicas, r)
	}
	p.StartAPIServer()
	p.eachAnswers("base.Service", "first")
	for _, r := range p.replicas {
		r.ready()
	}
	p.converged()

	p.StopAPIServer()
	for i, r := range p.replicas {
		r.end()
		start(r)
		p.answers(p.addresses[i], "base.Service", "first")
		r.ready()
	}
	end := p.traffic()
	p.StartAPIServer()
	p.Apply(p.service("second", 0) + p.route("new", "new.Service", backend{"second", 1}))
	p.eachAnswers("new.Service", "second")
	p.converged()
	end()
}

// TestWipe loses the data of the cluster under traffic: everything is gone, then some of it is there again, then the data
// of a backup. Both replicas go on with what they served. To one of them the API server refuses everything while its
// ServiceAccount is gone; the other is an administrator, to whom it says that there is nothing.
func TestWipe(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(l *lab) []string { return []string{l.account(), l.Kubeconfig()} })
	p.Stop()
	backup := p.Backup()
	p.Start()
	// The backup is older than what is lost: its resourceVersions have been given before, for something else.
	p.Apply(p.service("second", 0) + p.route("late", "late.Service", backend{"second", 1}))
	p.eachAnswers("late.Service", "second")
	p.spend(500)
	p.converged()
	end := p.traffic()

	p.wipe()
	refused, alone := p.replicas[0], p.replicas[1]
	refused.says("/readyz", "Unauthorized")
	alone.says("/readyz", "the cluster has no ")
	// One thing after the other comes back. Services come last: without them every call would fail.
	p.install()
	p.Apply(gateway(p.names[1], p.addresses[1]) + p.route("base", "base.Service", backend{"first", 1}) +
		p.service("other", 0) + p.route("other", "other.Service", backend{"other", 1}))
	alone.says("/readyz", "the cluster's data was lost or replaced")
	if got := p.call(p.addresses[1], "other.Service").Backend(); got != unimplemented {
		t.Errorf("something is served of a cluster that has lost its data: %s", got)
	}

	p.Stop()
	p.Restore(backup)
	p.Start()
	start := time.Now()
	p.Apply(p.service("other", 0) + p.route("after", "after.Service", backend{"other", 1}))
	p.eachAnswers("after.Service", "other")
	// It isn't in the backup, and this is the cluster that had it.
	p.eachAnswers("late.Service", unimplemented)
	p.converged()
	t.Logf("%s after the backup was back, all was served and told", time.Since(start).Round(time.Millisecond))

	// A cluster may be made anew from manifests too. It counts when it has all that is served.
	p.wipe()
	p.install()
	p.Apply(p.manifests() + p.service("other", 0) + p.route("anew", "anew.Service", backend{"other", 1}))
	alone.says("/readyz", "the cluster's data was lost or replaced")
	p.Apply(p.route("after", "after.Service", backend{"other", 1}))
	p.answers(p.addresses[1], "anew.Service", "other")
	end()
}

// TestWipeAsleep loses the data of the cluster, and brings some of it back, while no replica runs. They start with what
// they served, and go on with that until all of it is there again.
func TestWipeAsleep(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(l *lab) []string { return []string{l.Kubeconfig(), l.Kubeconfig()} })
	for _, r := range p.replicas {
		r.end()
	}
	p.wipe()
	p.install()
	anew := p.route("base", "base.Service", backend{"first", 1}) + p.service("other", 0) +
		p.route("other", "other.Service", backend{"other", 1})
	for i, name := range p.names {
		anew += gateway(name, p.addresses[i])
	}
	p.Apply(anew)
	for i, r := range p.replicas {
		r.start("--gateway", "default/"+r.proxy.Name)
		r.says("/readyz", "the cluster's data was lost or replaced")
		p.answers(p.addresses[i], "base.Service", "first")
		if got := p.call(p.addresses[i], "other.Service").Backend(); got != unimplemented {
			t.Errorf("%s: something is served of a cluster that has lost its data: %s", r.proxy, got)
		}
	}
	end := p.traffic()
	p.Apply(p.service("first", 0))
	p.eachAnswers("other.Service", "other")
	p.converged()
	end()
}

// wipe replaces the cluster by an empty one.
func (p *pair) wipe() {
	p.Helper()
	p.Stop()
	p.Wipe()
	p.Start()
}

// spend makes changes of no importance, which have resourceVersions.
func (p *pair) spend(n int) {
	p.Helper()
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "spent"}}
	if err := p.client.Create(p.Context(), m); err != nil {
		p.Fatal(err)
	}
	for i := range n {
		m.Data = map[string]string{"n": fmt.Sprint(i)}
		if err := p.client.Update(p.Context(), m); err != nil {
			p.Fatal(err)
		}
	}
}
