package haproxy_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	run "github.com/gatewright/gatewright/runtime/haproxy"
	"github.com/gatewright/gatewright/test/harness"
)

// apart is a world with wildcard listeners that have different certificates; names is one more route's hostname.
func apart(t *testing.T) *world {
	w := newWorld(t)
	for _, name := range []string{"all", "wide", "narrow", "exact"} {
		w.cluster(name, 1)
		w.pair(name, name+".test")
		hostname := map[string]string{"wide": "*.example.com", "narrow": "*.a.example.com", "exact": "x.y.a.example.com"}[name]
		for _, port := range []int32{8443, 9443} {
			if port == 9443 && name == "all" {
				continue
			}
			w.listener(model.Listener{Name: name, Port: port, Protocol: model.HTTPS, Hostname: hostname, KeyPairs: []string{name},
				Scopes: []model.Scope{{Rules: []*model.Rule{w.rule(model.Match{}, to(name))}}}})
		}
	}
	return w
}

// TestServerNames: every name gets the certificate of its listener, however many labels it has.
func TestServerNames(t *testing.T) {
	eachHAProxy(t, func(t *testing.T, b binary) {
		w := apart(t)
		start(t, b, w.model)
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
			call := w.call("/a.B/Get")
			call.Address, call.TLS, call.SNI, call.Unverified = w.address+":"+c.port, true, c.sni, true
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
		noTLS := w.call("/a.B/Get")
		noTLS.Address = w.address + ":8443"
		if r := harness.NewClient(t).Do(noTLS); r.Backend() != "Unavailable" || r.FromServer() {
			t.Errorf("without TLS: got %s %q", r.Backend(), r.Message)
		}
	})
}

// TestServerNamesReload: connections are handed to listeners while one HAProxy takes over from another.
func TestServerNamesReload(t *testing.T) {
	eachHAProxy(t, func(t *testing.T, b binary) {
		w := apart(t)
		o := generators.Options{Marker: filepath.Join(harness.TempDir(t), "marker")}
		dir := write(t, render(t, w.model, b.caps, o))
		if err := run.Validate(context.Background(), b.path, dir); err != nil {
			t.Fatal(err)
		}
		p := harness.Start(t, b.path, "-W", "-f", filepath.Join(dir, "haproxy.cfg"))
		p.WaitListening(w.address+":8443", w.address+":9443")
		call := w.call("/a.B/Get")
		call.Address, call.TLS, call.SNI, call.Unverified, call.Authority = w.address+":8443", true, "one.two.a.example.com", true,
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
		for i := range 16 {
			group.Go(func() {
				client := harness.NewClient(t)
				for n := 0; ctx.Err() == nil; n++ {
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
			listener := &w.model.Gateways[0].Listeners[0]
			listener.Scopes = append(listener.Scopes, model.Scope{Hostname: fmt.Sprintf("more%d.org", i), Rules: listener.Scopes[0].Rules})
			rewrite(t, dir, render(t, w.model, b.caps, o))
			reload(t, p, o.Marker, generationOf(t, dir))
			pass("between")
		}
		cancel()
		group.Wait()
		pass("after")
		t.Logf("%d reloads: %d of %d calls failed, %d streams alive", reloads, failed.Load(), calls.Load(), len(streams))
	})
}

// reload makes HAProxy serve a generation.
func reload(t *testing.T, p *harness.Process, marker, generation string) {
	t.Helper()
	harness.ReloadHAProxy(p)
	p.WaitAnswer(marker, "/generation", generation)
}

// rewrite puts rendered files where others are.
func rewrite(t *testing.T, dir string, files []generators.File) {
	t.Helper()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(f.Path)), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// generationOf reads the generation of a folder.
func generationOf(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(line, "# Generation ")
}
