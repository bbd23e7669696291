package haproxy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
)

// worker is what a running worker says of itself.
type worker struct {
	pid int
	// side is the one that calls read, generation what the marker tells.
	side, generation string
	// spares are the spare sections in use, by the section that each one stands for.
	spares map[string]string
	// entries are the numbers of entries of the maps that the configuration looks at.
	entries map[string]int
	// sections are all backend sections, where they were asked for.
	sections map[string]bool
	// lists are the crt-lists that were asked for.
	lists map[string][]listEntry
	// servers are the servers of the sections that were asked for, by section and name.
	servers map[string]map[string]server
}

// server is a server as a worker has it.
type server struct{ ready bool }

// questions are about what every change has to know.
var questions = batch{"show info", "show map " + haproxy.LiveMap, "show map"}

// inspect sends a worker commands, then asks what every change has to know and the questions in more. The commands' answers may
// have no lines but the wanted ones.
func inspect(ctx context.Context, socket string, commands, more batch, wanted ...string) (*worker, error) {
	lines, err := slices.Concat(commands, questions, more).run(ctx, socket)
	if err != nil {
		return nil, err
	}
	info := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "Name: ") })
	if err := refusals(lines[:max(info, 0)], wanted...); err != nil {
		return nil, err
	}
	w := readWorker(lines[max(info, 0):])
	switch _, known := w.entries[haproxy.LiveMap]; {
	case w.pid == 0:
		return nil, fmt.Errorf("HAProxy's socket doesn't tell the worker's process id: %.200q", lines)
	case w.generation == "" || w.side != haproxy.FirstSide && w.side != haproxy.SecondSide:
		return nil, fmt.Errorf("%s doesn't hold a side and a generation", haproxy.LiveMap)
	case !known:
		return nil, fmt.Errorf("HAProxy doesn't list %s", haproxy.LiveMap)
	}
	return w, nil
}

// readWorker reads the answers to any questions, which are told apart by their headings.
func readWorker(lines []string) *worker {
	w := &worker{
		spares: map[string]string{}, entries: map[string]int{}, sections: map[string]bool{},
		lists: map[string][]listEntry{}, servers: map[string]map[string]server{},
	}
	heading := ""
	for _, line := range lines {
		words := strings.Fields(line)
		switch {
		case words[0] == "#" && len(words) > 1:
			heading = words[1]
		case words[0] == "Pid:" && len(words) == 2:
			w.pid, _ = strconv.Atoi(words[1]) // 0 isn't a process id.
		case strings.HasPrefix(words[0], "0x") && len(words) == 3:
			w.liveEntry(words[1], words[2])
		case heading == "id":
			w.mapLine(line)
		case heading == "name" && len(words) == 1:
			w.sections[line] = true
		case heading == "be_id" && len(words) > 18:
			w.server(words)
		case strings.HasSuffix(heading, ".list"):
			w.lists[heading] = append(w.lists[heading], readListEntry(words))
		}
	}
	return w
}

// liveEntry is a line of `show map live.map`: "ADDRESS KEY VALUE".
func (w *worker) liveEntry(key, value string) {
	switch key {
	case haproxy.LiveSide:
		w.side = value
	case haproxy.LiveGeneration:
		w.generation = value
	default:
		w.spares[key] = value
	}
}

// mapLine is a line of `show map`: "ID (FILE) text … entry_cnt=N".
func (w *worker) mapLine(line string) {
	_, rest, _ := strings.Cut(line, " (")
	file, rest, ok := strings.Cut(rest, ") ")
	_, number, found := strings.Cut(rest, "entry_cnt=")
	if n, err := strconv.Atoi(number); ok && found && err == nil {
		w.entries[file] = n
	}
}

// The bits of a server's administrative state by which it was told to take no calls.
const (
	forcedMaint = 0x01
	forcedDrain = 0x08
)

// server is a line of `show servers state`.
func (w *worker) server(words []string) {
	state, err := strconv.Atoi(words[6])
	if w.servers[words[1]] == nil {
		w.servers[words[1]] = map[string]server{}
	}
	w.servers[words[1]][words[3]] = server{ready: err == nil && state&(forcedMaint|forcedDrain) == 0}
}

// section is the section of the running configuration that stands for a rendered one.
func (w *worker) section(name string) string {
	if spare, ok := w.spares[name]; ok {
		return spare
	}
	return name
}

// freeSpares are those that stand for nothing, in order.
func (w *worker) freeSpares(all []string) []string {
	used := slices.Collect(maps.Values(w.spares))
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(used, name) })
}

// count compares how many entries both sides of each map have with how many there should be.
func (w *worker) count(a, b map[string]entries) error {
	for file, got := range w.entries {
		if want := len(a[file]) + len(b[file]); haproxy.Sided(file) && got != want {
			return fmt.Errorf("%s has %d entries, not %d", file, got, want)
		}
	}
	return nil
}
