package nginx

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// Server is a server{} block.
type Server struct {
	// Comment says which listeners it is.
	Comment string
	// Gateway is the token of the name of the Gateway that the listeners are of.
	Gateway string
	// Listen are the parameters of listen directives.
	Listen []string
	// HTTP2On says that the version has the directive http2.
	HTTP2On bool
	TLS     bool
	// Clients is what is asked of the certificates of clients, or nil.
	Clients *Clients
	// Reject says that handshakes are refused: no listener has the server name. Requests still come that ask for a host of
	// no listener, on connections for another name.
	Reject bool
	// Names are tokens for server_name.
	Names []string
	// Scope is the variable with the scope of $host, Misdirected the one that says that the host belongs to
	// another listener than the server name; "" where the port has one listener. Without dollars.
	Scope, Misdirected string
	// Certificates are paths without ".crt" and ".key", tokens.
	Certificates []Certificate
	// Settings is the file with its settings, without the folder.
	Settings string
}

// Certificate are the files of a key pair, as tokens.
type Certificate struct{ Certificate, Key string }

// servers makes the server{} blocks of all ports, and the maps of their hosts.
type servers struct {
	tables *matching.Tables
	blocks *blocks
	// scopes are the ids of the scopes.
	scopes []string
	// shared are the scopes of hosts that both kinds of routes have, known by those of each kind.
	shared  map[[2]int]string
	pairs   map[string]*model.KeyPair
	http2On bool
	folder  string
	list    []Server
	// suffixes are what the names of the ports' variables end in.
	suffixes []string
	longName int
	names    int
	// clientFiles are the certificates of the CAs that clients are asked for.
	clientFiles []generators.File
	// settings are those files that aren't for all.
	settings []settings
}

func (s *servers) render() error {
	used := map[string]bool{}
	for i := range s.tables.Ports {
		p := &s.tables.Ports[i]
		suffix := strconv.Itoa(int(p.Port))
		if used[suffix] {
			suffix += "_" + s.blocks.ids.Of(p.Listeners[0].Gateway)
		}
		used[suffix] = true
		s.suffixes = append(s.suffixes, suffix)
		first := len(s.list)
		if err := s.hosts(p, suffix); err != nil {
			return fmt.Errorf("port %d: %w", p.Port, err)
		}
		if p.Protocol != model.HTTPS {
			s.list = append(s.list, Server{
				Comment: comment(p.Listeners...), Listen: s.listen(p, true), HTTP2On: s.http2On, Scope: "gw_host_" + suffix,
			})
		} else if err := s.tls(p, suffix); err != nil {
			return fmt.Errorf("port %d: %w", p.Port, err)
		}
		gateway, err := Token(p.Listeners[0].Gateway)
		if err != nil {
			return fmt.Errorf("port %d: %w", p.Port, err)
		}
		file := s.settingsOf(p)
		for j := range s.list[first:] {
			s.list[first+j].Gateway, s.list[first+j].Settings = gateway, file
		}
	}
	return nil
}

// comment names listeners, a few of them.
func comment(ls ...matching.Listener) string {
	var names []string
	for _, l := range ls {
		names = append(names, fmt.Sprintf("%s %s (%s)", l.Gateway, l.Name, hostname(l.Hostname)))
	}
	return Comment("Gateway " + strings.Join(names, ", "))
}

// listen returns the listen parameters of a port, which every server{} of it repeats.
func (s *servers) listen(p *matching.Port, byDefault bool) []string {
	port := strconv.Itoa(int(p.Port))
	options := ""
	if p.Protocol == model.HTTPS {
		options += " ssl"
	}
	if !s.http2On && (p.Protocol == model.HTTPS || portKind(p) != model.HTTPRoute) {
		// In cleartext such a version speaks one protocol on a port.
		options += " http2"
	}
	if byDefault {
		options += " default_server so_keepalive=60s:10s:6"
	}
	if len(p.Addresses) == 0 {
		return []string{port + options, "[::]:" + port + options}
	}
	var all []string
	for _, a := range p.Addresses {
		all = append(all, net.JoinHostPort(a, port)+options)
	}
	return all
}

// hosts writes the maps from a host to its scope, and to its listener where the port has several (R5, R7).
func (s *servers) hosts(p *matching.Port, suffix string) error {
	scopes := s.blocks.add(Map{Comment: "Hosts of port " + suffix + ": the scope that decides first.", Source: "$host",
		Name: "gw_host_" + suffix, Hostnames: true})
	for i := range p.Classes {
		c := &p.Classes[i]
		value := s.scopeOf(c)
		if c.Hostname == "" {
			scopes.Default = value
			continue
		}
		key, err := s.blocks.key(c.Hostname)
		if err != nil {
			return err
		}
		l := p.Listeners[c.Listener]
		scopes.entry(key, value, "listener "+l.Gateway+" "+l.Name)
	}
	if p.Protocol != model.HTTPS || len(p.Listeners) < 2 {
		return nil
	}
	for _, m := range []Map{
		{Comment: "Which listener of port " + suffix + " a host belongs to,", Source: "$host", Name: "gw_listener_" + suffix, Hostnames: true},
		{Comment: "and which one the server name chose.", Source: "$ssl_server_name", Name: "gw_handshake_" + suffix, Hostnames: true},
	} {
		b := s.blocks.add(m)
		for _, l := range p.Listeners {
			name, err := s.blocks.value(l.Name)
			if err != nil {
				return err
			}
			if l.Hostname == "" {
				b.Default = name
				continue
			}
			key, err := s.blocks.key(l.Hostname)
			if err != nil {
				return err
			}
			b.entry(key, name, "")
		}
	}
	wrong := s.blocks.add(Map{
		Comment: "A host of another listener is sent away with 421; one of no listener has no rule.",
		Source:  `"$gw_listener_` + suffix + " $gw_handshake_" + suffix + `"`, Name: "gw_misdirected_" + suffix, Default: "1",
	})
	wrong.entry(`"~^ |^(.+) \\1\\z"`, `""`, "")
	return nil
}

