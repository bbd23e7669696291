package haproxy_test

import (
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// BenchmarkServerNames says what processor time a call, and a connection with one call, take over TLS where all
// listeners have one certificate, and where the server name chooses the listener: go test -bench ServerNames
// -benchtime 20000x.
func BenchmarkServerNames(b *testing.B) {
	for _, bin := range world.Proxies(b, "haproxy") {
		for _, layout := range []string{"one", "several"} {
			for _, perConnection := range []int{1, 1 << 40} {
				name := map[int]string{1: "connection", 1 << 40: "call"}[perConnection]
				b.Run(bin.Capabilities.Version.String()+"/"+name+"/"+layout, func(b *testing.B) {
					benchServerNames(b, bin, layout, perConnection)
				})
			}
		}
	}
}

func benchServerNames(b *testing.B, bin harness.Proxy, certificates string, perConnection int) {
	backends, address := harness.NewBackends(b), harness.Address(b)
	at := backends.Address("s", 0)
	backends.Listen("ns/s:80", at, 8080)
	g := model.Gateways{
		Gateways: []model.Gateway{{Namespace: "ns", Name: "gw", Addresses: []string{address}}},
		Clusters: []model.Cluster{{Name: "ns/s:80", Namespace: "ns", Service: "s", Port: 80,
			Endpoints: []model.Endpoint{{Address: at, Port: 8080}}}},
	}
	for _, name := range []string{"one", "several"} {
		pair := harness.Certificate(b, name+".test")
		g.KeyPairs = append(g.KeyPairs, model.KeyPair{Name: name, Certificate: pair.Certificate, Key: pair.Key,
			Hostnames: []string{name + ".test"}})
	}
	rule := &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "r"}, Matches: []model.Match{{}},
		Backends: []model.Backend{world.To("s")}}
	for i, hostname := range []string{"*.example.com", "*.a.example.com"} {
		pair := "one"
		if i == 1 {
			pair = certificates
		}
		g.Gateways[0].Listeners = append(g.Gateways[0].Listeners, model.Listener{Name: "l" + strconv.Itoa(i), Port: 8443, Protocol: model.HTTPS,
			Hostname: hostname, KeyPairs: []string{pair}, Scopes: []model.Scope{{Rules: []*model.Rule{rule}}}})
	}
	dir := world.Write(b, render(b, g, bin.Capabilities, generators.Options{}))
	p := harness.Start(b, bin.Binary, "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	p.WaitListening(address + ":8443")
	call := harness.Call{Address: address + ":8443", TLS: true, SNI: "x.a.example.com", Unverified: true,
		Authority: "x.a.example.com", Path: "/a.B/Get", Message: []byte("hello")}
	var next, wrong atomic.Int64
	run := func(calls int64) {
		next.Store(0)
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				client := harness.NewClient(b)
				defer client.Close()
				for n := 1; next.Add(1) <= calls; n++ {
					if client.Do(call).Backend() != "ns/s" {
						wrong.Add(1)
					}
					if n%perConnection == 0 {
						client.Close()
					}
				}
			})
		}
		group.Wait()
	}
	run(500)
	before := cpu(b, p.PID())
	b.ResetTimer()
	run(int64(b.N))
	b.ReportMetric((cpu(b, p.PID())-before)*1e6/float64(b.N), "µs-cpu/call")
	if n := wrong.Load(); n > 0 {
		b.Errorf("%d calls went wrong", n)
	}
}
