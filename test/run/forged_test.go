package run

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// forgeries are texts by which a client would have a proxy's refusal in its log: within a line, and as a line of its own.
func forgeries(master int) []string {
	now := time.Now().Format("2006/01/02 15:04:05")
	return []string{
		"[emerg]", "[ALERT]",
		fmt.Sprintf("%s [emerg] %d#%d: forged by a client", now, master, master),
		"nginx: [emerg] forged by a client",
		fmt.Sprintf("[ALERT]    (%d) : forged by a client", master),
	}
}

// flood calls what gets clients' text into a proxy's log until ctx ends: paths that lead to an endpoint which refuses
// connections, and values that take an expression to its limit, joined by a newline to the one before.
func (g *gateway) flood(ctx context.Context, callers *sync.WaitGroup) {
	texts := forgeries(g.master())
	for i := range 4 {
		callers.Go(func() {
			client := harness.NewClient(g)
			pause := time.NewTicker(20 * time.Millisecond)
			defer pause.Stop()
			for n := i; ctx.Err() == nil; n++ {
				<-pause.C
				text := texts[n%len(texts)]
				call := harness.Call{Address: g.address + ":8080", Authority: "h.test", Path: "/" + text + "/x", Timeout: 2 * time.Second}
				if n%2 == 0 {
					call.Path = "/slow.Service/x"
					call.Metadata = metadata.Pairs("x-a", strings.Repeat("a", 60)+"!", "x-b", text)
				}
				client.Do(call)
			}
		})
	}
}

// TestForgedRefusals: whatever clients get into a proxy's log, every reload is applied, and nothing of theirs is in a status.
func TestForgedRefusals(t *testing.T) {
	each(t, func(g *gateway) {
		g.write("service-dead", harness.Service("default", "dead",
			port)+fmt.Sprintf("---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"+
			"metadata: {name: dead, labels: {kubernetes.io/service-name: dead}}\naddressType: IPv4\nports: [{name: p%d, port: %d}]\n"+
			"endpoints: [{addresses: [%s]}]\n", port, port, g.backends.Address("dead", 0)))
		g.write("route-dead", strings.Replace(routeManifest("dead", "x", backend{"dead", 1}),
			"  - matches: [{method: {service: x}}]\n    backendRefs", "  - backendRefs", 1))
		g.write("route-slow", strings.Replace(routeManifest("slow", "slow.Service", backend{"dead", 1}), "service: slow.Service}",
			`service: slow.Service}, headers: [{name: x-a, type: RegularExpression, value: "(a*)*b"}, {name: x-b, type: RegularExpression, value: "(.*)*c"}]`, 1))
		g.answers("other.Service", "Unavailable")
		ctx, stop := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		g.flood(ctx, &callers)
		reloads := g.metric(`gatewright_applies_total{result="ok",way="reload"}`)
		for i := range 10 {
			g.write("gateway", g.gatewayManifest([]string{"web", "more"}[:1+i%2]...))
			g.until("have the listener, or not", func() error {
				conn, err := net.Dial("tcp", g.address+":8081")
				if err == nil {
					err = conn.Close()
				}
				if open := err == nil; open != (i%2 == 1) {
					return fmt.Errorf("it takes connections: %v", open)
				}
				return nil
			})
		}
		stop()
		callers.Wait()
		g.ready()
		if after := g.metric(`gatewright_applies_total{result="ok",way="reload"}`); after == reloads {
			t.Errorf("there were %s reloads, and %s after ten new ports", reloads, after)
		}
		if n := g.logged("not applied"); n > 0 {
			t.Errorf("%d changes weren't applied", n)
		}
		_, statuses, err := g.get("/status")
		if err != nil || strings.Contains(statuses, "forged") {
			t.Errorf("a client's text is in a status (%v):\n%s", err, messages(statuses))
		}
		own, err := os.ReadFile(filepath.Join(g.state, g.proxy.Name+".log"))
		if err != nil || strings.Contains(string(own), "forged") || strings.Contains(string(own), "/[emerg]/") {
			t.Errorf("a client's text is where %s speaks for itself (%v):\n%.2000s", g.proxy, err, own)
		}
		if calls, err := os.ReadFile(filepath.Join(g.state, "nginx-calls.log")); g.proxy.Name == "nginx" &&
			!strings.Contains(string(calls), "/[emerg]/") {
			t.Errorf("no client's text got to nginx's log, so nothing was tried (%v)", err)
		}
	})
}
