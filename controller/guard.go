package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gatewright/gatewright/generators/model"
)

// guard keeps what is served when the cluster's data is lost: an API server over an empty etcd says truthfully
// that there are no Services, and nobody meant that. Whether the data is the same is told by the Namespace
// kube-system, which is made once in the life of a cluster.
type guard struct {
	mu sync.Mutex
	// served is what was admitted last, and identity the cluster that it was read from.
	served   *model.Gateways
	identity types.UID
	accept   bool
}

// identityName is the Namespace whose UID tells clusters apart, and identityTimeout how long the question may take.
const (
	identityName    = "kube-system"
	identityTimeout = 3 * time.Second
)

// errOtherCluster is when the data was replaced since it was read.
var errOtherCluster = errors.New("the API server has the data of another cluster by now")

// admit says whether something may be served that was read from a cluster and is less than what is served. The error
// says why not. ask asks the API server who it is now.
func (g *guard) admit(identity types.UID, next model.Gateways, ask func() (types.UID, error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.served != nil && !g.accept {
		if lost := lack(*g.served, next); lost != "" {
			now, err := ask()
			switch {
			case err != nil:
				return fmt.Errorf("%s is gone, and the API server can't be asked whether it still has its data: %w", lost, err)
			case now != identity:
				return fmt.Errorf("%s is gone: %w", lost, errOtherCluster)
			case identity != g.identity:
				return fmt.Errorf("%s is gone, and so is the Namespace %s that was there: the cluster's data was lost or replaced. "+
					"What is served stays until the cluster has all of it again; to serve what it has now, send SIGHUP", lost, identityName)
			}
		}
	}
	g.served, g.identity, g.accept = &next, identity, false
	return nil
}

// forget admits whatever comes next.
func (g *guard) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accept = true
}

func identityOf(ctx context.Context, from client.Reader) (types.UID, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	var namespace corev1.Namespace
	err := from.Get(ctx, name{Name: identityName}, &namespace)
	return namespace.UID, err
}

// lack names something that one model serves and another doesn't; "" when there is nothing.
func lack(before, after model.Gateways) string {
	have := map[part]bool{}
	eachPart(after, func(p part) { have[p] = true })
	var missing *part
	eachPart(before, func(p part) {
		if missing == nil && !have[p] {
			missing = &p
		}
	})
	if missing == nil {
		return ""
	}
	return missing.String()
}

// part is something that a model serves.
type part struct {
	what, kind, namespace, name string
	// number is a rule's index or a port.
	number int
	// listener is where a rule is served, or the name of a listener.
	gateway, listener string
}

func (p part) String() string {
	switch p.what {
	case "listener":
		return fmt.Sprintf("listener %q of Gateway %s/%s", p.listener, p.namespace, p.name)
	case "rule":
		return fmt.Sprintf("%s %s/%s rule %d on listener %q of Gateway %s", p.kind, p.namespace, p.name, p.number, p.listener, p.gateway)
	case "endpoints":
		return fmt.Sprintf("the last endpoint of Service %s/%s port %d", p.namespace, p.name, p.number)
	}
	return "the certificate " + p.name
}

// eachPart tells everything that a model serves: listeners, rules, Services with endpoints, certificates.
func eachPart(m model.Gateways, f func(part)) {
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			l := &g.Listeners[j]
			f(part{what: "listener", namespace: g.Namespace, name: g.Name, listener: l.Name})
			for _, s := range l.Scopes {
				for _, r := range s.Rules {
					f(part{what: "rule", kind: string(r.Source.Kind), namespace: r.Source.Namespace, name: r.Source.Name, number: r.Source.Rule,
						gateway: g.Namespace + "/" + g.Name, listener: l.Name})
				}
			}
		}
	}
	for _, c := range m.Clusters {
		if len(c.Endpoints) > 0 {
			f(part{what: "endpoints", namespace: c.Namespace, name: c.Service, number: int(c.Port)})
		}
	}
	for _, p := range m.KeyPairs {
		f(part{what: "certificate", name: p.Name})
	}
}
