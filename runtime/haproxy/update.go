package haproxy

import (
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
	// pid is the worker that has the leftovers.
	pid int
	// leftovers are servers that still have streams, by section.
	leftovers map[string][]string
	// rendered is what was read last, of a generation.
	rendered   *rendered
	generation string
}

// Update changes endpoints, routes, weights, Services, certificates and CAs without a reload, when nothing else has
// changed. What is new comes first, then calls see all of the new routes at once, then goes what isn't needed any
// more.
func (p *Proxy) Update(ctx context.Context, old, next apply.Configuration) (apply.Update, error) {
	if old.Generation == next.Generation {
		// All that HAProxy knows is in the files.
		return apply.Update{Applied: true}, nil
	}
	if p.Marker == "" {
		return apply.Update{Reason: "HAProxy has no socket for commands", Cause: "no-socket"}, nil
	}
	c := &change{Proxy: p, ctx: ctx, socket: haproxy.CLI(p.Marker), generation: next.Generation}
	u, err := c.prepare(old, next)
	if u.Reason == "" && err == nil {
		u, err = c.run()
	}
	if err == nil && u.Applied {
		p.updater.rendered, p.updater.generation = c.next, next.Generation
	}
	return u, err
}

// change is one change of a running worker.
type change struct {
	*Proxy
	ctx        context.Context
	socket     string
	generation string
	old, next  *rendered
	// worker is the worker as it was before the change; its spares grow by new ones.
	worker *worker
	// spares are the sections that get a spare one.
	spares       []string
	certificates *certificates
	// cas are the files of CAs that change.
	cas []string
	// authorities are bundles that HAProxy gets.
	authorities []string

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

// prepare finds out what there is and what is to be done. It changes nothing, and says what needs a reload.
func (c *change) prepare(old, next apply.Configuration) (apply.Update, error) {
	c.old = c.updater.rendered
	var why string
	if c.old == nil || c.updater.generation != old.Generation {
		if c.old, why = read(old.Files, nil); why != "" {
			return apply.Update{Reason: why, Cause: "configuration"}, nil
		}
	}
	if c.next, why = read(next.Files, c.old); why != "" {
		return apply.Update{Reason: why, Cause: "configuration"}, nil
	}
	if u := obstacle(c.old, c.next); u.Reason != "" {
		return u, nil
	}
	questions := c.listQuestions()
	lists := len(questions)
	if c.newSections() != nil {
		questions.add("show backend")
	}
	var err error
	if c.worker, err = inspect(c.ctx, c.socket, nil, questions); err != nil {
		return apply.Update{Reason: err.Error(), Cause: "no-socket"}, nil
	}
	if c.updater.pid != c.worker.pid {
		c.updater.pid, c.updater.leftovers = c.worker.pid, nil
	}
	if c.worker.generation != old.Generation {
		return apply.Update{Reason: fmt.Sprintf("HAProxy serves generation %s, not %s", c.worker.generation, old.Generation), Cause: "restart"},
			nil
	}
	if len(c.worker.lists) != lists {
		return apply.Update{Reason: "HAProxy doesn't tell its lists of certificates", Cause: "certificates"}, nil
	}
	if u := c.planSpares(); u.Reason != "" {
		return u, nil
	}
	var u apply.Update
	if c.authorities, u = c.planAuthorities(); u.Reason == "" {
		c.certificates, u = c.planCertificates()
	}
	if u.Reason == "" {
		u = c.planCAs()
	}
	return u, nil
}

// newSections are the sections that weren't there before.
func (c *change) newSections() []string {
	var names []string
	for name := range c.next.sections {
		if c.old.sections[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// planSpares finds a place for every new section: the one that it had earlier and that is still in the running configuration, or a
// spare one.
func (c *change) planSpares() apply.Update {
	free := c.worker.freeSpares(c.next.spares)
	for _, name := range c.newSections() {
		switch {
		case c.worker.spares[name] != "" || c.worker.sections[name]:
		case !haproxy.Plain(c.next.sections[name].settings, c.next.spare):
			return apply.Update{Reason: fmt.Sprintf("section %s has settings of its own", name), Cause: "filters"}
		case !c.next.spared:
			return apply.Update{Reason: fmt.Sprintf("section %s is new, and a template of frontends doesn't look for spare sections", name),
				Cause: "services"}
		case len(free) == 0:
			return apply.Update{Reason: fmt.Sprintf("none of the %d spare sections is left for %s", len(c.next.spares), name), Cause: "services"}
		default:
			c.worker.spares[name] = free[0]
			c.spares, free = append(c.spares, name), free[1:]
		}
	}
	return apply.Update{}
}

func (c *change) run() (apply.Update, error) {
	flip := !reflect.DeepEqual(c.old.maps, c.next.maps)
	if flip {
		if err := c.fill(); err != nil {
			return apply.Update{Reason: err.Error(), Cause: "maps"}, nil
		}
	}
	if err := c.addCertificates(c.certificates); err != nil {
		return apply.Update{}, err
	}
	if err := c.addAuthorities(c.authorities); err != nil {
		return apply.Update{}, err
	}
	if err := c.setCAs(); err != nil {
		return apply.Update{}, err
	}
	sections := c.affected()
	if err := c.addServers(sections); err != nil {
		return apply.Update{}, err
	}
	w, err := c.switchOver(flip, sections)
	if err != nil {
		return apply.Update{}, err
	}
	unused, err := c.removed(sections, w)
	if err == nil {
		err = c.runSilent(unused)
	}
	if err == nil {
		err = c.removeCertificates(c.certificates)
	}
	if err != nil {
		return apply.Update{}, err
	}
	return apply.Update{Applied: true, Reason: strings.Join(c.done, ", "), Cause: c.cause}, nil
}

// fill writes the routes to the side that no call reads.
func (c *change) fill() error {
	held := c.updater.idle.maps
	if c.updater.idle.pid != c.worker.pid {
		var err error
		if held, err = c.readSide(otherSide(c.worker.side)); err == nil {
			err = c.worker.count(c.old.maps, held)
		}
		if err != nil {
			return fmt.Errorf("what the other side of the maps holds isn't known: %w", err)
		}
	}
	// What it holds isn't known any more until all of it is written.
	c.updater.idle = idle{}
	w, n, err := c.fillMaps(held)
	if err == nil {
		err = w.count(c.old.maps, c.next.maps)
	}
	c.did(n, "map entries", "routes")
	return err
}

// switchOver lets calls see the new routes, the marker tell the new generation, and endpoints go that aren't
// wanted. It returns what is there then.
func (c *change) switchOver(flip bool, sections []string) (*worker, error) {
	var commands batch
	side := c.worker.side
	for _, name := range c.spares {
		commands.add("add map %s %s %s", liveMap, word.Replace(name), word.Replace(c.worker.spares[name]))
	}
	if flip {
		side = otherSide(side)
		commands.add("set map %s %s %s", liveMap, haproxy.LiveSide, side)
	}
	commands.add("set map %s %s %s", liveMap, haproxy.LiveGeneration, c.generation)
	removals := c.removals(sections)
	w, err := inspect(c.ctx, c.socket, append(commands, removals...), c.states(sections), "Server deleted.", "No such server.",
		"Server still has")
	if err != nil {
		return nil, err
	}
	if w.pid != c.worker.pid || w.side != side || w.generation != c.generation || !maps.Equal(w.spares, c.worker.spares) {
		return nil, fmt.Errorf("HAProxy was started again meanwhile, or did not switch: worker %d, side %s, generation %s", w.pid, w.side,
			w.generation)
	}
	c.did(len(c.spares), "spare sections", "services")
	if flip {
		c.updater.idle = idle{c.worker.pid, c.old.maps}
	}
	return w, nil
}
