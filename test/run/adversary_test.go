package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

// mischief are the changes that a hostile tenant makes, over and over, by the names of its files. In each the number is how
// many there were before.
var mischief = map[string]func(g *gateway, i int) string{
	"wide": func(_ *gateway, i int) string { return wideRoute(fmt.Sprintf("wide%d", i%2), "evil") },
	"broken": func(_ *gateway, i int) string {
		return []string{"kind: [", "kind: Secret\nmetadata: {name: x}\n", ""}[i%3]
	},
	"regex": func(_ *gateway, i int) string {
		return routeManifest("regex", fmt.Sprintf(`"x%d.(a*)*b", type: RegularExpression`, i), backend{"evil", 1})
	},
	"nothing": func(_ *gateway, i int) string {
		return routeManifest("nothing", "evil.nothing", backend{fmt.Sprintf("missing%d", i), 1})
	},
	"unrenderable": func(_ *gateway, i int) string { return routeManifest("bad", "evil.bad", backend{"bad", 1 + i}) },
	"gateway": func(g *gateway, i int) string {
		address, port := []string{g.address, g.address, "203.0.113.1", "0.0.0.0"}[i%4], []int{8090, 8080, 8091, 8092}[i%4]
		return fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: younger}\nspec:\n  gatewayClassName: "+
			"test\n"+
			"  addresses: [{value: %s}]\n  listeners:\n  - {name: web, port: %d, protocol: HTTP}\n  - {name: tls, port: 8443, protocol: HTTPS, "+
			"tls: {certificateRefs: [{name: evil}]}}\n", address, port)
	},
	"secret": func(_ *gateway, i int) string {
		return harness.Secret("default", "evil", harness.KeyPair{Certificate: []byte(strings.Repeat("-----BEGIN CERTIFICATE-----\n", i%3)),
			Key: []byte("no key")})
	},
	"values": func(_ *gateway, i int) string {
		value := strconv.Quote(strings.Repeat([]string{`"`, `\`, `${request_id}`, `%[env(PATH)]`, "{{.}}"}[i%5], 100))
		return strings.Replace(routeManifest("values", "evil.values", backend{"evil", 1}), "    backendRefs", fmt.Sprintf(
			"    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-v, value: %s}]}}]\n    backendRefs", value), 1)
	},
}

// rounds is how many rounds of changes a hostile tenant makes, and the good one beside it.
const rounds = 6

// every is how often each hostile client attacks: they are to be found by faults, not by the load that they are.
const every = 300 * time.Millisecond

// TestAdversary is R41 to R43 at once: beside a good tenant's calls are hostile clients, endpoints that answer what no
// server should, and a tenant whose objects are made to harm. No call of the good tenant fails or is answered by anything
// else, its streams live, its changes are applied, and memory stays bounded.
func TestAdversary(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			b := breaking[p.Name]
			g := newGateway(t, p)
			g.args = []string{"--templates", templates(t, b[0], b[1], b[2])}
			g.service("second")
			g.service("bad")
			target := adversary.Target{Address: g.address + ":8080", Authority: "h.test", Good: g.baseCall().Path}
			g.write("tenant", adversary.Tenant(t, "{name: gw}", target.Address, adversary.Bearable(p)))
			g.start()
			g.ready()
			g.answers("base.Service", "first")
			if n := g.logged("manifests have errors"); n > 0 {
				g.Fatalf("the hostile tenant isn't served, so nothing is tried:\n%s", g.said())
			}
			master, before := g.master(), g.memory()
			good := g.load(g.baseCall(), 4, 5)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan map[string]int, 1)
			go func() { done <- adversary.Attack(ctx, t, target, every) }()
			peak := before
			for i := range rounds {
				for _, name := range slices.Sorted(maps.Keys(mischief)) {
					g.write("evil-"+name, mischief[name](g, i))
				}
				service := fmt.Sprintf("good%d.Service", i)
				g.route("good", service, backend{"second", 1})
				g.answers(service, "second")
				peak = peak.most(g.memory())
			}
			stop()
			attacks := <-done
			good.End()
			g.Logf("attacks: %v", attacks)
			g.Logf("memory at first and at most: %s, %s", before, peak)
			for name, n := range attacks {
				if n == 0 {
					g.Errorf("nobody attacked by %s", name)
				}
			}
			if now := g.master(); now != master || g.logged(again) > 0 {
				g.Errorf("the proxy ended and was started again: process %d, then %d", master, now)
			}
			if ended := g.ended(); len(ended) > 0 {
				g.Errorf("workers ended by a signal: %q", ended)
			}
			if peak.proxy-before.proxy > mostGrown || peak.gatewright-before.gatewright > mostGrown {
				g.Errorf("memory grew from %s to %s, want at most %d MB more", before, peak, mostGrown>>20)
			}
		})
	}
}

// mostGrown is how much memory may grow by: a dozen connections at a time that have at most 50 MB each.
const mostGrown = 600 << 20

// resident is how much memory a gateway's processes have, in bytes.
type resident struct{ proxy, gatewright int }

func (r resident) most(other resident) resident {
	return resident{max(r.proxy, other.proxy), max(r.gatewright, other.gatewright)}
}

func (r resident) String() string {
	return fmt.Sprintf("%d MB of the proxy and %d MB of gatewright", r.proxy>>20, r.gatewright>>20)
}

// memory is what gatewright, and the proxy with its workers, have now.
func (g *gateway) memory() (r resident) {
	g.Helper()
	master := g.master()
	for _, pid := range append(process.Children(master), master) {
		r.proxy += g.resident(pid)
	}
	r.gatewright = g.resident(g.cmd.Process.Pid)
	return r
}

// resident is what a process has; nothing for one that has ended.
func (g *gateway) resident(pid int) int {
	g.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		g.Fatalf("process %d has no memory to be seen (%v): %q", pid, err, text)
	}
	pages, err := strconv.Atoi(fields[1])
	if err != nil {
		g.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// endedBy is what a proxy says of a worker that SIGILL, SIGABRT, SIGBUS or SIGSEGV has ended. HAProxy 2.6 may say it of a
// former worker too, whose calls have all ended: it frees its listeners twice as it exits.
var endedBy = regexp.MustCompile(`(?m)^.*(exited on signal (4|6|7|11)\b|Current worker .* exited with code (132|134|135|139)\b).*$`)

// ended are what the proxy has said of workers that a signal ended which nobody sent.
func (g *gateway) ended() []string {
	g.Helper()
	text, err := os.ReadFile(filepath.Join(g.state, g.proxy.Name+".log"))
	if err != nil {
		g.Fatal(err)
	}
	return endedBy.FindAllString(string(text), -1)
}
