package haproxy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/runtime/apply"
)

// liveMap is short for the map of what changes at once.
const liveMap = haproxy.LiveMap

// entries are a map file's values by key, without the keys' side.
type entries map[string]string

// rendered is what of a configuration can change while HAProxy runs, and the rest.
type rendered struct {
	// config is haproxy.cfg without comments and without the sections below.
	config []string
	// sections are the backend sections of Services.
	sections map[string]*section
	// spares are the names of the spare sections, spare is what stands in all of them.
	spares []string
	spare  string
	// spared says that all frontends look for spare sections.
	spared bool
	// defaults are the settings of all servers, which one that is added doesn't get by itself.
	defaults string
	maps     map[string]entries
	lists    map[string][]listEntry
	pairs    map[string][]byte
	cas      map[string][]byte
	bundles  map[string][]byte
	others   map[string][]byte
	// files are all files as they are.
	files map[string][]byte
}

// section is a backend section.
type section struct {
	// settings are its lines but for its name, comments and servers.
	settings string
	// servers are what stands behind a server's name, by name.
	servers map[string]string
}

// read takes rendered files apart; before is what was read last, or nil. The text says why they can't be told
// apart.
func read(files []generators.File, before *rendered) (*rendered, string) {
	r := &rendered{
		sections: map[string]*section{}, maps: map[string]entries{}, lists: map[string][]listEntry{},
		pairs: map[string][]byte{}, cas: map[string][]byte{}, bundles: map[string][]byte{}, others: map[string][]byte{},
		files: make(map[string][]byte, len(files)),
	}
	for _, f := range files {
		r.files[f.Path] = f.Data
		same := before != nil && bytes.Equal(before.files[f.Path], f.Data)
		switch {
		case f.Path == "haproxy.cfg":
			if why := r.readConfig(string(f.Data)); why != "" {
				return nil, why
			}
		case f.Path == liveMap:
		case haproxy.Sided(f.Path):
			if list, ok := before.mapOf(f.Path); ok && same {
				r.maps[f.Path] = list
				continue
			}
			list, ok := readMap(f.Path, string(f.Data))
			if !ok {
				return nil, f.Path + " has a key twice"
			}
			r.maps[f.Path] = list
		case isPair(f.Path):
			r.pairs[f.Path] = f.Data
		case isCA(f.Path):
			r.cas[f.Path] = f.Data
		case isBundle(f.Path):
			r.bundles[f.Path] = f.Data
		case strings.HasPrefix(f.Path, "certificates.") && strings.HasSuffix(f.Path, ".list"):
			r.lists[f.Path] = readList(string(f.Data))
		default:
			r.others[f.Path] = f.Data
		}
	}
	return r, ""
}

// mapOf is a map that was read; there is none in nil.
func (r *rendered) mapOf(path string) (entries, bool) {
	if r == nil {
		return nil, false
	}
	list, ok := r.maps[path]
	return list, ok
}

// readConfig says why it can't read the text, or "".
func (r *rendered) readConfig(text string) string {
	name, settings := "", []string(nil)
	var current *section
	spared := true
	r.spared = true
	end := func() string {
		all := strings.Join(settings, "\n")
		switch {
		case current == nil:
		case strings.HasPrefix(name, haproxy.ServicePrefix):
			current.settings = all
			r.sections[name] = current
		case len(r.spares) > 0 && (all != r.spare || len(current.servers) > 0):
			return "the spare sections of haproxy.cfg differ"
		default:
			r.spares, r.spare = append(r.spares, name), all
		}
		name, settings, current = "", nil, nil
		return ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		setting := strings.TrimSpace(line)
		if setting == "" || setting[0] == '#' {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			if why := end(); why != "" {
				return why
			}
			if rest, ok := strings.CutPrefix(line, "backend "); ok {
				first, more, _ := strings.Cut(rest, " ")
				if strings.HasPrefix(first, haproxy.ServicePrefix) || strings.HasPrefix(first, haproxy.SparePrefix) {
					name, settings, current = first, []string{more}, &section{servers: map[string]string{}}
					continue
				}
			}
		}
		switch rest, ok := strings.CutPrefix(setting, "server "); {
		case current != nil && ok:
			server, more, _ := strings.Cut(rest, " ")
			current.servers[server] = more
		case current != nil:
			settings = append(settings, setting)
		default:
			if rest, ok := strings.CutPrefix(setting, "default-server "); ok {
				r.defaults = rest
			}
			switch {
			case setting == haproxy.SpareLine:
				spared = true
			case strings.HasPrefix(line, haproxy.FrontendPrefix):
				r.spared, spared = r.spared && spared, false
			}
			r.config = append(r.config, line)
		}
	}
	r.spared = r.spared && spared
	return end()
}

