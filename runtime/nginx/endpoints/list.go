package endpoints

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

// targetSuffix ends the names of targets.
const targetSuffix = ".targets.gatewright."

// targetAddresses is the most addresses of one target: those that an answer over TCP has room for.
const targetAddresses = 2000

// placeholder is the answer for a cluster without endpoints: nothing listens there, so calls fail at once. An
// empty answer would be taken for a failure of DNS, and nginx would not ask again for 10 s.
var placeholder = netip.MustParseAddrPort("127.0.0.1:1")

// list is what the name of a cluster answers.
type list struct {
	records []record
	// signature tells lists with different endpoints apart.
	signature string
}

// record is an SRV record.
type record struct {
	port   uint16
	target *target
}

// target is a set of addresses.
type target struct {
	// name is fully qualified.
	name string
	// addresses are sorted and of one family or both.
	addresses []netip.Addr
}

// question is the name that nginx asks SRV records of a cluster for, fully qualified.
func question(c *model.Cluster) string {
	return "_" + nginx.EndpointsService + "._tcp." + nginx.EndpointsName(c) + "."
}

// lists are what all clusters answer, by the name that is asked for. Clusters whose endpoints aren't IP addresses
// have none: nginx has these in its files.
func lists(m model.Gateways) map[string]*list {
	all := make(map[string]*list, len(m.Clusters))
	for i := range m.Clusters {
		if c := &m.Clusters[i]; nginx.Resolved(c) {
			all[question(c)] = newList(c.Endpoints)
		}
	}
	return all
}

// newList makes a list of endpoints. What isn't an address and port is left out.
func newList(endpoints []model.Endpoint) *list {
	byPort := map[uint16][]netip.Addr{}
	for _, e := range endpoints {
		ip, err := netip.ParseAddr(e.Address)
		if err == nil && ip.Zone() == "" && e.Port > 0 && e.Port < 1<<16 {
			byPort[uint16(e.Port)] = append(byPort[uint16(e.Port)], ip.Unmap())
		}
	}
	if len(byPort) == 0 {
		byPort[placeholder.Port()] = []netip.Addr{placeholder.Addr()}
	}
	l := &list{}
	for port, addresses := range byPort {
		slices.SortFunc(addresses, netip.Addr.Compare)
		for part := range slices.Chunk(slices.Compact(addresses), targetAddresses) {
			l.records = append(l.records, record{port, newTarget(part)})
		}
	}
	slices.SortFunc(l.records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.target.name, b.target.name))
	})
	var text strings.Builder
	for _, r := range l.records {
		text.WriteString(strconv.Itoa(int(r.port)) + " " + r.target.name + " ")
	}
	l.signature = text.String()
	return l
}

func newTarget(addresses []netip.Addr) *target {
	h := sha256.New()
	for _, a := range addresses {
		h.Write(a.AsSlice())
		h.Write([]byte{byte(a.BitLen())})
	}
	return &target{name: "t" + hex.EncodeToString(h.Sum(nil)[:16]) + targetSuffix, addresses: addresses}
}
