package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

const (
	// hostileTime is how long a good tenant's calls are timed, without and beside hostile ones.
	hostileTime = 10 * time.Second
	// hostileCallers make the good tenant's calls, each with a rest of callerPause.
	hostileCallers = 4
	// hostileEvery is how often each hostile client attacks. All of them and the backends share this machine with the proxy,
	// which more of them would fill without the proxy's help.
	hostileEvery = time.Second
)

// hostileManifests is a good tenant's route. The hostile one's share its Gateway.
const hostileManifests = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, protocol: HTTP, port: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: good}
spec: {ports: [{name: grpc, port: 50051}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: good}
spec:
  parentRefs: [{name: gw}]
  rules: [{matches: [{method: {service: good.Service}}], backendRefs: [{name: good, port: 50051}]}]
`

// measureHostile measures a good tenant's calls without and beside hostile clients, endpoints and routes.
func measureHostile(t harness.T, proxies []harness.Proxy) {
	rows := [][]string{{"proxy", "calls", "p50", "p99", "calls beside", "failed", "p50 beside", "p99 beside", "p99, ratio", "attacks",
		"workers' memory", "after"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		served := harness.Serve(scope, p, harness.Load(scope, "", hostileManifests), harness.Options{})
		call := served.Call("gw/http")
		call.Authority, call.Path = "h.test", "/good.Service/Method"
		tenant := adversary.Tenant(scope, "{name: gw}", call.Address, adversary.Bearable(p))
		served.Reload(harness.Load(scope, "", hostileManifests, tenant), harness.Options{})
		ctx, stop := context.WithCancel(context.Background())
		before := workerRSS(scope, served.Process)
		quiet, failed := timedFor(scope, call, hostileTime)
		attacks := make(chan map[string]int, 1)
		go func() {
			attacks <- adversary.Attack(ctx, scope, adversary.Target{Address: call.Address, Authority: call.Authority, Good: call.Path},
				hostileEvery)
		}()
		beside, failedBeside := timedFor(scope, call, hostileTime)
		after := workerRSS(scope, served.Process)
		stop()
		sum := 0
		for _, n := range <-attacks {
			sum += n
		}
		if failed+failedBeside > 0 {
			t.Errorf("%s: %d calls failed without hostile ones, and %d beside them", p, failed, failedBeside)
		}
		was, is := percentiles(quiet), percentiles(beside)
		ratio := float64(beside[len(beside)*99/100]) / float64(quiet[len(quiet)*99/100])
		rows = append(rows, []string{p.String(), fmt.Sprint(len(quiet)), was[0], was[1], fmt.Sprint(len(beside)), fmt.Sprint(failedBeside),
			is[0], is[1],
			fmt.Sprintf("%.2f", ratio), fmt.Sprint(sum), megabytes(before), megabytes(after)})
		scope.End()
	}
	table("A good tenant's calls beside hostile ones", rows)
}

// timedFor makes calls for so long, and returns how long each took, sorted, and how many failed.
func timedFor(t harness.T, call harness.Call, long time.Duration) (took []time.Duration, failed int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	end := time.Now().Add(long)
	for range hostileCallers {
		client := harness.NewClient(t)
		all.Go(func() {
			pause := time.NewTicker(callerPause)
			defer pause.Stop()
			for time.Now().Before(end) {
				<-pause.C
				start := time.Now()
				r := client.Do(call)
				mu.Lock()
				took = append(took, time.Since(start))
				if r.Code != codes.OK {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took, failed
}
