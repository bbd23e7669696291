package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// tls sets a frontend's binds with their certificates, and the rules for its connections. It writes the port's
// crt-lists.
//
// HAProxy's wildcards cover one label only (R5 covers any number): names that routes have written are listed
// one by one, and for all others there is the default certificate. Which listener that belongs to is plain
// where the listeners with wildcards share their certificates. Where they don't, the server name chooses the
// listener before there is TLS.
func (f *frontends) tls(fe *Frontend, p *matching.Port, id string, h *hosts) {
	if byServerName(p) {
		fe.ServerNames, fe.Binds = f.serverNames(p, id)
		fe.Session = h.sessionLines()
		return
	}
	var list mapFile
	defaults := defaultListeners(p)
	strict := " strict-sni"
	if len(defaults) > 0 {
		strict = ""
		f.standard(&list, id, p.Listeners[defaults[0]].KeyPairs)
	} else if f.routes.live() {
		f.standard(&list, id, p.Listeners[0].KeyPairs)
	}
	for i := range p.Listeners {
		f.certificates(&list, p, i)
	}
	path := "certificates." + id + ".list"
	f.files = append(f.files, list.file(path))
	if len(p.Listeners) > 1 || strict == "" && h.other == "" {
		fe.Session = h.sessionLines()
	}
	if strict == "" && h.other == "" {
		// No listener is for other names: such a connection ends before it can ask for anything.
		fe.Session = append(fe.Session, "tcp-request session reject unless named")
	}
	for _, bind := range binds(p) {
		fe.Binds = append(fe.Binds, bind+" ssl crt-list "+f.folder+path+strict+tlsOptions)
	}
}

// tlsOptions are the end of every bind with TLS. A client's session is kept by HAProxy: nothing that a client holds
// opens an older one. Suites of TLS 1.3 and curves are OpenSSL's own, so that new ones come with it.
const tlsOptions = " alpn h2,http/1.1 ssl-min-ver TLSv1.2 ciphers " + generators.Ciphers + " no-tls-tickets"

// standard lists first what HAProxy takes for server names that nothing in the list covers. It never lets go of
// the file that stands there, so a list that changes while HAProxy runs begins with a copy, whose content can.
func (f *frontends) standard(list *mapFile, id string, keyPairs []string) {
	if f.routes.live() && len(keyPairs) > 0 {
		path := "defaults/" + id + ".pem"
		f.files = append(f.files, generators.File{Path: path, Data: pairData(f.keyPairs[keyPairs[0]]), Secret: true})
		list.add(f.folder+path, "!*")
		return
	}
	for _, k := range keyPairs {
		list.add(f.folder+pairPath(k), "!*")
	}
}

// pairData is a key pair in one file.
func pairData(p *model.KeyPair) []byte {
	return slices.Concat(bytes.TrimRight(p.Certificate, "\n"), []byte{'\n'}, p.Key)
}

// defaultListeners are those with names that a crt-list can't hold: wildcards, and all hosts. The one for all
// hosts stands first, else the widest.
func defaultListeners(p *matching.Port) []int {
	var list []int
	for i := len(p.Listeners) - 1; i >= 0; i-- {
		if h := p.Listeners[i].Hostname; h == "" || strings.HasPrefix(h, "*.") {
			list = append(list, i)
		}
	}
	return list
}

// certificates lists what a listener serves by name: the names that its certificates have themselves, if the
// listener owns them, then everything that it owns with all its certificates, of which HAProxy takes the
// first of a kind that the client can read (R30).
func (f *frontends) certificates(list *mapFile, p *matching.Port, listener int) {
	l := &p.Listeners[listener]
	if len(l.KeyPairs) > 1 {
		for _, k := range l.KeyPairs {
			var own []string
			for _, h := range f.keyPairs[k].Hostnames {
				h = strings.ToLower(h)
				if isHostname(h) && ownerOf(p, h) == listener && !slices.Contains(own, h) {
					own = append(own, h)
				}
			}
			list.names(f.folder+pairPath(k), own)
		}
	}
	names := ownedNames(p, listener)
	for _, k := range l.KeyPairs {
		list.names(f.folder+pairPath(k), names)
	}
}

// The most of one line of a crt-list: HAProxy takes 2,047 names and 64 kB.
const (
	lineNames = 1000
	lineBytes = 12000
)

// names adds as many lines of a crt-list as the names of a certificate take.
func (m *mapFile) names(path string, names []string) {
	start, size := 0, 0
	for i, name := range names {
		if i > start && (i-start == lineNames || size+len(name) > lineBytes) {
			m.add(path, strings.Join(names[start:i], " "))
			start, size = i, 0
		}
		size += len(name) + 1
	}
	if len(names) > 0 {
		m.add(path, strings.Join(names[start:], " "))
	}
}

// isHostname says whether a certificate's name is one that a crt-list takes: certificates may name anything.
func isHostname(name string) bool {
	rest := strings.TrimPrefix(name, "*.")
	return rest != "" && strings.IndexFunc(rest, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	}) < 0
}

// pairPath is where a key pair is, key and certificate in one file.
func pairPath(name string) string { return fmt.Sprintf("certificates/%s.pem", name) }
