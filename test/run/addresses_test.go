package run

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// atAddresses is a Gateway with one listener, and what its route sends to.
func atAddresses(name string, port int, addresses ...string) string {
	text := fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: %s}\nspec:\n  gatewayClassName: test\n",
		name)
	if len(addresses) > 0 {
		text += "  addresses: [{value: " + strings.Join(addresses, "}, {value: ") + "}]\n"
	}
	return text + fmt.Sprintf("  listeners:\n  - {name: web, port: %d, protocol: HTTP}\n", port) +
		"---\n" + strings.Replace(routeManifest("of-"+name, "base.Service", backend{"first", 1}), "name: gw}", "name: "+name+"}", 1)
}

// freePort is a port that nobody has on any address.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // It was only held to have a number.
	return l.Addr().(*net.TCPAddr).Port
}

// served waits until a call to an address is answered by the backend.
func (g *gateway) served(address string) {
	g.Helper()
	g.until("serve "+address, func() error {
		g.fresh.Close()
		call := g.baseCall()
		call.Address, call.Timeout = address, 5*time.Second
		if r := g.fresh.Do(call); r.Backend() != "first" {
			return fmt.Errorf("%s (%s)", r.Backend(), r.Message)
		}
		return nil
	})
}

// closed waits until nobody takes connections at an address.
func (g *gateway) closed(address string) {
	g.Helper()
	g.until("leave "+address, func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil
		}
		return errors.Join(errors.New("it takes connections"), conn.Close())
	})
}

// TestAddressMoves: a Gateway goes from one address to all of the host and back, by every spelling, and a Gateway on another
// port, which calls and streams use all the time, loses nothing.
func TestAddressMoves(t *testing.T) {
	each(t, func(g *gateway) {
		port := freePort(t)
		own := fmt.Sprintf("%s:%d", g.address, port)
		local := fmt.Sprintf("127.0.0.1:%d", port)
		g.write("moving", atAddresses("moving", port, g.address))
		g.served(own)
		traffic := g.load(g.baseCall(), 2, 1)
		for _, step := range []struct {
			addresses     []string
			address, gone string
		}{
			{nil, local, ""},
			{[]string{g.address}, own, local},
			{[]string{"0.0.0.0"}, local, ""},
			{[]string{"127.0.0.1"}, local, own},
			{[]string{"127.0.0.1", g.address}, own, ""},
			{[]string{"0.0.0.0", g.address}, local, ""},
		} {
			g.write("moving", atAddresses("moving", port, step.addresses...))
			g.served(step.address)
			if step.gone != "" {
				g.closed(step.gone)
			}
		}
		// The same when gatewright was away, and when the proxy was.
		g.kill()
		g.write("moving", atAddresses("moving", port, g.address))
		g.start()
		g.closed(local)
		g.served(own)
		g.ready()
		traffic.End()
		if n := g.logged("left out"); n > 0 {
			t.Errorf("%d listeners were left out, though nobody else has their ports", n)
		}
		if n := g.logged("not applied"); n > 0 {
			t.Errorf("%d changes weren't applied", n)
		}
		g.signal(g.master(), unix.SIGKILL)
		g.write("moving", atAddresses("moving", port))
		g.served(local)
		g.answers("base.Service", "first")
	})
}

// TestColdStart: a port that somebody has and an address that the host lacks keep nobody else from being served, and are taken
// up when they can be.
func TestColdStart(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, p)
			l, err := net.Listen("tcp", g.address+":18099")
			if err != nil {
				t.Fatal(err)
			}
			g.write("busy", atAddresses("busy", 18099, g.address))
			g.write("foreign", atAddresses("foreign", 18080, "192.0.2.55"))
			g.start()
			g.ready()
			g.answers("base.Service", "first")
			g.status("reason: PortUnavailable", g.address+":18099 can't be bound: Address already in use",
				"reason: AddressNotUsable", "192.0.2.55:18080 can't be bound: no interface of this machine has the address")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			g.served(g.address + ":18099")
			// The last good configuration can't be started with once somebody has its port.
			g.kill()
			// The master first: it would start another worker for one that ends.
			master := g.master()
			for _, pid := range append([]int{master}, process.Children(master)...) {
				g.signal(pid, unix.SIGKILL)
			}
			g.until("free the port", func() (err error) {
				l, err = net.Listen("tcp", g.address+":18099")
				return err
			})
			g.start()
			g.answers("base.Service", "first")
			g.status(g.address + ":18099 can't be bound: Address already in use")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			g.served(g.address + ":18099")
		})
	}
}

// noIPv6 makes a program run as on a host without IPv6: socket(AF_INET6) fails with EAFNOSUPPORT.
const noIPv6 = "GATEWRIGHT_TEST_NO_IPV6"

// withoutIPv6 runs the program of its arguments so.
func withoutIPv6(args []string) error {
	runtime.LockOSThread() // The filter is this thread's.
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_INET6, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		_, _, e := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)))
		if e != 0 {
			err = e
		}
	}
	return errors.Join(err, syscall.Exec(args[0], args, os.Environ()))
}

// TestNoIPv6: a Gateway without addresses is served where there is no IPv6.
func TestNoIPv6(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			g := newGateway(t, p)
			port := freePort(t)
			g.write("all", atAddresses("all", port))
			t.Setenv(noIPv6, "1")
			g.wrapper = []string{self}
			g.start()
			g.ready()
			g.served(fmt.Sprintf("127.0.0.1:%d", port))
			g.answers("base.Service", "first")
			if _, text, err := g.get("/status"); err != nil || strings.Contains(text, "can't be bound") {
				t.Errorf("something isn't served (%v):\n%s", err, messages(text))
			}
			out := filepath.Join(harness.TempDir(t), "out")
			cmd := exec.Command(program, "generate", "-f", g.in, "-o", out, "--proxy", p.Name, "--proxy-binary", p.Binary, "--ipv6", "off")
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("generate: %v\n%s", err, text)
			}
			check := exec.Command(self, append([]string{p.Binary}, p.Check(out)...)...)
			if text, err := check.CombinedOutput(); err != nil {
				t.Errorf("what was generated for a host without IPv6 is refused there: %v\n%s", err, text)
			}
		})
	}
}
