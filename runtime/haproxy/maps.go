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

// idle is what the side of the maps that no call reads holds.
type idle struct {
	// pid is the worker that holds it; another one has nothing there.
	pid  int
	maps map[string]entries
}

// live is what live.map says.
type live struct{ side, generation string }

func readLive(ctx context.Context, socket string) (live, error) {
	out, err := askWorker(ctx, socket, "show map "+haproxy.LiveMap)
	var l live
	for line := range strings.Lines(out) {
		// "ADDRESS KEY VALUE"
		words := strings.Fields(line)
		switch {
		case len(words) == 3 && words[1] == haproxy.LiveSide:
			l.side = words[2]
		case len(words) == 3 && words[1] == haproxy.LiveGeneration:
			l.generation = words[2]
		}
	}
	if err == nil && (l.generation == "" || l.side != haproxy.FirstSide && l.side != haproxy.SecondSide) {
		err = fmt.Errorf("%s doesn't hold a side and a generation: %.200q", haproxy.LiveMap, out)
	}
	return l, err
}

func otherSide(side string) string {
	if side == haproxy.FirstSide {
		return haproxy.SecondSide
	}
	return haproxy.FirstSide
}

// fill brings the idle side of all maps from what it holds to what is wanted, and counts what is there then.
func fill(ctx context.Context, socket, side string, old, held, want map[string]entries) (changed int, err error) {
	used, err := counts(ctx, socket)
	if err != nil {
		return 0, err
	}
	for _, file := range slices.Sorted(maps.Keys(want)) {
		if _, ok := used[file]; !ok {
			continue
		}
		n, err := fillMap(ctx, socket, file, side, held[file], want[file])
		if err != nil {
			return changed, err
		}
		changed += n
	}
	return changed, count(ctx, socket, old, want)
}

func fillMap(ctx context.Context, socket, file, side string, held, want entries) (changed int, err error) {
	name := word.Replace(file)
	var commands, lines []string
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if value, ok := want[key]; !ok || value != held[key] {
			commands = append(commands, "del map "+name+" "+word.Replace(key+"|"+side))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if value, ok := held[key]; !ok || value != want[key] {
			lines = append(lines, key+"|"+side+" "+want[key])
		}
	}
	for _, part := range chunks(commands) {
		if err := tell(ctx, socket, strings.Join(part, ";")); err != nil {
			return 0, err
		}
	}
	for _, part := range chunks(lines) {
		if err := tell(ctx, socket, "add map "+name+" <<\n"+strings.Join(part, "\n")+"\n"); err != nil {
			return 0, err
		}
	}
	return len(commands) + len(lines), nil
}

// chunks divides texts into groups that HAProxy takes at once.
func chunks(texts []string) [][]string {
	var out [][]string
	size := 0
	for _, t := range texts {
		if len(out) == 0 || size+len(t)+1 > chunk {
			out, size = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], t)
		size += len(t) + 1
	}
	return out
}

// counts are the numbers of entries of the maps that the configuration looks at: there may be files of others.
func counts(ctx context.Context, socket string) (map[string]int, error) {
	out, err := askWorker(ctx, socket, "show map")
	list := map[string]int{}
	for line := range strings.Lines(out) {
		// "ID (FILE) text … entry_cnt=N"
		_, rest, _ := strings.Cut(line, " (")
		file, rest, ok := strings.Cut(rest, ") ")
		_, number, found := strings.Cut(rest, "entry_cnt=")
		if n, err := strconv.Atoi(strings.TrimSpace(number)); ok && found && err == nil {
			list[file] = n
		}
	}
	if _, ok := list[haproxy.LiveMap]; err == nil && !ok {
		err = fmt.Errorf("HAProxy doesn't list %s: %.200q", haproxy.LiveMap, out)
	}
	return list, err
}

// count compares how many entries both sides of each map have with how many there should be.
func count(ctx context.Context, socket string, a, b map[string]entries) error {
	list, err := counts(ctx, socket)
	for file, got := range list {
		if want := len(a[file]) + len(b[file]); err == nil && haproxy.Sided(file) && got != want {
			err = fmt.Errorf("%s has %d entries, not %d", file, got, want)
		}
	}
	return err
}
