package haproxy_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// apart is a world with wildcard listeners that have different certificates; names is one more route's hostname.
func apart(t *testing.T) *world.World {
	w := world.New(t)
	for _, name := range []string{"all", "wide", "narrow", "exact"} {
		w.Cluster(name, 1)
		w.Pair(name, name+".test")
		hostname := map[string]string{"wide": "*.example.com", "narrow": "*.a.example.com", "exact": "x.y.a.example.com"}[name]
		for _, port := range []int32{8443, 9443} {
			if port == 9443 && name == "all" {
				continue
			}
			w.Listener(model.Listener{Name: name, Port: port, Protocol: model.HTTPS, Hostname: hostname, KeyPairs: []string{name},
				Scopes: []model.Scope{{Rules: []*model.Rule{w.Rule(model.Match{}, world.To(name))}}}})
		}
	}
	return w
}

// TestServerNames: every name gets the certificate of its listener, however many labels it has.
func TestServerNames(t *testing.T) {
	world.Each(t, "haproxy", func(t *testing.T, p harness.Proxy) {
		w := apart(t)
		w.Start(p)
		for _, c := range []struct{ port, sni, authority, want, certificate string }{
			{"8443", "one.example.com", "", "ns/wide", "wide.test"},
			{"8443", "one.two.three.example.com", "", "ns/wide", "wide.test"},
			{"8443", "One.A.Example.Com", "", "ns/narrow", "narrow.test"},
			{"8443", "one.two.three.a.example.com", "", "ns/narrow", "narrow.test"},
			{"8443", "x.y.a.example.com", "", "ns/exact", "exact.test"},
			{"8443", "z.x.y.a.example.com", "", "ns/narrow", "narrow.test"},
			{"8443", "ax.y.a.example.com", "", "ns/narrow", "narrow.test"},
			{"8443", "xa.example.com", "", "ns/wide", "wide.test"},
			{"8443", "example.com", "", "ns/all", "all.test"},
			{"8443", "a.b.c.org", "", "ns/all", "all.test"},
			{"8443", "-", "other.org", "ns/all", "all.test"},
			{"8443", "one.example.com", "one.two.a.example.com", "Unknown", ""},
			{"8443", "one.two.a.example.com", "x.y.a.example.com", "Unknown", ""},
			{"9443", "one.two.a.example.com", "", "ns/narrow", "narrow.test"},
			{"9443", "one.two.example.com", "three.four.example.com", "ns/wide", "wide.test"},
			{"9443", "other.org", "", "Unavailable", ""},
			{"9443", "-", "one.example.com", "Unavailable", ""},
		} {
			call := w.Call("/a.B/Get")
			call.Address, call.TLS, call.SNI, call.Unverified = w.Address+":"+c.port, true, c.sni, true
			if call.Authority = c.authority; c.authority == "" {
				call.Authority = c.sni
			}
			r := harness.NewClient(t).Do(call)
			if r.Backend() != c.want {
				t.Errorf("%+v: got %s %q", c, r.Backend(), r.Message)
			} else if c.certificate != "" && r.Certificate.Subject.CommonName != c.certificate {
				t.Errorf("%+v: got the certificate of %s", c, r.Certificate.Subject.CommonName)
			}
			if c.want == "Unavailable" && !strings.Contains(r.Message, "handshake") {
				t.Errorf("%+v: got %q, want a failed handshake", c, r.Message)
			}
		}
		noTLS := w.Call("/a.B/Get")
		noTLS.Address = w.Address + ":8443"
		if r := harness.NewClient(t).Do(noTLS); r.Backend() != "Unavailable" || r.FromServer() {
			t.Errorf("without TLS: got %s %q", r.Backend(), r.Message)
		}
	})
}

// TestServerNamesReload: connections are handed to listeners while one HAProxy takes over from another.
func TestServerNamesReload(t *testing.T) {
	world.Each(t, "haproxy", func(t *testing.T, p harness.Proxy) {
		w := apart(t)
		o := generators.Options{Marker: filepath.Join(harness.TempDir(t), "marker")}
		dir := world.Write(t, render(t, w.Model, p.Capabilities, o))
		if err := p.Validate(context.Background(), p.Binary, dir); err != nil {
			t.Fatal(err)
		}
		process := harness.Start(t, p.Binary, p.Run(dir)...)
		process.WaitListening(w.Address+":8443", w.Address+":9443")
		call := w.Call("/a.B/Get")
		call.Address, call.TLS, call.SNI, call.Unverified, call.Authority = w.Address+":8443", true, "one.two.a.example.com", true,
			"one.two.a.example.com"

		streaming := harness.NewClient(t)
		var streams []*harness.Stream
		for range 20 {
			c := call
			c.Timeout, c.Metadata = 2*time.Minute, map[string][]string{harness.AskMode: {harness.ModeSame}}
			s, err := streaming.Stream(c)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			streams = append(streams, s)
		}
		pass := func(when string) {
			t.Helper()
			for i, s := range streams {
				if err := s.Send([]byte(when)); err != nil {
					t.Fatalf("%s, stream %d: %v", when, i, err)
				}
				if got, err := s.Receive(); err != nil || string(got) != when {
					t.Fatalf("%s, stream %d: %q, %v", when, i, got, err)
				}
			}
		}
		pass("before")

		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var group sync.WaitGroup
		var calls, failed atomic.Int64
		for i := range 8 {
			group.Go(func() {
				client := harness.NewClient(t)
				pause := time.NewTicker(20 * time.Millisecond)
				defer pause.Stop()
				for n := 0; ctx.Err() == nil; n++ {
					<-pause.C
					// Half of them connect for every few calls.
					if i%2 == 0 && n%5 == 0 {
						client.Close()
					}
					calls.Add(1)
					if r := client.Do(call); r.Backend() != "ns/narrow" {
						failed.Add(1)
						t.Errorf("call %d of %d: %s %q", n, i, r.Backend(), r.Message)
					}
				}
			})
		}
		const reloads = 10
		for i := range reloads {
			listener := &w.Model.Gateways[0].Listeners[0]
			listener.Scopes = append(listener.Scopes, model.Scope{Hostname: fmt.Sprintf("more%d.org", i), Rules: listener.Scopes[0].Rules})
			world.WriteTo(t, dir, render(t, w.Model, p.Capabilities, o))
			p.Reload(process)
			process.WaitAnswer(o.Marker, "/generation", p.Generation(t, dir))
			pass("between")
		}
		cancel()
		group.Wait()
		pass("after")
		t.Logf("%d reloads: %d of %d calls failed, %d streams alive", reloads, failed.Load(), calls.Load(), len(streams))
	})
}
