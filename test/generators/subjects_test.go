package generators_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// subject is a generator and what its tests must know of it. A new one is a row of subjects.
type subject struct {
	// name is that of the harness's kind of proxy.
	name           string
	new            func(generators.Options) generators.Generator
	capabilitiesOf func(model.Version) model.Capabilities
	// version is one where any will do.
	version model.Version
	golden  map[string]golden
	// secret is how the names of files with private keys end.
	secret   string
	override override
	// generationIn is the file that names the generation.
	generationIn string
	teams        teams
	// nonsense is a configuration that isn't one, and nonsenseSays what the proxy says of it.
	nonsense, nonsenseSays string
	// calls are calls at the rules of callRules that the proxies answer differently.
	calls func(w *world.World) []answered
	// share is by how much a weighted backend's share of 6,000 calls may be off.
	share float64
	walk  walking
	// slowest is how long the proxy may take to check what TestScale renders.
	slowest time.Duration
}

var subjects = []subject{
	{
		name:           "nginx",
		new:            func(o generators.Options) generators.Generator { return nginx.New(o) },
		capabilitiesOf: nginx.CapabilitiesOf,
		version:        model.Version{Major: 1, Minor: 26},
		golden: map[string]golden{
			"full-1.22":    {model.Version{Major: 1, Minor: 22, Patch: 1}, generators.Options{Marker: "/run/gatewright/nginx.sock"}},
			"include-1.30": {model.Version{Major: 1, Minor: 30}, generators.Options{Layout: generators.LayoutInclude, Folder: "gatewright"}},
		},
		secret: ".key",
		override: override{template: "nginx/settings.conf.tmpl", misspelt: "nginx/setings.conf.tmpl", file: "settings.conf",
			took: func(text, own string) bool { return text == own }},
		generationIn: "http.conf",
		teams:        nginxTeams,
		nonsense:     "events {}\nhttp { nonsense on; }\n",
		nonsenseSays: `unknown directive "nonsense"`,
		calls: func(w *world.World) []answered {
			return []answered{
				{call: w.Call("/p.P/a%2Fb//../%"), want: "Internal", says: answers.Unreadable.Message},
				// One of two endpoints refuses.
				{call: w.Call("/f.F/Half"), want: "ns/one"},
				{call: w.Call("/f.F/Half"), want: "ns/one"},
			}
		},
		// Calls are drawn at random: five standard deviations are less than this.
		share: .035,
		walk: walking{seeds: 4, calls: 400, matched: []string{"1", "2", "$a", "$A", `~"; {`},
			sent: []string{"1", "2", "$a", "$A", `~"; {`, "1 2", "9"}},
		slowest: 15 * time.Second,
	},
	{
		name:           "haproxy",
		new:            func(o generators.Options) generators.Generator { return haproxy.New(o) },
		capabilitiesOf: haproxy.CapabilitiesOf,
		version:        model.Version{Major: 3, Minor: 0},
		golden: map[string]golden{
			"full-2.6":    {model.Version{Major: 2, Minor: 6, Patch: 12}, generators.Options{Marker: "/run/gatewright/haproxy.sock"}},
			"include-3.2": {model.Version{Major: 3, Minor: 2}, generators.Options{Layout: generators.LayoutInclude, Folder: "gatewright"}},
		},
		secret: ".pem",
		override: override{template: "haproxy/defaults.tmpl", misspelt: "haproxy/default.tmpl", file: "haproxy.cfg",
			took: strings.Contains},
		generationIn: "haproxy.cfg",
		teams:        haproxyTeams,
		nonsense:     "global\n    nonsense on\n",
		nonsenseSays: "nonsense",
		calls: func(w *world.World) []answered {
			return []answered{
				{call: w.Call("/p.P/a%2Fb//../%"), want: "ns/one"},
				// Several lines of a header are one list.
				{call: w.Call("/h.H/M", "x-j", "1", "x-j", "2, 3"), want: "ns/two"},
				{call: w.Call("/h.H/M", "x-j", "1", "x-j", "2"), want: "Unimplemented"},
			}
		},
		// Calls are dealt out evenly, not drawn at random.
		share: .005,
		walk: walking{seeds: 4, calls: 600, matched: []string{"1", "2", "$a", "$A", `~"; {`, "1, 2", ""},
			sent:  []string{"1", "2", "$a", "$A", `~"; {`, "1 2", "9", "", "1, 2"},
			ends:  []string{"", "", "", "/", "?q=1", "/more"},
			paths: []string{"//Get", "/a.B/", "//"}, lines: true},
		slowest: 5 * time.Second,
	},
}

// eachSubject runs a test with every generator.
func eachSubject(t *testing.T, test func(*testing.T, subject)) {
	t.Helper()
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) { test(t, s) })
	}
}

// eachProxy runs a test with every proxy of every generator.
func eachProxy(t *testing.T, test func(*testing.T, subject, harness.Proxy)) {
	t.Helper()
	for _, s := range subjects {
		world.Each(t, s.name, func(t *testing.T, p harness.Proxy) { test(t, s, p) })
	}
}

// TestStatedVersion: Debian's builds can do what their stated version says.
func TestStatedVersion(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		stated := s.capabilitiesOf(p.Capabilities.Version)
		for _, f := range model.Features {
			if stated.Missing[f] != p.Capabilities.Missing[f] {
				t.Errorf("%s %s: %q, stated %q", p.Binary, f, p.Capabilities.Missing[f], stated.Missing[f])
			}
		}
	})
}
