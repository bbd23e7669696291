package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
var workloads = []struct{ rules, services int }{{10, 1}, {1000, 1}, {10000, 1}, {10000, 10}, {10000, 100}}

// contender is a running proxy with calls to make to it.
type contender struct {
	name    string
	process *harness.Process
	client  *harness.Client
	calls   []harness.Call
	// check is how long the proxy's own check takes; "" where it isn't measured.
	check string
	// cpu is the workers' time a call, of each round.
	cpu []time.Duration
}

// measureProxies measures what the rendered configurations cost the proxies.
func measureProxies(t *harness.Scope, proxies []harness.Proxy, calls, rounds int) {
	cost := [][]string{{"proxy", "rules on Services", "check", "worker RSS"}}
	cpu := [][]string{{"proxy", "rules on Services", "CPU a call", "spread", "times hand-written"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		backends := harness.NewBackends(scope)
		all := []*contender{byHand(scope, p, backends)}
		for _, w := range workloads {
			snapshot := harness.Load(scope, "", workload(w.rules, w.services))
			served := harness.Serve(scope, p, snapshot, harness.Options{Backends: backends})
			c := &contender{name: fmt.Sprintf("%d rules on %d", w.rules, w.services), process: served.Process, client: served.Client}
			for range 2000 {
				h := served.Call("bench/gw/http")
				h.Authority, h.Path, h.Metadata = target(rand.IntN(w.rules/rulesOfRoute), rand.IntN(rulesOfRoute))
				c.calls = append(c.calls, h)
			}
			c.check = milliseconds(checkTime(scope, served))
			all = append(all, c)
		}
		for _, c := range all {
			c.round(scope, 1000) // Workers answer, and have touched their memory.
			cost = append(cost, []string{p.String(), c.name, c.check, megabytes(workerRSS(scope, c.process))})
		}
		if calls > 0 {
			measureCPU(scope, all, calls, rounds)
			for _, c := range all {
				cpu = append(cpu, []string{
					p.String(), c.name, microseconds(median(c.cpu)),
					microseconds(minimum(c.cpu)) + " to " + microseconds(maximum(c.cpu)),
					fmt.Sprintf("%.2f", float64(median(c.cpu))/float64(median(all[0].cpu))),
				})
			}
		}
		scope.End()
	}
	table("What a configuration costs the proxy", cost)
	if calls > 0 {
		table("CPU of the workers a call", cpu)
	}
}

// byHand starts nginx on the hand-written configuration.
func byHand(t harness.T, p harness.Proxy, backends *harness.Backends) *contender {
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
	c := &contender{name: "by hand", process: harness.Start(t, p.Binary, p.Run(dir)...), client: harness.NewClient(t)}
	c.process.WaitListening(address)
	c.calls = []harness.Call{{Address: address, Authority: "h1.example.com", Path: "/acme.team1.v1.Service1/Method1"}}
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

// measureCPU makes rounds of calls to the contenders in turns, so that a change of the machine's mood meets
// all of them.
func measureCPU(t harness.T, all []*contender, calls, rounds int) {
	for _, c := range all {
		c.round(t, calls/4) // Connections are made, caches are warm.
	}
	for range rounds {
		for _, c := range all {
			before := workerTime(t, c.process)
			c.round(t, calls)
			c.cpu = append(c.cpu, (workerTime(t, c.process)-before)/time.Duration(calls))
		}
	}
}

func (c *contender) round(t harness.T, calls int) {
	const callers = 16
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			for i := caller; i < calls; i += callers {
				call := c.calls[i%len(c.calls)]
				if r := c.client.Do(call); r.Code != codes.OK {
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

func minimum(all []time.Duration) time.Duration {
	m := all[0]
	for _, d := range all {
		m = min(m, d)
	}
	return m
}

func maximum(all []time.Duration) time.Duration {
	m := all[0]
	for _, d := range all {
		m = max(m, d)
	}
	return m
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1000)
}
