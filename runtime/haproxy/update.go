package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/runtime/apply"
)

// updater is what a Proxy remembers between changes.
type updater struct {
	idle idle
	// leftovers are sections with servers that still have streams.
	leftovers map[string]bool
}

// Update changes endpoints, routes, weights and the content of certificates without a reload, when nothing else
// has changed. New endpoints come first, then calls see all of the new routes at once, then endpoints go.
func (p *Proxy) Update(ctx context.Context, old, next apply.Configuration) (apply.Update, error) {
	if old.Generation == next.Generation {
		// All that HAProxy knows is in the files.
		return apply.Update{Applied: true}, nil
	}
	if p.Marker == "" {
		return apply.Update{Reason: "HAProxy has no socket for commands", Cause: "no-socket"}, nil
	}
	socket := haproxy.CLI(p.Marker)
	before, why := read(old.Files)
	if why != "" {
		return apply.Update{Reason: why, Cause: "configuration"}, nil
	}
	after, why := read(next.Files)
	if why != "" {
		return apply.Update{Reason: why, Cause: "configuration"}, nil
	}
	if u := obstacle(before, after); u.Reason != "" {
		return u, nil
	}
	pid, err := workerPID(ctx, socket)
	if err != nil {
		return apply.Update{Reason: err.Error(), Cause: "no-socket"}, nil
	}
	running, err := readLive(ctx, socket)
	if err != nil {
		return apply.Update{Reason: err.Error(), Cause: "no-socket"}, nil
	}
	if running.generation != old.Generation {
		return apply.Update{Reason: fmt.Sprintf("HAProxy serves generation %s, not %s", running.generation, old.Generation), Cause: "restart"}, nil
	}
	c := &change{Proxy: p, ctx: ctx, socket: socket, pid: pid, live: running, old: before, next: after, generation: next.Generation}
	if c.servers, err = newServers(socket, after.defaults); err != nil {
		return apply.Update{Reason: err.Error(), Cause: "no-socket"}, nil
	}
	return c.run()
}

// change is one change of a running worker.
type change struct {
	*Proxy
	ctx        context.Context
	socket     string
	pid        int
	live       live
	old, next  *rendered
	generation string
	servers    *servers

	done  []string
	cause string
}

// did notes what was done; the first kind that changed something is the cause.
func (c *change) did(n int, what, cause string) {
	if n == 0 {
		return
	}
	c.done = append(c.done, fmt.Sprintf("%d %s", n, what))
	if c.cause == "" {
		c.cause = cause
	}
}

// sections are those whose servers change.
func (c *change) sections() []string {
	var out []string
	for section, servers := range c.next.servers {
		if !maps.Equal(servers, c.old.servers[section]) {
			out = append(out, section)
		}
	}
	slices.Sort(out)
	return out
}

func (c *change) run() (apply.Update, error) {
	flip := !reflect.DeepEqual(c.old.maps, c.next.maps)
	if flip {
		if err := c.fill(); err != nil {
			return apply.Update{Reason: err.Error(), Cause: "maps"}, nil
		}
	}
	if err := c.rotate(); err != nil {
		return apply.Update{}, err
	}
	sections := c.sections()
	for _, section := range sections {
		n, err := c.servers.add(section, c.next.servers[section])
		if err != nil {
			return apply.Update{}, err
		}
		c.did(n, "new endpoints", "endpoints")
	}
	if err := c.switchOver(flip); err != nil {
		return apply.Update{}, err
	}
	if err := c.removeServers(sections); err != nil {
		return apply.Update{}, err
	}
	return apply.Update{Applied: true, Reason: strings.Join(c.done, ", "), Cause: c.cause}, nil
}

// fill writes the routes to the side that no call reads.
func (c *change) fill() error {
	held := c.updater.idle.maps
	if c.updater.idle.pid != c.pid {
		held = nil
		if err := count(c.ctx, c.socket, c.old.maps, nil); err != nil {
			return fmt.Errorf("what the other side of the maps holds isn't known: %w", err)
		}
	}
	// What it holds isn't known any more until all of it is written.
	c.updater.idle = idle{}
	n, err := fill(c.ctx, c.socket, otherSide(c.live.side), c.old.maps, held, c.next.maps)
	c.did(n, "map entries", "routes")
	return err
}

// switchOver lets calls see the new routes, and the marker tell the new generation.
func (c *change) switchOver(flip bool) error {
	set := "set map " + haproxy.LiveMap + " "
	commands := set + haproxy.LiveGeneration + " " + c.generation
	want := live{c.live.side, c.generation}
	if flip {
		want.side = otherSide(c.live.side)
		commands = set + haproxy.LiveSide + " " + want.side + ";" + commands
	}
	if err := tell(c.ctx, c.socket, commands); err != nil {
		return err
	}
	pid, err := workerPID(c.ctx, c.socket)
	if err != nil {
		return err
	}
	if got, err := readLive(c.ctx, c.socket); err != nil || got != want || pid != c.pid {
		return fmt.Errorf("HAProxy was started again meanwhile, or did not switch: worker %d, %+v, %w", pid, got, err)
	}
	if flip {
		c.updater.idle = idle{c.pid, c.old.maps}
	}
	return nil
}

// removeServers ends what is no longer wanted, and what was left from before.
func (c *change) removeServers(sections []string) error {
	for section := range c.updater.leftovers {
		if _, ok := c.next.servers[section]; ok && !slices.Contains(sections, section) {
			sections = append(sections, section)
		}
	}
	c.updater.leftovers = map[string]bool{}
	for _, section := range sections {
		n, gone, err := c.servers.remove(section, c.next.servers[section])
		if err != nil {
			return err
		}
		if !gone {
			c.updater.leftovers[section] = true
		}
		c.did(n, "endpoints fewer", "endpoints")
	}
	return nil
}

// rotate gives key pairs that are in use another content.
func (c *change) rotate() error {
	for _, path := range slices.Sorted(maps.Keys(c.next.pairs)) {
		data := c.next.pairs[path]
		if bytes.Equal(data, c.old.pairs[path]) {
			continue
		}
		if err := rotate(c.ctx, c.socket, path, data); err != nil {
			return err
		}
		c.did(1, "certificates", "certificates")
	}
	return nil
}

// rotate gives one key pair another content. HAProxy refuses a key that doesn't fit.
func rotate(ctx context.Context, socket, path string, data []byte) error {
	var lines []string
	for line := range bytes.Lines(data) {
		// An empty line would be the end of what is sent.
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	text := strings.Join(lines, "\n")
	if len(text) > chunk {
		return fmt.Errorf("%s is too large for HAProxy's socket", path)
	}
	name := word.Replace(path)
	out, err := askWorker(ctx, socket, "set ssl cert "+name+" <<\n"+text+"\n")
	if err == nil && strings.Contains(out, "ransaction") {
		out, err = askWorker(ctx, socket, "commit ssl cert "+name)
	}
	if err == nil && !strings.Contains(out, "Success!") {
		err = fmt.Errorf("HAProxy doesn't take %s: %.200s", path, strings.TrimSpace(out))
		// There may be nothing to abort; the error says what matters.
		_, _ = askWorker(ctx, socket, "abort ssl cert "+name)
	}
	return err
}

var _ apply.Updater = (*Proxy)(nil)
