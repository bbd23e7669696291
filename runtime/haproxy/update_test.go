package haproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	haproxyfiles "github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/test/harness"
)

// changing is a model that changes while an applier serves it.
type changing struct {
	*stand
	backends *harness.Backends
	client   *harness.Client
	applier  *apply.Applier
	outcomes chan apply.Outcome

	mu    sync.Mutex
	model model.Gateways
	// scopes are those of both listeners beside the rules for all hosts, keyPairs are the TLS listener's.
	scopes   []model.Scope
	keyPairs []string
	// validation is what the TLS listener asks of clients.
	validation *model.ClientValidation
	ways       map[apply.Way]int
	// stop ends the applier.
	stop func()
}

const (
	plainPort, tlsPort = 8080, 8443
	// updates is how often each thing changes: often enough for four rounds of the endpoints, which have the longest.
	updates = 24
)

func newChanging(s *stand) *changing {
	c := &changing{stand: s, backends: harness.NewBackends(s), client: harness.NewClient(s),
		outcomes: make(chan apply.Outcome, 100), ways: map[apply.Way]int{}}
	c.model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw", Addresses: []string{s.address}}}
	c.certificate("pair", harness.Certificate(s, "*.test"), "*.test")
	c.keyPairs = []string{"pair"}
	c.endpoints("first", 0)
	c.endpoints("second", 0, 1)
	c.endpoints("third", 0, 1)
	c.rules(
		rule(0, "base.Service", backendOf("first", 1), backendOf("second", 1)),
		rule(1, "third.Service", backendOf("third", 1)),
	)
	c.start()
	s.Cleanup(func() { c.stop() })
	return c
}

// start starts an applier, which applies nothing yet.
func (c *changing) start() {
	applier := apply.New(apply.Options{
		Proxy: c.proxy, Hooks: c.proxy.Hooks(), Store: c.store, Log: slog.New(slog.DiscardHandler),
		Render: haproxyfiles.New(generators.Options{Marker: c.marker()}).Render,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		applier.Run(ctx, func(context.Context) (apply.Job, bool) {
			c.mu.Lock()
			defer c.mu.Unlock()
			m := c.model
			m.Clusters, m.KeyPairs = slices.Clone(m.Clusters), slices.Clone(m.KeyPairs)
			return apply.Job{Model: m, Capabilities: c.binary.Capabilities, Report: func(o apply.Outcome) { c.outcomes <- o }}, true
		})
	}()
	c.applier, c.stop = applier, func() {
		cancel()
		<-done
	}
}

func backendOf(service string, weight int32) model.Backend {
	return model.Backend{Weight: weight, Cluster: "ns/" + service + ":80"}
}

func rule(n int, service string, backends ...model.Backend) *model.Rule {
	return &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "route", Rule: n}, Backends: backends,
		Matches: []model.Match{{Path: model.Path{Kind: model.ServicePath, Service: service}}}}
}

func (c *changing) rules(rules ...*model.Rule) {
	c.mu.Lock()
	defer c.mu.Unlock()
	scopes := append([]model.Scope{{Rules: rules}}, c.scopes...)
	gateway := c.model.Gateways[0]
	gateway.Listeners = []model.Listener{
		{Name: "plain", Port: plainPort, Protocol: model.HTTP, Scopes: scopes},
		{Name: "tls", Port: tlsPort, Protocol: model.HTTPS, Hostname: "*.test", KeyPairs: slices.Clone(c.keyPairs),
			Clients: c.validation, Scopes: scopes},
	}
	c.model.Gateways = []model.Gateway{gateway}
}

// certificate makes a key pair have this content.
func (c *changing) certificate(name string, pair harness.KeyPair, hostnames ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pairs := slices.DeleteFunc(slices.Clone(c.model.KeyPairs), func(p model.KeyPair) bool { return p.Name == name })
	c.model.KeyPairs = append(pairs, model.KeyPair{Name: name, Certificate: pair.Certificate, Key: pair.Key, Hostnames: hostnames})
}

