package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// handwritten is the least that a person would write to pass gRPC calls on: one location, one upstream, and
// the settings that a comparison needs.
const handwritten = `worker_processes auto;
pid %[1]s/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; scgi_temp_path %[1]s/scgi; uwsgi_temp_path %[1]s/uwsgi;
  keepalive_requests 1000000000; client_max_body_size 0;
  upstream backend { server %[3]s; keepalive 64; keepalive_requests 1000000000; }
  server {
    %[2]s
    location / { grpc_pass grpc://backend; grpc_set_header Host $http_host; }
  }
}
`

// workloads are what the proxies are measured with. The number of Services tells what routing costs from what
// many upstreams cost.
var workloads = []struct{ rules, services int }{{10, 1}, {1000, 1}, {10000, 1}, {10000, 100}}

// contender is a running proxy.
type contender struct {
	process *harness.Process
	client  *harness.Client
	address string
}

// contest is a rendered configuration against the hand-written one, with the same calls to both: what of a
// call isn't routing, such as decoding headers that differ from call to call, then costs both the same.
type contest struct {
	name             string
	rendered, byHand contender
	calls            []harness.Call
	// check is how long the proxy's own check takes.
	check time.Duration
	// renderedCPU and byHandCPU are the workers' time a call, of each round.
	renderedCPU, byHandCPU []time.Duration
}

// measureProxies measures what the rendered configurations cost the proxies.
func measureProxies(t *harness.Scope, proxies []harness.Proxy, calls, rounds int) {
	cost := [][]string{{"proxy", "rules on Services", "check", "worker RSS", "hand-written"}}
	cpu := [][]string{{"proxy", "rules on Services", "CPU a call", "hand-written", "ratio", "ratio of the rounds"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		backends := harness.NewBackends(scope)
		hand := byHand(scope, p, backends)
		var all []*contest
		for _, w := range workloads {
			all = append(all, newContest(scope, p, backends, hand, w.rules, w.services))
		}
		for _, c := range all {
			// Workers answer, and have touched their memory.
			c.round(scope, c.rendered, 1000)
			c.round(scope, c.byHand, 1000)
			cost = append(cost, []string{
				p.String(), c.name, milliseconds(c.check), megabytes(workerRSS(scope, c.rendered.process)), megabytes(workerRSS(scope, hand.process)),
			})
		}
		if calls > 0 {
			measureCPU(scope, all, calls, rounds)
			for _, c := range all {
				cpu = append(cpu, append([]string{p.String()}, c.row()...))
			}
		}
		scope.End()
	}
	table("What a configuration costs the proxy", cost)
	if calls > 0 {
		table("CPU of the workers a call", cpu)
	}
}

func newContest(t harness.T, p harness.Proxy, backends *harness.Backends, hand contender, rules, services int) *contest {
	served := harness.Serve(t, p, harness.Load(t, "", workload(rules, services)), harness.Options{Backends: backends})
	listener := served.Call("bench/gw/http")
	c := &contest{
		name: fmt.Sprintf("%d on %d", rules, services), check: checkTime(t, served),
		rendered: contender{served.Process, served.Client, listener.Address}, byHand: hand,
	}
	for range 2000 {
		call := listener
		call.Authority, call.Path, call.Metadata = target(rand.IntN(rules/rulesOfRoute), rand.IntN(rulesOfRoute))
		c.calls = append(c.calls, call)
	}
	return c
}

// row is the contest's part of the table of CPU times.
func (c *contest) row() []string {
	var ratios []float64
	for i := range c.renderedCPU {
		ratios = append(ratios, float64(c.renderedCPU[i])/float64(c.byHandCPU[i]))
	}
	slices.Sort(ratios)
	return []string{
		c.name, microseconds(median(c.renderedCPU)), microseconds(median(c.byHandCPU)),
		fmt.Sprintf("%.2f", float64(median(c.renderedCPU))/float64(median(c.byHandCPU))),
		fmt.Sprintf("%.2f to %.2f", ratios[0], ratios[len(ratios)-1]),
	}
}

// byHand starts nginx on the hand-written configuration.
func byHand(t harness.T, p harness.Proxy, backends *harness.Backends) contender {
	dir, address := harness.TempDir(t), harness.Address(t)+":8080"
	endpoint := backends.Address("bench/by-hand", 0)
	backends.Listen("bench/by-hand:50051", endpoint, 50051)
	listen := "listen " + address + " http2;"
	if p.Capabilities.Version.AtLeast(1, 25, 1) {
		listen = "listen " + address + "; http2 on;"
	}
	config := filepath.Join(dir, p.ConfigFile)
	if err := os.WriteFile(config, fmt.Appendf(nil, handwritten, dir, listen, endpoint+":50051"), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	c := contender{harness.Start(t, p.Binary, p.Run(dir)...), harness.NewClient(t), address}
	c.process.WaitListening(address)
	return c
}

func workers(t harness.T, p *harness.Process) []int {
	ids := p.Children()
	if len(ids) == 0 {
		t.Fatalf("the proxy has no workers")
	}
	return ids
}

func workerRSS(t harness.T, p *harness.Process) int64 {
	return procStatus(t, workers(t, p)[0], "VmRSS")
}

func checkTime(t harness.T, s *harness.Served) time.Duration {
	var all []time.Duration
	for range 5 {
		start := time.Now()
		if out, err := s.Check(); err != nil {
			t.Fatalf("%s refuses its configuration: %v\n%s", s, err, out)
		}
		all = append(all, time.Since(start))
	}
	return median(all)
}

// measureCPU makes rounds of calls to all in turns, so that a change of the machine's mood meets all of them.
func measureCPU(t harness.T, all []*contest, calls, rounds int) {
	for range rounds {
		for _, c := range all {
			c.renderedCPU = append(c.renderedCPU, c.timed(t, c.rendered, calls))
			c.byHandCPU = append(c.byHandCPU, c.timed(t, c.byHand, calls))
		}
	}
}

// timed is the workers' time a call in a round.
func (c *contest) timed(t harness.T, at contender, calls int) time.Duration {
	c.round(t, at, calls/10) // Connections are made, caches are warm.
	before := workerTime(t, at.process)
	c.round(t, at, calls)
	return (workerTime(t, at.process) - before) / time.Duration(calls)
}

func (c *contest) round(t harness.T, at contender, calls int) {
	const callers = 16
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			for i := caller; i < calls; i += callers {
				call := c.calls[i%len(c.calls)]
				call.Address = at.address
				if r := at.client.Do(call); r.Code != codes.OK {
					t.Errorf("%s: %s%s: %s %s", c.name, call.Authority, call.Path, r.Code, r.Message)
					return
				}
			}
		})
	}
	wait.Wait()
}

// workerTime is the time that the workers have been on a CPU.
func workerTime(t harness.T, p *harness.Process) time.Duration {
	var sum time.Duration
	for _, id := range workers(t, p) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", id))
		if err != nil {
			t.Fatalf("time of worker %d: %v", id, err)
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			t.Fatalf("time of worker %d: %v", id, err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1000)
}
