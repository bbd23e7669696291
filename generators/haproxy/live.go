package haproxy

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// A configuration that tells its generation at a marker can be changed while it runs, by the socket at CLI. The
// map files that route have two sides then: a key ends in "|a" or "|b", and a call looks up keys of the side that
// live.map named when it began. In PrefixesMap the side stands behind the first "|". Rendered files have side a only; whoever
// changes routes fills the other side, which no call reads, and then names it in live.map.
const (
	// LiveMap is the map file with what changes at once: LiveSide and LiveGeneration. While HAProxy runs it also
	// names the spare section of each section that isn't in the running configuration.
	LiveMap = "live.map"
	// LiveSide is the key of the side that calls read.
	LiveSide = "side"
	// LiveGeneration is the key of what the marker tells.
	LiveGeneration = "generation"
	// PrefixesMap is the map file that is looked up for the longest key that begins a text.
	PrefixesMap = "prefixes.map"
	// FirstSide and SecondSide are what keys end in, behind a "|".
	FirstSide, SecondSide = "a", "b"
)

// What a configuration that is changed while it runs has room for, so that the first route of a kind needs no
// reload. More than this is served too, after a reload.
const (
	// liveDepth is the most labels behind "*." of a hostname.
	liveDepth = 4
	// liveScopes is how many scopes a call may go through: its hostname's, and wider ones.
	liveScopes = 4
	// spares is how many Services can come.
	spares = 128
)

// The names of backend sections begin with one of these.
const (
	// ServicePrefix is that of a Service, with one set of header changes.
	ServicePrefix = "service:"
	// SparePrefix is that of a section without servers, for a Service that comes while HAProxy runs.
	SparePrefix = "spare:"
)

// What tells that a configuration is made for spare sections: every frontend of a Gateway, a line that begins with
// FrontendPrefix, has the line SpareLine.
const (
	FrontendPrefix = "frontend gateway:"
	SpareLine      = "use_backend %[" + spareSection + "] if { " + spareSection + " -m found }"
	spareSection   = "var(txn.target),field(1,;),map_str(" + LiveMap + ")"
)

// CLI is the path of the socket that takes commands, for a marker's path.
func CLI(marker string) string { return path.Join(path.Dir(marker), "cli.sock") }

// Sided says whether the keys of a rendered file have sides.
func Sided(file string) bool {
	return slices.Contains([]string{"routes.map", "prefixes.map", "matches.map", "weights.map", "parents.map", "cors.map"}, file) ||
		strings.HasSuffix(file, ".map") && (strings.HasPrefix(file, "hosts.") || strings.HasPrefix(file, "wildcards."))
}

// WithSide is a key of a file that has sides on one of them.
func WithSide(file, key, side string) string {
	if scope, rest, ok := strings.Cut(key, "|"); ok && file == PrefixesMap {
		return scope + "|" + side + "|" + rest
	}
	return key + "|" + side
}

// WithoutSide is a key of a file that has sides without its own, and whether it has that one.
func WithoutSide(file, key, side string) (string, bool) {
	if file != PrefixesMap {
		return strings.CutSuffix(key, "|"+side)
	}
	before, after, ok := strings.Cut(key, "|"+side+"|")
	return before + "|" + after, ok && !strings.Contains(before, "|")
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

// spareSections are there for Services to come.
func spareSections() []Section {
	list := make([]Section, spares)
	for i := range list {
		list[i] = Section{Name: sectionName("spare", strconv.Itoa(i+1)), Comment: "For a Service that comes while HAProxy runs.",
			Changes: timeLines}
	}
	return list
}

func liveFile() generators.File {
	var m mapFile
	m.comment("What changes at once while HAProxy runs")
	m.add(LiveGeneration, generators.GenerationMark)
	m.add(LiveSide, FirstSide)
	return m.file(LiveMap)
}
