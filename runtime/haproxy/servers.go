package haproxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// affected are the sections whose servers change, those that go, and those that still have servers to remove from earlier updates.
func (c *change) affected() []string {
	names := map[string]bool{}
	for name := range c.updater.leftovers {
		names[name] = true
	}
	for name, s := range c.next.sections {
		if had := c.old.sections[name]; had == nil || !maps.Equal(s.servers, had.servers) {
			names[name] = true
		}
	}
	for name := range c.old.sections {
		if c.next.sections[name] == nil {
			names[name] = true
		}
	}
	for name := range c.worker.spares {
		// One that stands for a Service that is gone.
		if c.next.sections[name] == nil {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// wanted are the servers of a section that is to be.
func (c *change) wanted(section string) map[string]string {
	if s := c.next.sections[section]; s != nil {
		return s.servers
	}
	return nil
}

// states are the commands that ask for the servers of sections.
func (c *change) states(sections []string) batch {
	var b batch
	for _, section := range sections {
		b.add("show servers state %s", c.worker.section(section))
	}
	return b
}

// addServers makes wanted servers take calls, and reads back that they do.
func (c *change) addServers(sections []string) error {
	present, err := c.present(sections)
	if err != nil {
		return err
	}
	var commands batch
	added := 0
	for _, name := range sections {
		section, had := c.worker.section(name), map[string]string{}
		if s := c.old.sections[name]; s != nil {
			had = s.servers
		}
		for _, server := range slices.Sorted(maps.Keys(c.wanted(name))) {
			if _, ok := had[server]; ok {
				continue
			}
			added++
			line := c.wanted(name)[server]
			// One that is still there, because an earlier update couldn't remove it yet, has the same settings: its name tells them.
			if _, there := present[section][server]; !there {
				commands.add("add server %s/%s %s", section, server, attributes(c.next.defaults, line))
			}
			commands.add("set server %s/%s state ready", section, server)
			if checked(line) {
				commands.add("enable health %s/%s", section, server)
			}
		}
	}
	if added == 0 {
		return nil
	}
	w, err := inspect(c.ctx, c.socket, commands, c.states(sections), "New server registered.", "Already exists a server with the same name")
	if err != nil {
		return err
	}
	for _, name := range sections {
		have := w.servers[c.worker.section(name)]
		for server := range c.wanted(name) {
			if s, ok := have[server]; !ok || !s.ready {
				return fmt.Errorf("server %s/%s isn't ready", name, server)
			}
		}
	}
	c.did(added, "new endpoints", "endpoints")
	return nil
}

// present are the servers of those sections that may have one from earlier, by section: HAProxy's log has an alert of each that is added
// twice.
func (c *change) present(sections []string) (map[string]map[string]server, error) {
	unsure := slices.DeleteFunc(slices.Clone(sections), func(name string) bool {
		return c.next.sections[name] == nil || c.old.sections[name] != nil && len(c.updater.leftovers[name]) == 0
	})
	if len(unsure) == 0 {
		return nil, nil
	}
	w, err := inspect(c.ctx, c.socket, nil, c.states(unsure))
	if err != nil {
		return nil, err
	}
	return w.servers, nil
}

// removals are the commands that let other servers of sections take no more calls, and remove those that have
// none.
func (c *change) removals(sections []string) batch {
	var commands batch
	fewer := 0
	for _, name := range sections {
		section, had := c.worker.section(name), map[string]string{}
		if s := c.old.sections[name]; s != nil {
			maps.Copy(had, s.servers)
		}
		for _, server := range c.updater.leftovers[name] {
			had[server] = ""
		}
		for _, server := range slices.Sorted(maps.Keys(had)) {
			if _, ok := c.wanted(name)[server]; ok {
				continue
			}
			if len(commands) == 0 {
				// A thread may have found its call's section before the routes changed. HAProxy looks for a server
				// to delete while no thread is in the middle of anything.
				commands.add("del server %s/none", section)
			}
			if had[server] != "" {
				fewer++
			}
			commands.add("set server %s/%s state maint", section, server)
			commands.add("del server %s/%s", section, server)
		}
	}
	c.did(fewer, "endpoints fewer", "endpoints")
	return commands
}

// removed looks at what is left of removals in a worker, and remembers it for the next time.
func (c *change) removed(sections []string, w *worker) (gone batch, err error) {
	c.updater.leftovers = map[string][]string{}
	for _, name := range sections {
		for server, state := range w.servers[c.worker.section(name)] {
			if _, ok := c.wanted(name)[server]; ok {
				continue
			}
			if state.ready {
				return nil, fmt.Errorf("server %s/%s should take no calls, and does", name, server)
			}
			c.updater.leftovers[name] = append(c.updater.leftovers[name], server)
		}
		if _, spare := w.spares[name]; spare && c.next.sections[name] == nil && len(c.updater.leftovers[name]) == 0 {
			gone.add("del map %s %s", liveMap, word.Replace(name))
		}
	}
	return gone, nil
}

// static are settings with a value that HAProxy doesn't take for a server that is added. Until the next reload
// such a server does without: tcp-ut finds an endpoint that has gone without a word.
var static = []string{"tcp-ut"}

// attributes are the settings of a server that is added: its address stands first, and it gets no defaults by
// itself.
func attributes(defaults, line string) string {
	address, settings, _ := strings.Cut(line, " ")
	words := strings.Fields(defaults + " " + settings)
	for i := 0; i < len(words); {
		if slices.Contains(static, words[i]) {
			words = slices.Delete(words, i, min(i+2, len(words)))
			continue
		}
		i++
	}
	return address + " " + strings.Join(words, " ")
}

// checked says whether a server has checks.
func checked(line string) bool { return slices.Contains(strings.Fields(line), "check") }
