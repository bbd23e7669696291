package haproxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/matching"
)

// ServerNames is a frontend section that reads a TLS connection's server name and hands the connection to its
// listener, which has a bind of its own in the port's Frontend.
type ServerNames struct {
	Name, Comment string
	// Binds are what stands behind "bind".
	Binds []string
	// Map is the file with the server names, Other the listener of all that it doesn't have, or "".
	Map, Other string
	Listeners  []ListenerSocket
}

// ListenerSocket is a backend section: the way to a listener's bind.
type ListenerSocket struct {
	Name, Address string
}

// byServerName says whether a port needs ServerNames. A crt-list has one default for all names that it doesn't
// hold, which are those with more labels than a wildcard of HAProxy's covers: that serves listeners with the
// same certificates only.
func byServerName(p *matching.Port) bool {
	defaults := defaultListeners(p)
	return slices.ContainsFunc(defaults, func(i int) bool {
		return !slices.Equal(p.Listeners[i].KeyPairs, p.Listeners[defaults[0]].KeyPairs)
	})
}

// serverNames gives every listener of a port a bind with its own crt-list, whose default is the listener's, and
// returns the section that goes before them.
func (f *frontends) serverNames(p *matching.Port, id string) (*ServerNames, []string) {
	gateway, port := p.Listeners[0].Gateway, strconv.Itoa(int(p.Port))
	s := &ServerNames{
		Name:    sectionName("names", gateway, port),
		Comment: Comment(fmt.Sprintf("Gateway %s port %d: the server name finds the listener.", gateway, p.Port)),
		Binds:   binds(p), Map: f.folder + "listeners." + id + ".map",
	}
	var names mapFile
	var sockets []string
	// The most specific listener stands first, and the first key that a server name ends in counts.
	for i := range p.Listeners {
		l := &p.Listeners[i]
		n := strconv.Itoa(i)
		socket := ListenerSocket{Name: sectionName("listener", gateway, port, n), Address: socketOf(p, i)}
		s.Listeners = append(s.Listeners, socket)
		if l.Hostname == "" {
			s.Other = socket.Name
		} else {
			names.comment("Listener " + l.Name)
			names.add(serverNameKey(l.Hostname), socket.Name)
		}

		var list mapFile
		f.standard(&list, id+"."+n, l.KeyPairs)
		f.certificates(&list, p, i)
		path := "certificates." + id + "." + n + ".list"
		f.files = append(f.files, list.file(path))
		sockets = append(sockets, socket.Address+" accept-proxy ssl crt-list "+f.folder+path+tlsOptions)
	}
	f.files = append(f.files, names.file("listeners."+id+".map"))
	return s, sockets
}

// serverNameKey is what a server name with "=" before it ends in when it is under a hostname.
func serverNameKey(hostname string) string {
	if suffix, wildcard := strings.CutPrefix(hostname, "*"); wildcard {
		return suffix
	}
	return "=" + hostname
}

// socketOf is the abstract socket of a listener. It is free whenever the port's addresses are, and the same
// after a reload.
func socketOf(p *matching.Port, listener int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", bindAddresses(p), p.Listeners[listener].Hostname)
	return "abns@gatewright-" + hex.EncodeToString(h.Sum(nil)[:12])
}
