package translate

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Addresses say what Gateways bind and what their status tells. In the zero value a Gateway binds its
// spec.addresses, or all addresses of the host where it has none.
type Addresses struct {
	// Pool are addresses of the host, of which every Gateway gets one of its own to bind: those that it names in
	// spec.addresses, else the one that its status has, else the first that is free.
	Pool []netip.Prefix
	// Published is what clients are told while all addresses of the host are bound; nil for nothing.
	Published *Published
	// Local are the host's own addresses where they are known, for endpoints that are listeners of Gateways which bind
	// all of them; loopback addresses needn't be named.
	Local []netip.Addr
}

// Published are addresses at which something else takes the traffic for this host.
type Published struct {
	// From says where they come from, in a sentence's words: "Service ns/name".
	From string
	// Addresses are IP addresses and hostnames; none says that they aren't known yet.
	Addresses []gatewayv1.GatewayStatusAddress
}

// assignAddresses gives every Gateway its addresses, the oldest first.
func (g *graph) assignAddresses() {
	o := g.options.Addresses
	switch {
	case o.Published != nil:
		for _, gw := range g.gateways {
			gw.publish(o.Published)
		}
	case len(o.Pool) > 0:
		g.usePool(pool(o.Pool))
	default:
		for _, gw := range g.gateways {
			gw.eachAddress(func(field, value string, ip netip.Addr) {
				if value == "" {
					gw.unprogram(gatewayv1.GatewayReasonAddressNotAssigned,
						field+": no addresses are assigned here; give a value, or no addresses to bind all of the host")
					return
				}
				gw.bind(ip)
			})
		}
	}
	for _, gw := range g.gateways {
		wanted := len(gw.object.Spec.Addresses) > 0 || len(o.Pool) > 0 && o.Published == nil
		gw.unserved = wanted && len(gw.addresses)+len(gw.published) == 0
	}
}

// eachAddress calls f for every IP address that the Gateway asks for, the empty value for any. A type that isn't
// supported refuses the Gateway, as the API has it; a value that can't be used costs only itself.
func (gw *gateway) eachAddress(f func(field, value string, ip netip.Addr)) {
	for i, a := range gw.object.Spec.Addresses {
		field := fmt.Sprintf("spec.addresses[%d]", i)
		if t := deref(a.Type, gatewayv1.IPAddressType); t != gatewayv1.IPAddressType {
			gw.refuse(gatewayv1.GatewayReasonUnsupportedAddress,
				fmt.Sprintf("%s: type %s isn't supported; use type IPAddress, or no addresses", field, t))
			continue
		}
		if gw.refusesRoutability(field, a) {
			continue
		}
		ip, err := netip.ParseAddr(a.Value)
		if a.Value != "" && (err != nil || ip.Zone() != "") {
			gw.unprogram(gatewayv1.GatewayReasonAddressNotUsable,
				fmt.Sprintf("%s: %q is not an IP address; write one such as 192.0.2.1 or 2001:db8::1", field, a.Value))
			continue
		}
		f(field, a.Value, ip.Unmap())
	}
}

// refusesRoutability says that an address is asked for with a scope. None can be promised here, and the API wants no other
// address in its place.
func (gw *gateway) refusesRoutability(field string, a gatewayv1.GatewaySpecAddress) bool {
	if a.Routability == gatewayv1.GatewayAddressRoutabilityDefault {
		return false
	}
	gw.unprogram(gatewayv1.GatewayReasonAddressNotAssigned,
		fmt.Sprintf("%s.routability: %s isn't supported; remove it to get an address whatever its scope", field, a.Routability))
	return true
}

func (gw *gateway) bind(ip netip.Addr) {
	if text := ip.String(); !slices.Contains(gw.addresses, text) {
		gw.addresses = append(gw.addresses, text)
	}
}

// publish tells of addresses that lead to all of the host.
func (gw *gateway) publish(p *Published) {
	if len(p.Addresses) == 0 {
		gw.unprogram(gatewayv1.GatewayReasonAddressNotAssigned, p.From+" has no address yet")
	}
	if len(gw.object.Spec.Addresses) == 0 {
		gw.published = p.Addresses
		return
	}
	for i, a := range gw.object.Spec.Addresses {
		t := deref(a.Type, gatewayv1.IPAddressType)
		if t != gatewayv1.IPAddressType && t != gatewayv1.HostnameAddressType {
			gw.refuse(gatewayv1.GatewayReasonUnsupportedAddress,
				fmt.Sprintf("spec.addresses[%d]: type %s isn't supported; use IPAddress or Hostname, or no addresses", i, t))
			continue
		}
		if gw.refusesRoutability(fmt.Sprintf("spec.addresses[%d]", i), a) {
			continue
		}
		found := false
		for _, have := range p.Addresses {
			if deref(have.Type, gatewayv1.IPAddressType) == t && (a.Value == "" || sameValue(have.Value, a.Value)) &&
				!slices.Contains(gw.published, have) {
				gw.published = append(gw.published, have)
				found = true
				break
			}
		}
		if !found && len(p.Addresses) > 0 {
			gw.unprogram(gatewayv1.GatewayReasonAddressNotUsable,
				fmt.Sprintf("spec.addresses[%d]: %q is no address of %s, which this Gateway is reached by", i, a.Value, p.From))
		}
	}
}

