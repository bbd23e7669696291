package apply

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
)

// binding is a fake proxy that tells where it listens.
type binding struct {
	fake
	has Sockets
}

func (b *binding) Sockets() (Sockets, error) { return b.has, nil }

// gatewayAt is a Gateway with one listener.
func gatewayAt(name string, port int, addresses ...string) model.Gateway {
	return model.Gateway{Namespace: "ns", Name: name, Addresses: addresses,
		Listeners: []model.Listener{{Name: "web", Port: int32(port), Protocol: model.HTTP}}}
}

func TestOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"0.0.0.0:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "0.0.0.0:80", true},
		{"0.0.0.0:80", "0.0.0.0:80", false},
		{"0.0.0.0:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"[::]:80", "127.0.0.1:80", false},
		{"[::]:80", "[::1]:80", true},
		{"[::]:80", "0.0.0.0:80", false},
	} {
		if got := overlap(netip.MustParseAddrPort(test.a), netip.MustParseAddrPort(test.b)); got != test.want {
			t.Errorf("%s and %s: %v", test.a, test.b, got)
		}
	}
}

func TestListenerPlaces(t *testing.T) {
	for addresses, want := range map[string]string{
		"":                           "[0.0.0.0:80 [::]:80]",
		"127.0.0.1":                  "[127.0.0.1:80]",
		"127.0.0.1 ::1":              "[127.0.0.1:80 [::1]:80]",
		"0.0.0.0 127.0.0.1":          "[0.0.0.0:80]",
		"127.0.0.1 0.0.0.0 ::1":      "[0.0.0.0:80 [::1]:80]",
		"127.0.0.1 :: ::1 127.0.0.2": "[127.0.0.1:80 [::]:80 127.0.0.2:80]",
	} {
		g := gatewayAt("gw", 80, strings.Fields(addresses)...)
		var got []string
		for _, p := range listenerPlaces(&g, &g.Listeners[0]) {
			got = append(got, p.String())
		}
		if text := "[" + strings.Join(got, " ") + "]"; text != want {
			t.Errorf("%q: %s, want %s", addresses, text, want)
		}
	}
}

// TestBusy: what a proxy that doesn't run yet, or that has other sockets, can't bind is left out and named.
func TestBusy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := netip.MustParseAddrPort(l.Addr().String())
	port := int(taken.Port())
	own := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), taken.Port())
	all := netip.AddrPortFrom(netip.IPv4Unspecified(), taken.Port())
	for what, test := range map[string]struct {
		sockets Sockets
		gateway model.Gateway
		reason  string
	}{
		"a taken port":                      {Sockets{}, gatewayAt("gw", port, "127.0.0.1"), PortUnavailable},
		"all of the host with a taken port": {Sockets{}, gatewayAt("gw", port), PortUnavailable},
		"another address":                   {Sockets{}, gatewayAt("gw", port, "127.0.0.3"), ""},
		"an address of nobody":              {Sockets{}, gatewayAt("gw", port, "203.0.113.9"), AddressNotUsable},
		"one good, one of nobody":           {Sockets{}, gatewayAt("gw", port, "127.0.0.3", "203.0.113.9"), AddressNotUsable},
		"the proxy's own port":              {Sockets{Bound: []netip.AddrPort{taken}}, gatewayAt("gw", port, "127.0.0.1"), ""},
		"from one address to all": {Sockets{Bound: []netip.AddrPort{taken}, Listening: []netip.AddrPort{taken}},
			gatewayAt("gw", port), ""},
		"from all to one": {Sockets{Bound: []netip.AddrPort{all}, Listening: []netip.AddrPort{all}},
			gatewayAt("gw", port, "127.0.0.1"), ""},
		"to all beside somebody else's socket": {Sockets{Bound: []netip.AddrPort{own}, Listening: []netip.AddrPort{own, taken}},
			gatewayAt("gw", port), PortUnavailable},
		"to all beside somebody's other port": {Sockets{Bound: []netip.AddrPort{taken},
			Listening: []netip.AddrPort{taken, netip.MustParseAddrPort("127.0.0.9:1")}}, gatewayAt("gw", port), ""},
	} {
		f := &binding{has: test.sockets}
		a := newApplier(t, f)
		a.Hooks.Sockets = f.Sockets
		a.findBusy(model.Gateways{Gateways: []model.Gateway{test.gateway, gatewayAt("good", port, "127.0.0.4")}})
		var got []string
		for p, c := range a.quarantine.busy {
			got = append(got, p.Name+" "+c.Reason)
		}
		var want []string
		if test.reason != "" {
			want = []string{"gw " + test.reason}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}

// TestMove: a proxy that can't bind beside its own socket gives that up in a reload of its own, and only that.
func TestMove(t *testing.T) {
	all, one := netip.MustParseAddrPort("0.0.0.0:18099"), netip.MustParseAddrPort("127.0.0.1:18099")
	other := netip.MustParseAddrPort("127.0.0.1:18098")
	for what, test := range map[string]struct {
		bound   []netip.AddrPort
		rebinds bool
		to      model.Gateway
		reloads int
	}{
		"to all":                  {[]netip.AddrPort{one, other}, false, gatewayAt("gw", 18099, "0.0.0.0"), 2},
		"to one":                  {[]netip.AddrPort{all, other}, false, gatewayAt("gw", 18099, "127.0.0.1"), 2},
		"to one, where both may":  {[]netip.AddrPort{all, other}, true, gatewayAt("gw", 18099, "127.0.0.1"), 1},
		"to one more":             {[]netip.AddrPort{all, other}, false, gatewayAt("gw", 18099, "127.0.0.1", "0.0.0.0"), 1},
		"to another port":         {[]netip.AddrPort{one, other}, false, gatewayAt("gw", 18097, "0.0.0.0"), 1},
		"to an address beside it": {[]netip.AddrPort{one, other}, false, gatewayAt("gw", 18099, "127.0.0.2"), 1},
	} {
		f := &binding{has: Sockets{Bound: test.bound, Rebinds: test.rebinds}}
		a := newApplier(t, f)
		a.Hooks.Sockets = f.Sockets
		m := model.Gateways{Gateways: []model.Gateway{gatewayAt("stays", 18098, "127.0.0.1"), test.to}}
		if out := a.Apply(context.Background(), Job{Model: m}); out.Err != nil || len(out.LeftOut) > 0 {
			t.Errorf("%s: %v, left out %v", what, out.Err, out.LeftOut)
		}
		if len(f.reloads) != test.reloads {
			t.Errorf("%s: %d reloads, want %d", what, len(f.reloads), test.reloads)
		}
	}
}
