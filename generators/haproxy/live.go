package haproxy

import (
	"path"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// A configuration that tells its generation at a marker can be changed while it runs, by the socket at CLI. The
// map files that route have two sides then: a key ends in "|a" or "|b", and a call looks up keys of the side that
// live.map named when it began. Rendered files have side a only; whoever changes routes fills the other side,
// which no call reads, and then names it in live.map.
const (
	// LiveMap is the map file with what changes at once: LiveSide and LiveGeneration.
	LiveMap = "live.map"
	// LiveSide is the key of the side that calls read.
	LiveSide = "side"
	// LiveGeneration is the key of what the marker tells.
	LiveGeneration = "generation"
	// FirstSide and SecondSide are what keys end in, behind a "|".
	FirstSide, SecondSide = "a", "b"
)

// CLI is the path of the socket that takes commands, for a marker's path.
func CLI(marker string) string { return path.Join(path.Dir(marker), "cli.sock") }

// Sided says whether the keys of a rendered file have sides.
func Sided(file string) bool {
	return slices.Contains([]string{"routes.map", "matches.map", "weights.map", "parents.map"}, file) ||
		strings.HasSuffix(file, ".map") && (strings.HasPrefix(file, "hosts.") || strings.HasPrefix(file, "wildcards."))
}

// sides are what makes keys those of one side; both are "" for a configuration that isn't changed while it runs.
type sides struct {
	// suffix is what a key in a file ends in.
	suffix string
	// converter makes a key for a lookup.
	converter string
}

// of is the converter with the side in another variable.
func (s sides) of(variable string) string {
	return strings.ReplaceAll(s.converter, "txn.side", variable)
}

var twoSides = sides{suffix: "|" + FirstSide, converter: ",concat(|,txn.side)"}

func liveFile() generators.File {
	var m mapFile
	m.comment("What changes at once while HAProxy runs")
	m.add(LiveGeneration, generators.GenerationMark)
	m.add(LiveSide, FirstSide)
	return m.file(LiveMap)
}
