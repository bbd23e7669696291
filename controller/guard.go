package controller

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	// served is what was admitted last, nil before anything was, and identity the cluster that it was read from.
	served   iter.Seq[part]
	identity types.UID
	accept   bool
	// news says that something was admitted.
	news chan struct{}
}

func newGuard() *guard { return &guard{news: make(chan struct{}, 1)} }

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
		if lost := lack(g.served, parts(next)); lost != "" {
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
	g.served, g.identity, g.accept = parts(next), identity, false
	select {
	case g.news <- struct{}{}:
	default:
	}
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

// lack names something that was served before and isn't after; "" when there is nothing.
func lack(before, after iter.Seq[part]) string {
	have := map[part]bool{}
	for p := range after {
		have[p] = true
	}
	for p := range before {
		if !have[p] {
			return p.String()
		}
	}
	return ""
}

// part is something that a model serves.
type part struct {
	What      string `json:"what"`
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Number is a rule's index or a port.
	Number int `json:"number,omitempty"`
	// Listener is where a rule is served, or the name of a listener.
	Gateway  string `json:"gateway,omitempty"`
	Listener string `json:"listener,omitempty"`
}

func (p part) String() string {
	switch p.What {
	case "listener":
		return fmt.Sprintf("listener %q of Gateway %s/%s", p.Listener, p.Namespace, p.Name)
	case "rule":
		return fmt.Sprintf("%s %s/%s rule %d on listener %q of Gateway %s", p.Kind, p.Namespace, p.Name, p.Number, p.Listener, p.Gateway)
	case "endpoints":
		return fmt.Sprintf("the last endpoint of Service %s/%s port %d", p.Namespace, p.Name, p.Number)
	}
	return "the certificate " + p.Name
}

// parts are everything that a model serves: listeners, rules, Services with endpoints, certificates.
func parts(m model.Gateways) iter.Seq[part] {
	return func(yield func(part) bool) {
		for i := range m.Gateways {
			g := &m.Gateways[i]
			for j := range g.Listeners {
				l := &g.Listeners[j]
				if !yield(part{What: "listener", Namespace: g.Namespace, Name: g.Name, Listener: l.Name}) {
					return
				}
				for _, s := range l.Scopes {
					for _, r := range s.Rules {
						if !yield(part{What: "rule", Kind: string(r.Source.Kind), Namespace: r.Source.Namespace, Name: r.Source.Name, Number: r.Source.Rule,
							Gateway: g.Namespace + "/" + g.Name, Listener: l.Name}) {
							return
						}
					}
				}
			}
		}
		for _, c := range m.Clusters {
			if len(c.Endpoints) > 0 && !yield(part{What: "endpoints", Namespace: c.Namespace, Name: c.Service, Number: int(c.Port)}) {
				return
			}
		}
		for _, p := range m.KeyPairs {
			if !yield(part{What: "certificate", Name: p.Name}) {
				return
			}
		}
	}
}