// readMap returns false when a key is there twice.
func readMap(file, text string) (entries, bool) {
	list := make(entries, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		if unsided, ok := haproxy.WithoutSide(file, key, haproxy.FirstSide); ok {
			key = unsided
		}
		if _, ok := list[key]; ok {
			return nil, false
		}
		list[key] = value
	}
	return list, true
}

// obstacle says what of a change needs a reload whatever the worker says; the zero Update when nothing does.
func obstacle(old, next *rendered) apply.Update {
	if i := firstDifference(old.config, next.config); i >= 0 {
		line := "its end"
		if i < len(next.config) {
			line = fmt.Sprintf("%.100q", strings.TrimSpace(next.config[i]))
		}
		return apply.Update{Reason: "haproxy.cfg has changed at " + line, Cause: "configuration"}
	}
	if old.spare != next.spare || !slices.Equal(old.spares, next.spares) {
		return apply.Update{Reason: "haproxy.cfg has other spare sections", Cause: "configuration"}
	}
	for name, s := range next.sections {
		if why := sectionObstacle(name, old.sections[name], s); why.Reason != "" {
			return why
		}
	}
	if path := differingPath(old.others, next.others); path != "" {
		return apply.Update{Reason: path + " has changed", Cause: causeOf(path)}
	}
	if !sameKeys(old.maps, next.maps) {
		return apply.Update{Reason: "other map files are used", Cause: "listeners"}
	}
	if !sameKeys(old.cas, next.cas) {
		return apply.Update{Reason: "clients of other ports are asked for certificates", Cause: "listeners"}
	}
	if !sameKeys(old.lists, next.lists) {
		return apply.Update{Reason: "other lists of certificates are used", Cause: "listeners"}
	}
	return apply.Update{}
}

// sectionObstacle is obstacle for one section; had is nil for a new one.
func sectionObstacle(name string, had, s *section) apply.Update {
	if had != nil && had.settings != s.settings {
		return apply.Update{Reason: fmt.Sprintf("section %s has other settings", name), Cause: "configuration"}
	}
	for server, line := range s.servers {
		var before string
		ok := false
		if had != nil {
			before, ok = had.servers[server]
		}
		switch {
		case ok && before != line:
			return apply.Update{Reason: fmt.Sprintf("server %s/%s has other settings", name, server), Cause: "configuration"}
		case !ok && strings.Contains(line, "unix@"):
			// One that is added takes calls only once a check has found it, and until then they pass it by.
			return apply.Update{Reason: fmt.Sprintf("section %s needs the bridge", name), Cause: "configuration"}
		case !ok && strings.Contains(line, " init-addr "):
			return apply.Update{Reason: fmt.Sprintf("server %s/%s has a name to resolve", name, server), Cause: "names"}
		}
	}
	return apply.Update{}
}

// causes are the kinds of changes of files that need a reload.
var causes = []struct{ prefix, cause string }{{"regexes.", "regexes"}, {"listeners.", "listeners"}}

func causeOf(path string) string {
	for _, c := range causes {
		if strings.HasPrefix(path, c.prefix) {
			return c.cause
		}
	}
	return "files"
}

// firstDifference is -1 for lists that are the same.
func firstDifference(a, b []string) int {
	if slices.Equal(a, b) {
		return -1
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

// differingPath is a file that only one has or that differs; "" when there is none.
func differingPath(a, b map[string][]byte) string {
	for _, path := range slices.Sorted(maps.Keys(b)) {
		if had, ok := a[path]; !ok || !bytes.Equal(had, b[path]) {
			return path
		}
	}
	for path := range a {
		if _, ok := b[path]; !ok {
			return path
		}
	}
	return ""
}

func sameKeys[T any](a, b map[string]T) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			return false
		}
	}
	return true
}
