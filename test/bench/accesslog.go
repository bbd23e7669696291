package main

import (
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/calls"
	"github.com/gatewright/gatewright/test/harness"
)

// The size of the workload that calls are logged in.
const (
	loggedRules    = 1000
	loggedServices = 100
)

// logging is a proxy with one way to log calls.
type logging struct {
	name   string
	served *harness.Served
	rounds []cost
}

// measureAccessLog compares what a call costs a proxy that tells nobody of it with ways to tell.
func measureAccessLog(t *harness.Scope, proxies []harness.Proxy, s settings) {
	rows := [][]string{{"proxy", "a call has", "CPU a call", "more than without"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		all := loggings(scope, p)
		for range s.rounds {
			for _, l := range all {
				l.round(scope, s.calls)
			}
		}
		base := middle(all[0].rounds, cost.time)
		for _, l := range all {
			spent := middle(l.rounds, cost.time)
			rows = append(rows, []string{p.String(), l.name, microseconds(spent), microseconds(spent - base)})
		}
		scope.End()
	}
	table("What a line for each call costs the proxy", rows)
}

// loggings starts a proxy with each way.
func loggings(t *harness.Scope, p harness.Proxy) []*logging {
	receiver, err := calls.Listen(filepath.Join(harness.TempDir(t), "calls"), prometheus.NewRegistry(), slog.Default())
	if err != nil {
		t.Fatalf("%v", err)
	}
	go func() { _ = receiver.Run(func(*calls.Call) {}) }()
	t.Cleanup(func() { _ = receiver.Close() })
	logs := map[string]*generators.AccessLog{"no line": nil, "a line for metrics": receiver.Log(true), "a line for metrics and a log": receiver.Log(false)}
	names := []string{"no line", "a line for metrics", "a line for metrics and a log"}
	if p.Name == "nginx" {
		logs["a line of JSON in a file"] = &generators.AccessLog{Format: generators.AccessJSON,
			Target: generators.AccessTarget(filepath.Join(harness.TempDir(t), "access.log"))}
		names = append(names, "a line of JSON in a file")
	}
	manifests := harness.Load(t, "", workload(loggedRules, loggedServices))
	var all []*logging
	for _, name := range names {
		all = append(all, &logging{name: name, served: harness.Serve(t, p, manifests, harness.Options{Generator: generators.Options{AccessLog: logs[name]}})})
	}
	return all
}

func (l *logging) round(t harness.T, n int) {
	client := harness.NewClient(t)
	defer client.Close()
	before := spentBy(t, l.served.Process)
	var wait sync.WaitGroup
	const callers = 16
	for caller := range callers {
		wait.Go(func() {
			for i := caller; i < n; i += callers {
				call := l.served.Call("bench/gw/http")
				place := i % loggedRules
				call.Authority, call.Path, call.Metadata = target(place/rulesOfRoute, place%rulesOfRoute)
				if r := client.Do(call); r.Code != codes.OK {
					t.Errorf("%s: %s: %s: %s", l.name, call.Path, r.Code, r.Message)
				}
			}
		})
	}
	wait.Wait()
	l.rounds = append(l.rounds, spentBy(t, l.served.Process).since(before, n))
}
