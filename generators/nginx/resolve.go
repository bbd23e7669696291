package nginx

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// EndpointsService is the service in the SRV questions: nginx asks for "_grpc._tcp." and an EndpointsName.
const EndpointsService = "grpc"

// ResolverTimeout is how long nginx waits for an answer. Whoever answers must not keep it waiting so long.
const ResolverTimeout = 30 * time.Second

// EndpointsName is the name that nginx asks a resolver for to learn a cluster's endpoints. It depends on the
// cluster's name alone, no two clusters have the same, and every label of it is a valid one: the hash tells
// clusters apart, the rest is for people who read nginx's error log.
func EndpointsName(c *model.Cluster) string {
	return strings.Join([]string{"c" + hashOf(c.Name), label(c.Service), label(c.Namespace), "gatewright"}, ".")
}

// hashOf tells names apart, in 20 hexadecimal digits.
func hashOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:10])
}

// label makes a valid DNS label of a text.
func label(text string) string {
	const most = 40
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < most; i++ {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b.WriteByte(c)
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c - 'A' + 'a')
		default:
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "x"
}

// Resolved says whether a cluster's endpoints can come from a resolver: they are IP addresses, not names.
func Resolved(c *model.Cluster) bool {
	for _, e := range c.Endpoints {
		if ip, err := netip.ParseAddr(e.Address); err != nil || ip.Zone() != "" {
			return false
		}
	}
	return true
}

// resolves says whether endpoints are left to a resolver.
func (g *Generator) resolves(c model.Capabilities) bool {
	return g.options.Resolver != "" && c.Has(model.FeatureResolve)
}

// resolver is the token of the resolver's address; "" when no upstream needs it.
func (g *Generator) resolver(upstreams []Upstream) (string, error) {
	if !slices.ContainsFunc(upstreams, func(u Upstream) bool { return u.Resolve != "" }) {
		return "", nil
	}
	a, err := netip.ParseAddrPort(g.options.Resolver)
	if err != nil || a.Addr().Zone() != "" {
		return "", fmt.Errorf("the resolver %q: want an IP address and a port", g.options.Resolver)
	}
	return a.String(), nil
}

// zoneSize is how large the memory must be that the workers share: 8 KiB for each upstream and endpoint, where
// nginx takes 2 to 4, for all stand there twice. It grows in large steps, for another size is another configuration; what isn't used of
// it costs nothing.
func zoneSize(clusters []model.Cluster) string {
	items := 0
	for i := range clusters {
		items += 1 + len(clusters[i].Endpoints)
	}
	megabytes := 64
	for megabytes*1024/8 < items {
		megabytes *= 4
	}
	return strconv.Itoa(megabytes) + "m"
}
