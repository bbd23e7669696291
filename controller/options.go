package controller

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/translate"
)

// Options are what a Controller works with.
type Options struct {
	// Config reaches the API server.
	Config *rest.Config
	Log    *slog.Logger
	// Changed is called, from any goroutine, when a new snapshot may differ from the last one. It must not wait.
	Changed func()

	// ControllerName makes a GatewayClass ours; "" is translate.DefaultController.
	ControllerName string
	// GatewayClass, unless "", is the only class whose Gateways are served.
	GatewayClass string
	// Gateways, unless empty, are the only Gateways that are served.
	Gateways []types.NamespacedName
	// Namespaces, unless empty, are the only ones whose objects are read.
	Namespaces []string
	// Backends is how the proxy finds endpoints.
	Backends translate.Backends
	// ClusterDomain is the end of the Services' DNS names; "" is "cluster.local".
	ClusterDomain string
	// CrossServing is whose a host is that routes of two kinds want; "" is translate.CrossServingExclusive.
	CrossServing translate.CrossServing
	// Pool are the addresses that Gateways bind; see translate.Addresses.
	Pool []netip.Prefix
	// PublishService is the Service whose addresses are told in status; PublishAddresses are those addresses
	// themselves. At most one of Pool and these is set.
	PublishService   *types.NamespacedName
	PublishAddresses []gatewayv1.GatewayStatusAddress

	// LeaseNamespace and LeaseName are where replicas agree on who writes statuses. Only those with the same
	// scope (classes, Gateways, namespaces) should share one.
	LeaseNamespace, LeaseName string
	// Identity is this replica's own name among them.
	Identity string
	// Alone says that there is no other replica, so that no lease is needed.
	Alone bool
	// Remember keeps what is to be known after the next start, and tries again when it can't; nil keeps nothing. It must not
	// wait. Remembered is what it was given last before this one, nil for nothing.
	Remember   func([]byte)
	Remembered []byte
	// DryRun sends statuses only for the API server to check, and no Events.
	DryRun bool
}

// ScopeName is a name for a lease that replicas with the same scope share, and no others: "gatewright", or with a
// hash of what limits the scope.
func (o *Options) ScopeName() string {
	if o.GatewayClass == "" && len(o.Gateways) == 0 && len(o.Namespaces) == 0 {
		return "gatewright"
	}
	var gateways []string
	for _, g := range o.Gateways {
		gateways = append(gateways, g.String())
	}
	slices.Sort(gateways)
	sum := fnv.New32a()
	fmt.Fprintf(sum, "%q %q %q", o.GatewayClass, gateways, slices.Sorted(slices.Values(o.Namespaces)))
	return fmt.Sprintf("gatewright-%08x", sum.Sum32())
}

// ParsePool reads addresses and networks of a pool: "192.0.2.10", "192.0.2.0/28". No two may overlap.
func ParsePool(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			var ip netip.Addr
			if ip, err = netip.ParseAddr(text); err == nil {
				prefix, err = ip.Unmap().Prefix(ip.Unmap().BitLen())
			}
		}
		if err != nil || prefix.Addr().Zone() != "" {
			return nil, fmt.Errorf("%q is neither an IP address nor a network such as 192.0.2.0/28", text)
		}
		for _, other := range out {
			if other.Overlaps(prefix) {
				return nil, fmt.Errorf("%q overlaps %q: name each address once", text, other)
			}
		}
		out = append(out, prefix)
	}
	return out, nil
}

// ParseAddresses reads IP addresses and hostnames that clients are told.
func ParseAddresses(texts []string) ([]gatewayv1.GatewayStatusAddress, error) {
	var out []gatewayv1.GatewayStatusAddress
	for _, text := range texts {
		a, err := parseAddress(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