// forget takes Services and key pairs away.
func (c *changing) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.model.Clusters = slices.DeleteFunc(slices.Clone(c.model.Clusters), func(other model.Cluster) bool { return other.Service == name })
	c.model.KeyPairs = slices.DeleteFunc(slices.Clone(c.model.KeyPairs), func(p model.KeyPair) bool { return p.Name == name })
}

// endpoints makes a service have these of its endpoints.
func (c *changing) endpoints(service string, indexes ...int) {
	cluster := model.Cluster{Name: "ns/" + service + ":80", Namespace: "ns", Service: service, Port: 80}
	for _, i := range indexes {
		a := c.backends.Address(service, i)
		c.backends.Listen("default/"+service+":80", a, 8080)
		cluster.Endpoints = append(cluster.Endpoints, model.Endpoint{Address: a, Port: 8080})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clusters := slices.DeleteFunc(slices.Clone(c.model.Clusters), func(other model.Cluster) bool { return other.Name == cluster.Name })
	c.model.Clusters = append(clusters, cluster)
}

// apply applies the model and returns what became of it.
func (c *changing) apply() apply.Outcome {
	c.Helper()
	c.applier.Mark()
	select {
	case o := <-c.outcomes:
		if o.Err != nil {
			c.Fatal(o.Err)
		}
		c.ways[o.Way]++
		if o.Way == apply.Reloaded && o.Reason != "" {
			c.Fatalf("a reload: %s", o.Reason)
		}
		return o
	case <-time.After(20 * time.Second):
		c.Fatal("nothing became of a change")
		return apply.Outcome{}
	}
}

func (c *changing) call(service string) harness.Call {
	return harness.Call{Address: net.JoinHostPort(c.address, fmt.Sprint(plainPort)), Authority: "h.test", Path: "/" + service + "/Method",
		Timeout: 10 * time.Second}
}

// sees calls until the answer is as wanted; all before it have to be what was there before.
func (c *changing) sees(call harness.Call, want func(harness.Reply) bool, before ...string) {
	c.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		r := c.client.Do(call)
		if want(r) {
			return
		}
		if !slices.Contains(before, r.Backend()) || time.Now().After(deadline) {
			c.Fatalf("%s: %s (%s)", call.Path, r.Backend(), r.Message)
		}
	}
}

func from(backend string) func(harness.Reply) bool {
	return func(r harness.Reply) bool { return r.Backend() == backend }
}

