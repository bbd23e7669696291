package controller

import (
	"net"
	"net/netip"
)

// HostAddresses are the addresses of this host now, for translate.Addresses.Local; none where they can't be told.
func HostAddresses() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil // An endpoint that is a listener here costs its calls one round then.
	}
	var out []netip.Addr
	for _, a := range list {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return out
}
