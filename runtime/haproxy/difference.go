package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/runtime/apply"
)

// entries are a map file's values by key, without the keys' side.
type entries map[string]string

// rendered is what of a configuration can change while HAProxy runs, and the rest.
type rendered struct {
	// config is haproxy.cfg without its generation and its servers.
	config []string
	// servers are the servers of each backend section: what stands behind the name, by name.
	servers map[string]map[string]string
	// defaults are the settings of all servers, which one that is added doesn't get by itself.
	defaults string
	maps     map[string]entries
	pairs    map[string][]byte
	others   map[string][]byte
}

// read takes rendered files apart. The text says why they can't be told apart.
func read(files []generators.File) (*rendered, string) {
	r := &rendered{servers: map[string]map[string]string{}, maps: map[string]entries{}, pairs: map[string][]byte{}, others: map[string][]byte{}}
	for _, f := range files {
		switch {
		case f.Path == "haproxy.cfg":
			r.readConfig(string(f.Data))
		case f.Path == haproxy.LiveMap:
		case haproxy.Sided(f.Path):
			list, ok := readMap(string(f.Data))
			if !ok {
				return nil, f.Path + " has a key twice"
			}
			r.maps[f.Path] = list
		case strings.HasPrefix(f.Path, "certificates/"):
			r.pairs[f.Path] = f.Data
		default:
			r.others[f.Path] = f.Data
		}
	}
	return r, ""
}

func (r *rendered) readConfig(text string) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		setting := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "# Generation "):
			continue
		case strings.HasPrefix(line, "backend "):
			section = strings.Fields(line)[1]
			r.servers[section] = map[string]string{}
		case line != "" && line[0] != ' ' && line[0] != '#':
			section = ""
		case strings.HasPrefix(setting, "default-server "):
			r.defaults = strings.TrimPrefix(setting, "default-server ")
		case section != "" && strings.HasPrefix(setting, "server "):
			if words := strings.SplitN(setting, " ", 3); len(words) == 3 {
				r.servers[section][words[1]] = words[2]
				continue
			}
		}
		r.config = append(r.config, line)
	}
}

// readMap returns false when a key is there twice.
func readMap(text string) (entries, bool) {
	list := entries{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		key = strings.TrimSuffix(key, "|"+haproxy.FirstSide)
		if _, ok := list[key]; ok {
			return nil, false
		}
		list[key] = value
	}
	return list, true
}

// obstacle says what of a change needs a reload; the zero Update when nothing does.
func obstacle(old, next *rendered) apply.Update {
	if i := firstDifference(old.config, next.config); i >= 0 {
		line := "its end"
		if i < len(next.config) {
			line = fmt.Sprintf("%.100q", strings.TrimSpace(next.config[i]))
		}
		return apply.Update{Reason: "haproxy.cfg has changed at " + line, Cause: "configuration"}
	}
	for section, servers := range next.servers {
		before := old.servers[section]
		for name, line := range servers {
			had, ok := before[name]
			switch {
			case ok && had != line:
				return apply.Update{Reason: fmt.Sprintf("server %s/%s has other settings", section, name), Cause: "configuration"}
			case !ok && strings.Contains(line, " init-addr "):
				return apply.Update{Reason: fmt.Sprintf("server %s/%s has a name to resolve", section, name), Cause: "names"}
			}
		}
	}
	if path := differingPath(old.others, next.others); path != "" {
		return apply.Update{Reason: path + " has changed", Cause: causeOf(path)}
	}
	if !sameKeys(old.pairs, next.pairs) {
		return apply.Update{Reason: "other certificates are used", Cause: "certificates"}
	}
	if !sameKeys(old.maps, next.maps) {
		return apply.Update{Reason: "other map files are used", Cause: "hosts"}
	}
	return apply.Update{}
}

// causes are the kinds of changes of files that need a reload.
var causes = []struct{ prefix, cause string }{{"regexes.", "regexes"}, {"certificates.", "certificates"}}

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
	for path, data := range b {
		if had, ok := a[path]; !ok || !bytes.Equal(had, data) {
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
