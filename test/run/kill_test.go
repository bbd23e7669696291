package run

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
)

// master is the proxy's main process.
func (g *gateway) master() int {
	g.Helper()
	var id process.ID
	g.until("have a master", func() (err error) {
		id, err = process.Named(filepath.Join(g.state, g.proxy.Name+".pid"))
		return err
	})
	return id.PID
}

func (g *gateway) signal(pid int, s unix.Signal) {
	g.Helper()
	if err := unix.Kill(pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
		g.Fatal(err)
	}
}

// again is what gatewright logs just before it starts the proxy again.
const again = "starting it again"

// logged is how often gatewright has logged a text.
func (g *gateway) logged(text string) int {
	g.Helper()
	log, err := os.ReadFile(g.log)
	if err != nil {
		g.Fatal(err)
	}
	return bytes.Count(log, []byte(text))
}

// alone says whether all processes that read the state folder's configuration are the master's.
func (g *gateway) alone() error {
	master := g.master()
	pids, err := process.All()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if strings.Contains(process.Title(pid), filepath.Join(g.state, "current")) && pid != master && process.Parent(pid) != master {
			return fmt.Errorf("process %d (%s) beside the master %d", pid, process.Title(pid), master)
		}
	}
	return nil
}

// pause is longer than a start of the proxy and a reload take, and shorter than nginx waits before it asks again for
// endpoints that nobody has told it.
const pause = 4 * time.Second

// kills is how often something is killed.
var kills = flag.Int("kills", 10, "how often TestKills kills something, of everything in turn")

// TestKills kills everything in turn, each at a random point of every fifth change. The end is what the last input says.
func TestKills(t *testing.T) {
	seed := rand.Uint64()
	each(t, func(g *gateway) {
		random := rand.New(rand.NewPCG(seed, 1))
		g.Logf("seed %d", seed)
		g.service("second")
		ways := map[string]func(){
			"gatewright": func() { g.kill(); g.start() },
			"master":     func() { g.signal(g.master(), unix.SIGKILL) },
			"worker": func() {
				if children := process.Children(g.master()); len(children) > 0 {
					g.signal(children[random.IntN(len(children))], unix.SIGKILL)
				}
			},
			"gatewright and master": func() {
				master := g.master()
				g.kill()
				g.signal(master, unix.SIGKILL)
				if id, err := process.Identify(master); err == nil {
					if err := process.Wait(context.Background(), id); err != nil {
						g.Fatal(err)
					}
				}
				g.start()
			},
		}
		ways["gatewright, starting the proxy"] = func() {
			g.ready() // Before that a proxy that ends was never good enough to be started again.
			before, master := g.logged(again), g.master()
			g.signal(master, unix.SIGKILL)
			g.until("start the proxy again", func() error {
				// A start that was under way already isn't logged once more.
				if g.logged(again) == before && g.master() == master {
					return errors.New("not yet")
				}
				return nil
			})
			g.kill()
			g.start()
		}
		names := slices.Sorted(maps.Keys(ways))
		longest := time.Duration(0)
		changes := *kills * 5
		for i := range changes {
			g.route("moving", fmt.Sprintf("moving%d.Service", i), backend{"second", 1})
			if i%5 != 4 {
				continue
			}
			// Somewhere between the write and the end of the reload.
			<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
			n := i / 5 % len(names)
			if n == 0 { // Each way as often as the others, in an order of its own.
				random.Shuffle(len(names), reflect.Swapper(names))
			}
			ways[names[n]]()
			start := time.Now()
			g.answers("base.Service", "first")
			if took := time.Since(start); took > longest {
				longest = took
			}
		}
		g.answers(fmt.Sprintf("moving%d.Service", changes-1), "second")
		g.ready()
		// The last kill may still have been felt by the calls before.
		g.answers(fmt.Sprintf("moving%d.Service", changes-2), unimplemented)
		g.until("have one proxy", g.alone)
		g.Logf("the longest time without an answer was %s", longest)
		if longest > pause {
			g.Errorf("no call was answered for %s", longest)
		}
	})
}

// TestTakenPort lets a new listener's port be taken: it costs that listener only, with the reason in its status,
// and heals by itself.
func TestTakenPort(t *testing.T) {
	each(t, func(g *gateway) {
		l, err := net.Listen("tcp", net.JoinHostPort(g.address, "8081"))
		if err != nil {
			g.Fatal(err)
		}
		load := g.load(g.baseCall(), 10, 5)
		g.write("gateway", g.gatewayManifest("web", "taken"))
		g.status("the proxy refuses it: " + g.address + ":8081 can't be bound: Address already in use")
		// Everything else goes on changing.
		g.service("second")
		g.route("new", "new.Service", backend{"second", 1})
		g.answers("new.Service", "second")
		if got := g.metric(`gatewright_quarantined{kind="listener"}`); got != "1" {
			g.Errorf("quarantined listeners: %s", got)
		}
		if err := l.Close(); err != nil {
			g.Fatal(err)
		}
		g.until("serve the listener", func() error {
			conn, err := net.Dial("tcp", net.JoinHostPort(g.address, "8081"))
			if err == nil {
				err = conn.Close()
			}
			return err
		})
		g.until("forget the trouble", func() error {
			_, body, err := g.get("/status")
			if err == nil && strings.Contains(body, "refuses it") {
				err = fmt.Errorf("%s", body)
			}
			return err
		})
		load.End()
	})
}

// TestStateFolder takes the state folder's room away, and its permissions: a small file system that is full and
// then read-only.
func TestStateFolder(t *testing.T) {
	each(t, func(g *gateway) {
		g.end()
		if err := os.MkdirAll(g.state, 0o755); err != nil {
			g.Fatal(err)
		}
		room := newRoom(g, g.state)
		g.start()
		g.ready()
		g.service("second")
		for _, trouble := range []string{"full", "readonly"} {
			room.take(trouble)
			g.route("late", trouble+".Service", backend{"second", 1})
			g.until("notice "+trouble, func() error {
				if g.metric("gatewright_in_sync") != "0" {
					return fmt.Errorf("in sync")
				}
				return nil
			})
			if got := g.call("base.Service").Backend(); got != "first" {
				g.Errorf("%s: what was served before: %s", trouble, got)
			}
			room.give(trouble)
			g.answers(trouble+".Service", "second")
		}
		g.end()
		room.unmount()
	})
}
