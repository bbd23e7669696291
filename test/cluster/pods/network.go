package pods

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
)

const bridgeName = "pods"

// network is a bridge that the Pods' namespaces hang on.
type network struct {
	prefix netip.Prefix

	mu   sync.Mutex
	used map[netip.Addr]bool
}

func newNetwork(prefix netip.Prefix) (*network, error) {
	n := &network{prefix: prefix.Masked(), used: map[netip.Addr]bool{}}
	return n, errors.Join(
		ip("link", "add", bridgeName, "type", "bridge"),
		ip("addr", "add", n.withLength(n.node()), "dev", bridgeName),
		ip("link", "set", bridgeName, "up"),
	)
}

func (n *network) remove() error { return ip("link", "delete", bridgeName) }

// node is the address of the node itself.
func (n *network) node() netip.Addr { return n.prefix.Addr().Next() }

func (n *network) withLength(a netip.Addr) string {
	return netip.PrefixFrom(a, n.prefix.Bits()).String()
}

// take returns an address that no Pod has.
func (n *network) take() (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	// The last address of the prefix is its broadcast.
	for a := n.node().Next(); n.prefix.Contains(a.Next()); a = a.Next() {
		if !n.used[a] {
			n.used[a] = true
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no address left", n.prefix)
}

func (n *network) release(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.used, a)
}

// connect puts one end of a cable into the network namespace of a process, as eth0, and the other on the
// bridge. The cable goes when the namespace does.
func (n *network) connect(pid int, a netip.Addr) error {
	b := a.As4()
	return ip("link", "add", fmt.Sprintf("pod-%d-%d", b[2], b[3]), "master", bridgeName, "up",
		"type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(pid))
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