// tls makes the servers of an HTTPS port: one for each listener, more where it has several certificates of one
// kind, and one that refuses all other server names.
func (s *servers) tls(p *matching.Port, suffix string) error {
	misdirected := ""
	if len(p.Listeners) > 1 {
		misdirected = "gw_misdirected_" + suffix
	}
	clients, err := s.clients(p, suffix)
	if err != nil {
		return err
	}
	catchAll := slices.ContainsFunc(p.Listeners, func(l matching.Listener) bool { return l.Hostname == "" })
	if !catchAll {
		s.list = append(s.list, Server{Comment: "No listener has the server name.", Listen: s.listen(p, true), HTTP2On: s.http2On, TLS: true,
			Clients: clients, Reject: true, Scope: "gw_host_" + suffix})
	}
	for i := range p.Listeners {
		l := &p.Listeners[i]
		chains, err := s.chains(p, i)
		if err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
		for _, c := range chains {
			server := Server{
				Comment: comment(*l), Listen: s.listen(p, l.Hostname == "" && c.first), HTTP2On: s.http2On, TLS: true,
				Clients: clients, Scope: "gw_host_" + suffix, Misdirected: misdirected,
			}
			for _, name := range c.names {
				token, err := Token(name)
				if err != nil {
					return err
				}
				server.Names = append(server.Names, token)
				s.longName = max(s.longName, len(name))
				s.names++
			}
			for _, pair := range c.pairs {
				certificate, err := Token(s.folder + certificatePath(pair))
				if err != nil {
					return err
				}
				key, err := Token(s.folder + keyPath(pair))
				if err != nil {
					return err
				}
				server.Certificates = append(server.Certificates, Certificate{certificate, key})
			}
			s.list = append(s.list, server)
		}
	}
	return nil
}

// dnsName is what may stand in server_name: a certificate may hold anything.
var dnsName = regexp.MustCompile(`^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)

// chain is the certificates for some server names of a listener.
type chain struct {
	// first is the one for all names that no other is for.
	first bool
	names []string
	pairs []string
}

// chains chooses the certificates of a listener's server names: the longest name of a certificate that covers
// it wins, one certificate for each kind of key (R30).
func (s *servers) chains(p *matching.Port, index int) ([]chain, error) {
	l := &p.Listeners[index]
	kinds := map[string]string{}
	for _, name := range l.KeyPairs {
		pair := s.pairs[name]
		if pair == nil {
			return nil, fmt.Errorf("key pair %q isn't in the model", name)
		}
		kinds[name] = keyKind(pair)
	}
	// byName holds for each name of a certificate the pairs that have it.
	byName := map[string][]string{}
	for _, pair := range l.KeyPairs {
		for _, h := range s.pairs[pair].Hostnames {
			h = strings.ToLower(h)
			if !dnsName.MatchString(h) {
				continue
			}
			byName[h] = append(byName[h], pair)
		}
	}
	var own []string
	if l.Hostname != "" {
		own = []string{l.Hostname}
	}
	main := chain{first: true, names: own}
	var wider []string
	for _, h := range byLength(byName) {
		if model.HostnameCovers(h, l.Hostname) {
			wider = append(wider, byName[h]...)
		}
	}
	main.pairs = onePerKind(append(wider, l.KeyPairs...), kinds)
	chains := []chain{main}
	for _, h := range byLength(byName) {
		if h == l.Hostname || !model.HostnameCovers(l.Hostname, h) || !s.owns(p, index, h) {
			continue
		}
		pairs := onePerKind(byName[h], kinds)
		at := slices.IndexFunc(chains, func(c chain) bool { return slices.Equal(c.pairs, pairs) })
		if at >= 0 {
			chains[at].names = append(chains[at].names, h)
		} else {
			chains = append(chains, chain{names: []string{h}, pairs: pairs})
		}
	}
	if len(chains) == 1 {
		// No name has other certificates.
		chains[0].names = own
	}
	return chains, nil
}

// byLength returns the names, the longest first.
func byLength(names map[string][]string) []string {
	return slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
}

// owns says whether no other listener of the port is nearer to a name than this one.
func (s *servers) owns(p *matching.Port, index int, name string) bool {
	own := p.Listeners[index].Hostname
	for i, other := range p.Listeners {
		if i != index && model.HostnameCovers(other.Hostname, name) && (other.Hostname == own || model.HostnameCovers(own, other.Hostname)) {
			return false
		}
	}
	return true
}

// onePerKind keeps the first pair of each kind of key: nginx takes no more.
func onePerKind(pairs []string, kinds map[string]string) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range pairs {
		if !seen[kinds[p]] {
			seen[kinds[p]] = true
			out = append(out, p)
		}
	}
	return out
}

// keyKind is the kind of a certificate's public key; what can't be told is one kind.
func keyKind(p *model.KeyPair) string {
	block, _ := pem.Decode(p.Certificate)
	if block == nil {
		return ""
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	switch c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "rsa"
	case *ecdsa.PublicKey:
		return "ecdsa"
	case ed25519.PublicKey:
		return "ed25519"
	}
	return ""
}

func certificatePath(pair string) string { return "certs/" + pair + ".crt" }
func keyPath(pair string) string         { return "certs/" + pair + ".key" }