// sameValue compares addresses as written differently.
func sameValue(a, b string) bool {
	x, err := netip.ParseAddr(a)
	y, other := netip.ParseAddr(b)
	if err == nil && other == nil {
		return x == y
	}
	return strings.EqualFold(a, b)
}

// usePool gives every Gateway addresses of its own: first those that are named, so that nobody else gets them, then
// those that Gateways have by their status, or were given when it isn't written yet, then free ones.
func (g *graph) usePool(p pool) {
	owners := map[netip.Addr]*gateway{}
	missing := map[*gateway]int{}
	for _, gw := range g.gateways {
		if gw.refused != nil {
			continue
		}
		if len(gw.object.Spec.Addresses) == 0 {
			missing[gw] = 1
		}
		gw.eachAddress(func(field, value string, ip netip.Addr) {
			owner := owners[ip]
			switch {
			case value == "":
				missing[gw]++
			case !p.contains(ip):
				gw.unprogram(gatewayv1.GatewayReasonAddressNotUsable,
					fmt.Sprintf("%s: %s is none of the addresses that Gateways can have here: %s", field, value, p))
			case owner != nil && owner != gw:
				gw.unprogram(gatewayv1.GatewayReasonAddressNotUsable,
					fmt.Sprintf("%s: %s is the older Gateway %s's; name another one, or none to get a free one", field, value, owner.name))
			default:
				owners[ip] = gw
				gw.bind(ip)
			}
		})
	}
	take := func(gw *gateway, ip netip.Addr) {
		owners[ip] = gw
		gw.bind(ip)
		missing[gw]--
	}
	for _, gw := range g.gateways {
		for _, a := range gw.object.Status.Addresses {
			ip, err := netip.ParseAddr(a.Value)
			if err == nil && missing[gw] > 0 && p.contains(ip) && owners[ip] == nil {
				take(gw, ip)
			}
		}
	}
	for _, gw := range g.gateways {
		for _, ip := range g.before.addressesOf(gw) {
			if missing[gw] > 0 && p.contains(ip) && owners[ip] == nil {
				take(gw, ip)
			}
		}
	}
	waiting := slices.DeleteFunc(slices.Clone(g.gateways), func(gw *gateway) bool { return missing[gw] == 0 })
	for ip := range p.all() {
		if len(waiting) == 0 {
			break
		}
		if owners[ip] != nil {
			continue
		}
		if take(waiting[0], ip); missing[waiting[0]] == 0 {
			waiting = waiting[1:]
		}
	}
	for _, gw := range waiting {
		gw.unprogram(gatewayv1.GatewayReasonAddressNotAssigned, fmt.Sprintf("none of the addresses that Gateways can have here is free: %s", p))
	}
}

// pool is an ordered set of addresses.
type pool []netip.Prefix

func (p pool) String() string {
	texts := make([]string, len(p))
	for i, prefix := range p {
		if texts[i] = prefix.String(); prefix.IsSingleIP() {
			texts[i] = prefix.Addr().String()
		}
	}
	return strings.Join(texts, ", ")
}

func (p pool) contains(ip netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return has(prefix, ip) })
}

// has leaves out the first and the last address of an IPv4 network, which hosts don't have.
func has(prefix netip.Prefix, ip netip.Addr) bool {
	if !prefix.Contains(ip) {
		return false
	}
	if !ip.Is4() || prefix.Bits() > 30 {
		return true
	}
	return ip != prefix.Masked().Addr() && prefix.Contains(ip.Next())
}

// all are the addresses in order; whoever wants them all has a small pool.
func (p pool) all() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, prefix := range p {
			for ip := prefix.Masked().Addr(); prefix.Contains(ip); ip = ip.Next() {
				if has(prefix, ip) && !yield(ip) {
					return
				}
			}
		}
	}
}

func ipAddress(value string) gatewayv1.GatewayStatusAddress {
	ip := gatewayv1.IPAddressType
	return gatewayv1.GatewayStatusAddress{Type: &ip, Value: value}
}

// bindsLike says whether two Gateways bind an address in common.
func (gw *gateway) bindsLike(other *gateway) bool {
	if gw.bindsAll() || other.bindsAll() {
		return true
	}
	for _, a := range gw.addresses {
		if slices.Contains(other.addresses, a) {
			return true
		}
	}
	return false
}

func (gw *gateway) bindsAll() bool {
	return len(gw.addresses) == 0 || slices.Contains(gw.addresses, "0.0.0.0") || slices.Contains(gw.addresses, "::")
}