// load calls and streams until the returned function is called, which fails the test for every call and stream
// that did.
func (c *changing) load(callers, streams int) (end func()) {
	c.Helper()
	var open []*harness.Stream
	for range streams {
		call := c.call("third.Service")
		call.Timeout = time.Hour
		s, err := c.client.Stream(call)
		if err == nil {
			err = s.Send(nil)
		}
		if err == nil {
			_, err = s.ReceiveEcho()
		}
		if err != nil {
			c.Fatal(err)
		}
		open = append(open, s)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	stop, calls, wrong := make(chan struct{}), 0, map[string]int{}
	for i := range callers {
		client, call, allowed := harness.NewClient(c), c.call("base.Service"), []string{"first", "second"}
		if i%2 == 0 {
			call, allowed = c.call("third.Service"), []string{"third"}
		}
		group.Go(func() {
			pause := time.NewTicker(20 * time.Millisecond)
			defer pause.Stop()
			for {
				select {
				case <-stop:
					return
				case <-pause.C:
				}
				r := client.Do(call)
				mu.Lock()
				calls++
				if !slices.Contains(allowed, r.Backend()) {
					wrong[call.Path+" "+r.Backend()+": "+r.Message]++
				}
				mu.Unlock()
			}
		})
	}
	return func() {
		c.Helper()
		close(stop)
		group.Wait()
		dead := 0
		for _, s := range open {
			err := s.Send([]byte("still here"))
			var got []byte
			if err == nil {
				got, err = s.Receive()
			}
			if err != nil || string(got) != "still here" {
				dead++
				c.Logf("a stream says %q, %v", got, err)
			}
			s.Close()
		}
		c.Logf("%d calls, wrong: %v; %d streams, dead: %d", calls, wrong, len(open), dead)
		if len(wrong) > 0 || dead > 0 {
			c.Errorf("the load was disturbed")
		}
	}
}

// changes makes one change many times and says how long it took until a call saw it.
func (c *changing) changes(what string, change func(i int)) {
	c.Helper()
	var took []time.Duration
	for i := range updates {
		start := time.Now()
		change(i)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	c.Logf("%s: seen by a call after p50 %s, p99 %s", what, took[len(took)/2].Round(100*time.Microsecond),
		took[len(took)-1].Round(100*time.Microsecond))
}

// TestUpdate changes everything that needs no reload under load, and lets HAProxy start again afterwards.
func TestUpdate(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		c.apply()
		end := c.load(20, 20)
		c.changes("endpoints", func(i int) {
			// Between one, two and three endpoints; each time there is a new one.
			all := [][]int{{0, 1}, {2}, {0, 3}, {1}, {2, 3, 0}, {3}}
			now := all[(i+1)%len(all)]
			c.endpoints("third", now...)
			if c.apply(); i%len(all) != 1 {
				address := net.JoinHostPort(c.backends.Address("third", now[0]), "8080")
				c.sees(c.call("third.Service"), func(r harness.Reply) bool { return r.Echo.Endpoint == address }, "third")
			}
		})
		c.endpoints("third", 0, 1)
		c.apply()
		rules := []*model.Rule{nil, rule(1, "third.Service", backendOf("third", 1))}
		c.changes("weights", func(i int) {
			rules[0] = rule(0, "base.Service", backendOf("first", int32(1+i%2*1000)), backendOf("second", int32(1+(i+1)%2*1000)))
			c.rules(rules...)
			c.apply()
			c.sees(c.call("base.Service"), from([]string{"second", "first"}[i%2]), "first", "second")
		})
		c.changes("routes", func(i int) {
			service := fmt.Sprintf("new%d.Service", i)
			c.sees(c.call(service), from("Unimplemented"))
			c.rules(append(slices.Clone(rules), rule(2, service, backendOf("second", 1)))...)
			c.apply()
			c.sees(c.call(service), from("second"), "Unimplemented")
		})
		rules = append(rules, rule(2, fmt.Sprintf("new%d.Service", updates-1), backendOf("second", 1)))
		c.services(rules)
		pairs := []harness.KeyPair{harness.Certificate(t, "*.test"), harness.Certificate(t, "*.test")}
		var last []byte
		c.changes("content of certificates", func(i int) {
			c.certificate("pair", pairs[i%2], "*.test")
			c.apply()
			if got := c.handshake("h.test", "third.Service", "third"); bytes.Equal(got.Raw, last) {
				c.Fatalf("certificate %d is the one before", i)
			} else {
				last = got.Raw
			}
		})
		c.names(rules)
		end()
		// A Service without endpoints, and with some again.
		c.endpoints("second")
		c.apply()
		c.sees(c.call(fmt.Sprintf("new%d.Service", updates-1)), from("Unavailable"), "second")
		c.endpoints("second", 1)
		out := c.apply()
		c.sees(c.call(fmt.Sprintf("new%d.Service", updates-1)), from("second"), "Unavailable")
		c.Logf("applied: %v", c.ways)
		if c.ways[apply.Reloaded] != 1 {
			c.Errorf("%d reloads, want the first start only", c.ways[apply.Reloaded])
		}
		c.restart(out.Generation)
		c.sees(c.call(fmt.Sprintf("new%d.Service", updates-1)), from("second"))
		c.sees(c.call("third.Service"), from("third"))
		c.sees(c.call("base.Service"), from("first"), "second")
	})
}

// restart kills HAProxy once the files on disk are what it serves, and waits until it serves them again.
func (c *changing) restart(generation string) {
	c.Helper()
	harness.Until(c, "have the files on disk that HAProxy serves", 10*time.Second, func() error {
		if got := c.store.Generation(); got != generation {
			return fmt.Errorf("they are those of %s, not %s", got, generation)
		}
		return nil
	}, func() string { return "" })
	c.answers(generation)
	c.kill(c.master())
	select {
	case <-c.lost:
	case <-time.After(20 * time.Second):
		c.Fatal("HAProxy was not started again")
	}
	c.answers(generation)
}
