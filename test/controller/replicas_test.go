package controller

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/cluster/isolated"
	"github.com/gatewright/gatewright/test/harness"
)

// changes is how often something changes while a replica dies, and death the number of the change after which it does.
const (
	changes = 100
	death   = 30
)

// apiServer is where replicas on hosts of their own reach the API server.
const apiServer = "198.18.255.1"

// TestReplicas runs two replicas, each on a host of its own, and kills the one that writes statuses, with its proxy, while 100
// things change. The other one goes on serving and takes over, and the first one comes back beside it.
func TestReplicas(t *testing.T) {
	t.Parallel()
	l := newLab(t, cluster.Options{Address: apiServer})
	account := l.account()
	var hosts []*isolated.Host
	var replicas []*replica
	for i, proxy := range harness.Newest(harness.Proxies(t)) {
		host, err := isolated.NewHost(i)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := host.Remove(); err != nil {
				t.Error(err)
			}
		})
		hosts = append(hosts, host)
		r := l.newReplica(proxy, account)
		r.host = host
		r.start("--publish-address", "gateway.test")
		if i == 0 {
			r.await("become the leader", r.leads)
		}
		replicas = append(replicas, r)
	}
	gateways := []string{"web"}
	l.Apply(strings.Replace(gateway("web", ""), "  addresses: [{value: }]\n", "", 1) +
		l.service("first", 0) + l.service("second", 0) + route("base", "base.Service", gateways, backend{"first", 1}))
	for i, r := range replicas {
		r.ready()
		l.answers(hosts[i].Address, "base.Service", "first")
	}
	l.converged()
	if replicas[1].leads() == nil {
		t.Fatal("both replicas lead")
	}
	before := l.lease()
	traffic := harness.StartTraffic(t, replicas[1].proxy, callTo(hosts[1].Address, "base.Service"), "first", 4, 5)

	var died time.Time
	for i := range changes {
		switch i % 3 {
		case 0:
			l.Apply(route(fmt.Sprintf("new%d", i), fmt.Sprintf("new%d.Service", i), gateways, backend{"second", 1}))
		case 1:
			l.Apply(l.service("first", i%2, 2))
		case 2:
			l.Apply(route("base", "base.Service", gateways, backend{"first", 1 + i}, backend{"second", 0}))
		}
		if i == death {
			replicas[0].kill()
			died = time.Now()
		}
	}
	last := fmt.Sprintf("new%d.Service", (changes-1)/3*3)
	l.answers(hosts[1].Address, last, "second")
	replicas[1].await("take over", replicas[1].leads)
	t.Logf("the other replica leads %s after the death of the first", time.Since(died).Round(time.Millisecond))
	l.converged()
	after := l.lease()
	if *after.HolderIdentity == *before.HolderIdentity || *after.LeaseTransitions != *before.LeaseTransitions+1 {
		t.Errorf("the lease was %s's after %d transitions, and is %s's after %d", *before.HolderIdentity, *before.LeaseTransitions,
			*after.HolderIdentity, *after.LeaseTransitions)
	}

	replicas[0].start("--publish-address", "gateway.test")
	replicas[0].ready()
	l.answers(hosts[0].Address, last, "second")
	if replicas[0].leads() == nil {
		t.Error("the replica that came back leads too")
	}
	if err := replicas[1].leads(); err != nil {
		t.Errorf("the replica that took over: %v", err)
	}
	traffic.End()
}

func (l *lab) lease() coordinationv1.LeaseSpec {
	l.Helper()
	var lease coordinationv1.Lease
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "gatewright", Name: "gatewright"}, &lease); err != nil {
		l.Fatal(err)
	}
	return lease.Spec
}

// leads says why a replica doesn't write statuses.
func (r *replica) leads() error {
	value, err := r.Metric("gatewright_leader")
	if err == nil && value != "1" {
		err = fmt.Errorf("gatewright_leader is %q", value)
	}
	return err
}

// kill kills gatewright and its proxy without asking, as the end of a host does.
func (r *replica) kill() {
	r.Helper()
	master := r.master()
	workers := process.Children(master)
	r.process.Kill()
	for _, pid := range append(workers, master) {
		// The workers of HAProxy end with their master.
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			r.Fatal(err)
		}
	}
}
