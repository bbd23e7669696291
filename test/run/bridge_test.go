package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/bridge"
	"github.com/gatewright/gatewright/test/harness"
)

// mirroredManifest is a GRPCRoute whose calls are copied to "shadow", of which a percentage.
func mirroredManifest(percent int) string {
	return strings.Replace(routeManifest("mirrored", "mirrored.Service", backend{"first", 1}), "    backendRefs:", fmt.Sprintf(
		"    filters: [{type: RequestMirror, requestMirror: {percent: %d, backendRef: {name: shadow, port: %d}}}]\n    backendRefs:",
		percent, port), 1)
}

// bridgePID is the process of gatewright's own bridge.
func (g *gateway) bridgePID() (int, error) {
	r, err := bridge.Ask(context.Background(), filepath.Join(g.state, "bridge", "status.sock"))
	return r.PID, err
}

// steadyCallers call until they are stopped, and count.
type steadyCallers struct {
	stop         chan struct{}
	all          sync.WaitGroup
	good, failed atomic.Int64
	last         atomic.Value
}

func (g *gateway) callAlways(service string, n int) *steadyCallers {
	c := &steadyCallers{stop: make(chan struct{})}
	for range n {
		client := harness.NewClient(g)
		c.all.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				default:
				}
				reply := client.Do(harness.Call{Address: g.address + ":8080", Authority: "h.test", Path: "/" + service + "/Method",
					Timeout: patience})
				if reply.Backend() == "first" {
					c.good.Add(1)
				} else {
					c.failed.Add(1)
					c.last.Store(reply.Backend() + ": " + reply.Message)
				}
			}
		})
	}
	return c
}

// more waits for so many more good calls.
func (c *steadyCallers) more(g *gateway, n int64) {
	g.Helper()
	want := c.good.Load() + n
	g.until("answer calls", func() error {
		if got := c.good.Load(); got < want {
			return fmt.Errorf("%d of %d; %d failed, the last with %v", got, want, c.failed.Load(), c.last.Load())
		}
		return nil
	})
}

// TestBridge: a route that needs a bridge gets one; changes of the route, another gatewright and the end of the bridge cost no
// call but those that were in a bridge that is killed.
func TestBridge(t *testing.T) {
	const many = 20
	each(t, func(g *gateway) {
		var copied atomic.Int64
		g.backends.OnCall(func(e *harness.Echo, ended bool) {
			if !ended && strings.HasPrefix(e.Backend, "default/shadow:") {
				copied.Add(1)
			}
		})
		copies := func(what string) {
			g.Helper()
			before := copied.Load()
			g.until("copy calls "+what, func() error {
				if got := copied.Load() - before; got < many {
					return fmt.Errorf("%d copies", got)
				}
				return nil
			})
		}
		if _, err := g.bridgePID(); err == nil {
			g.Error("a bridge runs that nothing needs")
		}
		g.service("shadow")
		g.write("route-mirrored", mirroredManifest(100))
		g.answers("mirrored.Service", "first")
		calls := g.callAlways("mirrored.Service", 5)
		copies("at first")
		for percent := range 5 {
			g.write("route-mirrored", mirroredManifest(50+10*percent))
			calls.more(g, 5*many)
		}
		copies("after changes")
		running, n := g.metric("gatewright_bridge_running"), g.metric(`gatewright_bridge_copies_total{result="sent",upstream="default/shadow/50051"}`)
		if running != "1" || n == "" {
			g.Errorf("the metrics say that %q bridges run and made %q copies", running, n)
		}
		first, err := g.bridgePID()
		if err != nil {
			g.Fatal(err)
		}
		g.kill()
		calls.more(g, many)
		copies("while gatewright is away")
		g.start()
		g.ready()
		var second int
		g.until("run a bridge of its own", func() (err error) {
			if second, err = g.bridgePID(); err == nil && second == first {
				err = errors.New("it is the old one")
			}
			return err
		})
		copies("by a new gatewright")
		calls.more(g, 5*many)
		if n := calls.failed.Load(); n > 0 {
			g.Errorf("%d calls failed, the last with %v", n, calls.last.Load())
		}
		g.signal(second, unix.SIGKILL)
		copies("by the bridge after one that was killed")
		close(calls.stop)
		calls.all.Wait()
		third, err := g.bridgePID()
		if err != nil || third == second {
			g.Errorf("process %d after %d: %v", third, second, err)
		}
		g.end()
		if _, err := g.bridgePID(); err == nil {
			g.Error("the bridge goes on at the end")
		}
	})
}
