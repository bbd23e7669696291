package haproxy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// ticks are how many units of /proc/PID/stat's times are a second.
const ticks = 100

// cpu is the processor time that a process has taken, in seconds.
func cpu(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	total := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		total += n
	}
	return float64(total) / ticks
}

// rss is the memory of a process, in MB.
func rss(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages) * float64(os.Getpagesize()) / 1e6
}

// byHand is what a person would write for a few routes: a backend for each of n Services and a map of paths.
func byHand(address string, endpoints []model.Endpoint, n int) []generators.File {
	var cfg, paths strings.Builder
	cfg.WriteString("global\n    default-path config\ndefaults\n    mode http\n    timeout client 1h\n    timeout server 1h\n    timeout connect 5s\n")
	fmt.Fprintf(&cfg, "frontend f\n    bind %s:8080 proto h2\n", address)
	if n == 1 {
		cfg.WriteString("    default_backend svc0\n")
	} else {
		cfg.WriteString("    http-request set-var(txn.b) path,map_str(paths.map)\n    use_backend %[var(txn.b)]\n")
	}
	for i := range n {
		e := endpoints[i%len(endpoints)]
		fmt.Fprintf(&cfg, "backend svc%d\n    server s %s:%d proto h2\n", i, e.Address, e.Port)
	}
	for i := range 10000 {
		fmt.Fprintf(&paths, "/org.team%d.v1.Service%d/Method%d svc%d\n", i%97, i/10, i%10, i%n)
	}
	return []generators.File{{Path: "haproxy.cfg", Data: []byte(cfg.String())}, {Path: "paths.map", Data: []byte(paths.String())}}
}

// BenchmarkCall says what processor time a call takes in HAProxy, by hand and rendered: go test -bench Call
// -benchtime 30000x.
func BenchmarkCall(b *testing.B) {
	bins := binaries(b)
	for _, bin := range bins {
		for _, c := range []struct {
			name         string
			rules, hands int
		}{
			{"hand/1", 0, 1}, {"hand/1000", 0, 1000}, {"rules/10", 10, 0}, {"rules/1000", 1000, 0}, {"rules/10000", 10000, 0},
		} {
			b.Run(bin.caps.Version.String()+"/"+c.name, func(b *testing.B) {
				backends := harness.NewBackends(b)
				var endpoints []model.Endpoint
				for i := range 20 {
					a := backends.Address("s", i)
					backends.Listen("ns/s:80", a, 8080)
					endpoints = append(endpoints, model.Endpoint{Address: a, Port: 8080})
				}
				address, rules := harness.Address(b), max(c.rules, 10000)
				files := byHand(address, endpoints, max(c.hands, 1))
				if c.rules > 0 {
					rules = c.rules
					g := many(c.rules, 1, false)
					for i := range g.Clusters {
						g.Clusters[i].Endpoints = endpoints[i%20 : i%20+1]
					}
					g.Gateways[0].Addresses = []string{address}
					files = render(b, g, bin.caps, generators.Options{})
				}
				dir := write(b, files)
				p := harness.Start(b, bin.path, "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
				p.WaitListening(address + ":8080")
				call := func(i int) harness.Call {
					i = i * 7919 % rules
					return harness.Call{Address: address + ":8080", Authority: "a.example.com", Message: []byte("hello"),
						Path:     fmt.Sprintf("/org.team%d.v1.Service%d/Method%d", i%97, i/10, i%10),
						Metadata: metadata.Pairs("x-env-0", fmt.Sprintf("value%d", i))}
				}
				var clients []*harness.Client
				for range 4 {
					clients = append(clients, harness.NewClient(b))
				}
				var next, wrong atomic.Int64
				run := func(n int64) {
					next.Store(0)
					var group sync.WaitGroup
					for worker := range 32 {
						group.Go(func() {
							for i := next.Add(1); i <= n; i = next.Add(1) {
								if r := clients[worker%4].Do(call(int(i))); r.Backend() != "ns/s" {
									wrong.Add(1)
								}
							}
						})
					}
					group.Wait()
				}
				run(3000)
				before := cpu(b, p.PID())
				b.ResetTimer()
				run(int64(b.N))
				b.ReportMetric((cpu(b, p.PID())-before)*1e6/float64(b.N), "µs-cpu/call")
				b.ReportMetric(rss(b, p.PID()), "MB")
				if n := wrong.Load(); n > 0 {
					b.Errorf("%d calls went wrong", n)
				}
			})
		}
	}
}
