package haproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// hosts are the lookups that find the class of a host: a name in one file, then wildcards by their number of
// labels in another, the longest first, then the class of all others. Values are "LISTENER;SCOPE", with the scope of
// GRPCRoutes, or "LISTENER;SCOPE;SCOPE" with that of HTTPRoutes behind it. A configuration that is changed while it
// runs has all of these lookups, for names to come.
type hosts struct {
	names, wildcards string
	sides            sides
	// depths are the numbers of labels behind "*.", the largest first.
	depths   []int
	hasNames bool
	// other is the value for all other hosts, or "". It stands in the file of names when that can change.
	other string
}

// otherHosts is the key of the value for all other hosts: no host is called so.
const otherHosts = "*"

// noScope is the scope of a class without rules: nothing is found under it.
const noScope = "-"

// maxID is the most bytes of a port's id: it is part of files' names, for which file systems have 255.
const maxID = 200

// portID names a port of a Gateway, "namespace/name". Namespaces have no dots, so no two Gateways share one.
func portID(gateway string, port int32) string {
	id := strings.ReplaceAll(gateway, "/", ".") + "." + strconv.Itoa(int(port))
	if len(id) <= maxID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return id[:maxID-21] + "_" + hex.EncodeToString(sum[:10])
}

// takesWeb is behind the scopes of a class whose GRPCRoutes take calls of gRPC-Web.
const takesWeb = "web"

// hosts writes the files of a port's classes.
func (f *frontends) hosts(p *matching.Port, id string) *hosts {
	h := &hosts{names: f.folder + "hosts." + id + ".map", wildcards: f.folder + "wildcards." + id + ".map", sides: f.routes.sides}
	var names, wildcards mapFile
	for _, c := range p.Classes {
		scope := noScope
		if c.GRPC >= 0 {
			scope = f.routes.scopes[c.GRPC]
		}
		value := p.Listeners[c.Listener].Name + ";" + scope
		if c.HTTP >= 0 {
			if value += ";" + f.routes.scopes[c.HTTP]; f.tables.TakesWeb(&c) {
				value += ";" + takesWeb
			}
		}
		suffix, wildcard := strings.CutPrefix(c.Hostname, "*.")
		switch {
		case c.Hostname == "":
			h.other = value
			if f.routes.live() {
				names.add(otherHosts+h.sides.suffix, value)
			}
		case wildcard:
			wildcards.add(suffix+h.sides.suffix, value)
			if depth := strings.Count(suffix, ".") + 1; !slices.Contains(h.depths, depth) {
				h.depths = append(h.depths, depth)
			}
		default:
			h.hasNames = true
			names.add(c.Hostname+h.sides.suffix, value)
		}
	}
	if f.routes.live() {
		h.hasNames = true
		for n := 1; n <= liveDepth; n++ {
			if !slices.Contains(h.depths, n) {
				h.depths = append(h.depths, n)
			}
		}
	}
	slices.SortFunc(h.depths, func(a, b int) int { return cmp.Compare(b, a) })
	if h.hasNames {
		f.files = append(f.files, names.file("hosts."+id+".map"))
	}
	if len(h.depths) > 0 {
		f.files = append(f.files, wildcards.file("wildcards."+id+".map"))
	}
	return h
}

// lines set a variable to the value of the class of a host, which an expression yields.
func (h *hosts) lines(rules, variable, host, found string) []string {
	level, _, _ := strings.Cut(variable, ".")
	side := h.sides.of(level + ".side")
	var lines []string
	unless := ""
	add := func(expression, condition string) {
		text := fmt.Sprintf("%s set-var(%s) %s", rules, variable, expression)
		if condition = strings.TrimSpace(unless + " " + condition); condition != "" {
			text += " if " + condition
		}
		lines = append(lines, text)
		unless = "!" + found
	}
	if h.hasNames {
		add("'"+host+side+",map_str("+h.names+")'", "")
	}
	for _, n := range h.depths {
		add(fmt.Sprintf("'%s,field(-1,.,%d)%s,map_str(%s)'", host, n, side, h.wildcards),
			fmt.Sprintf("{ '%s,field(-%d,.,0)' -m len gt 0 }", host, n+1))
	}
	switch {
	case h.other != "" && side != "":
		add("'str("+otherHosts+")"+side+",map_str("+h.names+")'", "")
	case h.other != "":
		add("'str("+h.other+")'", "")
	}
	if unless == "" {
		return nil
	}
	return append([]string{fmt.Sprintf("acl %s var(%s) -m found", found, variable)}, lines...)
}

// sideLines find the side whose keys are looked up.
func (h *hosts) sideLines(rules, variable string) []string {
	if h.sides == (sides{}) {
		return nil
	}
	return []string{fmt.Sprintf("%s set-var(%s) 'str(%s),map_str(%s)'", rules, variable, LiveSide, LiveMap)}
}

// requestHost is the host of a request as it is compared (R5).
const requestHost = "req.fhdr(host),host_only,rtrim(.),lower"

// requestLines find the first scope of a request, and refuse one that belongs to another listener than the
// TLS connection's server name (R7).
func (h *hosts) requestLines(p *matching.Port) []string {
	host, lines := requestHost, h.sideLines("http-request", "txn.side")
	if len(h.depths) > 0 {
		host, lines = "var(txn.host)", append(lines, "http-request set-var(txn.host) '"+requestHost+"'")
	}
	lines = append(lines, h.lines("http-request", "txn.class", host, "placed")...)
	if p.Protocol == model.HTTPS && len(p.Listeners) > 1 {
		lines = append(lines,
			"http-request set-var(txn.listener) 'var(txn.class),field(1,;)' if placed",
			"http-request return status 421 if placed !{ 'var(txn.listener),strcmp(sess.listener)' eq 0 }")
	}
	return append(lines, "http-request set-var(txn.scope0) 'var(txn.class),field(2,;)' if placed")
}

// sessionLines find the listener of a TLS connection by its server name.
func (h *hosts) sessionLines() []string {
	lines := h.sideLines("tcp-request session", "sess.side")
	lines = append(lines, h.lines("tcp-request session", "sess.class", serverName, "named")...)
	return append(lines, "tcp-request session set-var(sess.listener) 'var(sess.class),field(1,;)' if named")
}

// serverName is the server name of a TLS connection as it is compared.
const serverName = "ssl_fc_sni,rtrim(.),lower"

// ownedNames are the names and wildcards of a port's classes that a listener owns.
func ownedNames(p *matching.Port, listener int) []string {
	var names []string
	for _, c := range p.Classes {
		if c.Listener == listener && c.Hostname != "" {
			names = append(names, c.Hostname)
		}
	}
	return names
}

// ownerOf is the listener that owns the hosts of a pattern, or -1 when none covers them.
func ownerOf(p *matching.Port, pattern string) int {
	// Listeners are sorted, the most specific first.
	return slices.IndexFunc(p.Listeners, func(l matching.Listener) bool { return model.HostnameCovers(l.Hostname, pattern) })
}
