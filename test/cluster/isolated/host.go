package isolated

import (
	"errors"
	"fmt"
	"os"
)

// Host is another network namespace, as of another host, with a cable to this one.
type Host struct {
	// Address is its own, and Here this one's on the cable.
	Address, Here string

	name, cable string
}

// NewHost makes a host with addresses in 10.99.N.0/24; no other one has the same n. All that isn't its own it reaches here.
// The caller removes it.
func NewHost(n int) (*Host, error) {
	if os.Getenv(inside) == "" {
		return nil, errors.New("a host hangs on a namespace that Run made")
	}
	h := &Host{
		Here: fmt.Sprintf("10.99.%d.1", n), Address: fmt.Sprintf("10.99.%d.2", n),
		name: fmt.Sprintf("gatewright-%d-%d", os.Getpid(), n), cable: fmt.Sprintf("host-%d", n),
	}
	for _, args := range [][]string{
		{"netns", "add", h.name},
		{"link", "add", h.cable, "type", "veth", "peer", "name", "eth0", "netns", h.name},
		{"addr", "add", h.Here + "/24", "dev", h.cable},
		{"link", "set", h.cable, "up"},
		{"-n", h.name, "addr", "add", h.Address + "/24", "dev", "eth0"},
		{"-n", h.name, "link", "set", "lo", "up"},
		{"-n", h.name, "link", "set", "eth0", "up"},
		{"-n", h.name, "route", "add", "default", "via", h.Here},
	} {
		if err := command("ip", args...); err != nil {
			return nil, errors.Join(err, h.Remove())
		}
	}
	return h, nil
}

// Command is a program and its arguments that run another one on the host.
func (h *Host) Command(program string, args ...string) []string {
	return append([]string{"ip", "netns", "exec", h.name, program}, args...)
}

// Remove takes the host away. What runs there has to have ended.
func (h *Host) Remove() error { return command("ip", "netns", "delete", h.name) }
