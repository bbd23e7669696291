package haproxy

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/haproxy"
)

// idle is what the side of the maps that no call reads holds.
type idle struct {
	// pid is the worker that holds it; another one has nothing there.
	pid  int
	maps map[string]entries
}

func otherSide(side string) string {
	if side == haproxy.FirstSide {
		return haproxy.SecondSide
	}
	return haproxy.FirstSide
}

// readSide asks what a side of the maps holds. Nothing has to be asked of a worker that has just one side.
func (c *change) readSide(side string) (map[string]entries, error) {
	held := map[string]entries{}
	if c.worker.count(c.old.maps, nil) == nil {
		return held, nil
	}
	for file := range c.worker.entries {
		if !haproxy.Sided(file) {
			continue
		}
		out, err := askWorker(c.ctx, c.socket, "show map "+word.Replace(file))
		if err != nil {
			return nil, err
		}
		held[file] = entries{}
		for line := range strings.Lines(out) {
			// "ADDRESS KEY VALUE"
			words := strings.SplitN(strings.TrimSpace(line), " ", 3)
			if key, ok := haproxy.WithoutSide(file, words[min(1, len(words)-1)], side); ok && len(words) == 3 {
				held[file][key] = words[2]
			}
		}
	}
	return held, nil
}

// few is how many lines go into a map each by a command, with other commands in one connection. More take a
// payload.
const few = 50

// fillMaps brings the idle side of all maps from what it holds to what is wanted, and looks at what is there then.
func (c *change) fillMaps(held map[string]entries) (*worker, int, error) {
	changed, side := 0, otherSide(c.worker.side)
	var commands batch
	for _, file := range slices.Sorted(maps.Keys(c.next.maps)) {
		if _, used := c.worker.entries[file]; !used {
			// No lookup reads it: HAProxy doesn't know it.
			continue
		}
		gone, lines := mapDifference(held[file], c.next.maps[file], func(key string) string { return haproxy.WithSide(file, key, side) })
		changed += len(gone) + len(lines)
		name := word.Replace(file)
		for _, key := range gone {
			commands.add("del map %s %s", name, word.Replace(key))
		}
		if len(lines) <= few {
			for _, line := range lines {
				key, value, _ := strings.Cut(line, " ")
				commands.add("add map %s %s %s", name, word.Replace(key), word.Replace(value))
			}
			continue
		}
		if err := c.runSilent(commands); err != nil {
			return nil, changed, err
		}
		commands = nil
		for _, part := range chunks(lines) {
			if err := sendSilent(c.ctx, c.socket, "add map "+name+" <<\n"+strings.Join(part, "\n")+"\n"); err != nil {
				return nil, changed, err
			}
		}
	}
	w, err := inspect(c.ctx, c.socket, commands, nil)
	return w, changed, err
}

// runSilent sends commands that HAProxy answers with nothing when it has done them.
func (c *change) runSilent(commands batch) error {
	lines, err := commands.run(c.ctx, c.socket)
	if err != nil {
		return err
	}
	return refusals(lines)
}

// mapDifference is the keys to take away first and the lines to add then, with their side.
func mapDifference(held, want entries, sided func(key string) string) (gone, lines []string) {
	for key, value := range held {
		if now, ok := want[key]; !ok || now != value {
			gone = append(gone, sided(key))
		}
	}
	for key, value := range want {
		if had, ok := held[key]; !ok || had != value {
			lines = append(lines, sided(key)+" "+value)
		}
	}
	slices.Sort(gone)
	slices.Sort(lines)
	return gone, lines
}
