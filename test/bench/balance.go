package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/test/harness"
)

// balances are the ways to choose an endpoint that suit gRPC.
var balances = []string{"leastconn", "roundrobin", "random(2)"}

const (
	// endpoints is how many there are, the last one slower than the others by slowness.
	endpoints = 4
	slowness  = 20 * time.Millisecond
	// streams is how many stay open for as long as a measurement takes.
	streams = 80
)

// balanceManifests is a Service of several endpoints.
const balanceManifests = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: bench, name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: http, protocol: HTTP, port: 8080}
---
apiVersion: v1
kind: Service
metadata: {namespace: bench, name: several}
spec:
  ports: [{name: grpc, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {namespace: bench, name: route}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: several, port: 50051}]}]
`

// contestant is a proxy with one way to choose an endpoint, and what it came to.
type contestant struct {
	balance string
	served  *harness.Served
	rounds  [2][]outcome // with unary calls only, and with streams beside them
}

// outcome is a round of unary calls.
type outcome struct {
	cost  cost
	times []time.Duration
	// slow is the slow endpoint's share of calls; most and fewest are how many of the long streams the busiest
	// and the idlest endpoint had.
	slow         float64
	most, fewest int
}

// measureBalance compares ways to choose an endpoint, where the proxy has a line for it.
func measureBalance(t *harness.Scope, proxies []harness.Proxy, s settings) {
	rows := [][]string{{"proxy", "load", "balance", "CPU a call", "p50", "p99", "calls to the slow one", "streams: most, fewest"}}
	for _, p := range proxies {
		if p.Name != "haproxy" {
			continue
		}
		scope := harness.NewScope(t)
		backends := harness.NewBackends(scope)
		address := backends.Address("bench/several", endpoints-1)
		backends.Slow(address, slowness)
		var all []*contestant
		for _, b := range balances {
			all = append(all, &contestant{balance: b, served: harness.Serve(scope, p, harness.Load(scope, "", balanceManifests), harness.Options{
				Backends: backends, Endpoints: map[string][]bool{"bench/several": slices.Repeat([]bool{true}, endpoints)},
				Generator: generators.Options{Templates: os.DirFS(balanceTemplates(scope, b))},
			})})
		}
		for range s.rounds {
			for kind := range 2 {
				for _, c := range all {
					c.rounds[kind] = append(c.rounds[kind], c.measure(scope, address, s.calls, kind == 1))
				}
			}
		}
		for kind, name := range []string{"unary", "unary beside streams"} {
			for _, c := range all {
				rows = append(rows, append([]string{p.String(), name, c.balance}, summary(c.rounds[kind])...))
			}
		}
		scope.End()
	}
	table("How to choose an endpoint", rows)
}

// balanceTemplates is a folder whose only template differs from the built-in one in its balance.
func balanceTemplates(t harness.T, balance string) string {
	const name = "haproxy/defaults.tmpl"
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "templates", name))
	if err != nil {
		t.Fatalf("the built-in template: %v", err)
	}
	if strings.Count(string(text), "{{.Balance}}") != 1 {
		t.Fatalf("%s has no {{.Balance}} to replace", name)
	}
	dir := harness.TempDir(t)
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "{{.Balance}}", balance, 1)), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	return dir
}

// measure is one round of unary calls, beside long streams if those are asked for.
func (c *contestant) measure(t harness.T, slow string, calls int, long bool) outcome {
	o := outcome{}
	client := harness.NewClient(t)
	defer client.Close()
	call := c.served.Call("bench/gw/http")
	call.Authority, call.Path = "several.example.com", "/acme.v1.Several/Say"
	if long {
		open := openStreams(t, client, call, streams)
		o.most, o.fewest = spread(open)
		defer func() {
			for _, s := range open {
				s.stream.Close()
			}
		}()
	}
	before := spentBy(t, c.served.Process)
	var slowCalls atomic.Int64
	var mu sync.Mutex
	var wait sync.WaitGroup
	const callers = 16
	for caller := range callers {
		wait.Go(func() {
			var times []time.Duration
			for i := caller; i < calls; i += callers {
				start := time.Now()
				r := client.Do(call)
				if r.Code != codes.OK {
					t.Errorf("%s: %s %s", c.balance, r.Code, r.Message)
					return
				}
				times = append(times, time.Since(start))
				if strings.HasPrefix(r.Echo.Endpoint, slow+":") {
					slowCalls.Add(1)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			o.times = append(o.times, times...)
		})
	}
	wait.Wait()
	o.cost = spentBy(t, c.served.Process).since(before, calls)
	o.slow = float64(slowCalls.Load()) / float64(calls)
	return o
}

// openStream is a stream that has had its first answer, and from where.
type openStream struct {
	stream   *harness.Stream
	endpoint string
}

func openStreams(t harness.T, client *harness.Client, call harness.Call, n int) []openStream {
	open := make([]openStream, n)
	var wait sync.WaitGroup
	limit := make(chan struct{}, 8)
	for i := range open {
		wait.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			s, err := client.Stream(call)
			if err != nil {
				t.Fatalf("open a stream: %v", err)
			}
			if err := s.Send([]byte("begin")); err != nil {
				t.Fatalf("begin a stream: %v", err)
			}
			echo, err := s.ReceiveEcho()
			if err != nil {
				t.Fatalf("the stream's first answer: %v", err)
			}
			open[i] = openStream{s, echo.Endpoint}
		})
	}
	wait.Wait()
	return open
}

// spread is how many streams the busiest and the idlest endpoint have.
func spread(open []openStream) (most, fewest int) {
	counts := map[string]int{}
	for _, s := range open {
		counts[s.endpoint]++
	}
	fewest = len(open)
	for _, n := range counts {
		most, fewest = max(most, n), min(fewest, n)
	}
	if len(counts) < endpoints {
		fewest = 0
	}
	return most, fewest
}

// summary is a row of the table: medians over the rounds, percentiles over all calls.
func summary(rounds []outcome) []string {
	var costs []cost
	var times []time.Duration
	var slow float64
	var most, fewest []int
	for _, o := range rounds {
		costs, times, slow = append(costs, o.cost), append(times, o.times...), slow+o.slow/float64(len(rounds))
		most, fewest = append(most, o.most), append(fewest, o.fewest)
	}
	slices.Sort(times)
	slices.Sort(most)
	slices.Sort(fewest)
	shares := "–"
	if most[len(most)-1] > 0 {
		shares = fmt.Sprintf("%d, %d", most[len(most)/2], fewest[len(fewest)/2])
	}
	return []string{
		microseconds(middle(costs, cost.time)), milliseconds(times[len(times)/2]), milliseconds(times[len(times)*99/100]),
		fmt.Sprintf("%.1f %%", 100*slow), shares,
	}
}
