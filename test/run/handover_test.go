package run

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// manager is a service manager's socket.
type manager struct {
	*testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T, socket string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{t, conn}
}

// told waits until the manager is told something with a text in it.
func (m *manager) told(want string) {
	m.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.Fatal(err)
	}
	var all []string
	for text := make([]byte, 4096); ; {
		n, err := m.conn.Read(text)
		if err != nil {
			m.Fatalf("%v: the service manager was told %q, want %q", err, all, want)
		}
		all = append(all, string(text[:n]))
		if strings.Contains(all[len(all)-1], want) {
			return
		}
	}
}

// TestHandOver: one gatewright ends by SIGUSR2, and the next takes over what it has left serving, with no call lost; a service manager is
// told when each is up, how it is and that it ends, and the proxy doesn't know of that manager.
func TestHandOver(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, p)
			m := newManager(t, filepath.Join(harness.TempDir(t), "notify"))
			g.args = []string{"--drain", "0s"} // What is left to the next run isn't held to it.
			g.wrapper = []string{"env", "NOTIFY_SOCKET=" + m.conn.LocalAddr().String()}
			g.write("policy", "apiVersion: gatewright.io/v1alpha1\nkind: GRPCTimeoutPolicy\nmetadata: {name: long}\nspec: {timeout: 1h}\n")
			g.write("route-bridged", strings.Replace(routeManifest("bridged", "bridged.Service", backend{"first", 1}), "    backendRefs:",
				"    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: long}}]\n    backendRefs:", 1))
			g.start()
			m.told("READY=1\nSTATUS=serves generation ")
			g.ready()
			g.answers("bridged.Service", "first")
			bridged := g.baseCall()
			bridged.Path = "/bridged.Service/Method"
			master := g.master()
			if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", master)); err != nil || strings.Contains(string(text), "NOTIFY_SOCKET") {
				t.Errorf("the proxy's environment: %v %q", err, text)
			}
			straight, through := g.load(g.baseCall(), 4, 4), g.load(bridged, 4, 4)
			for i := range 3 {
				g.signal(g.cmd.Process.Pid, unix.SIGUSR2)
				m.told("STOPPING=1")
				if err := <-g.exited; err != nil {
					t.Fatalf("gatewright ended with %v: %s", err, g.said())
				}
				g.route("next", fmt.Sprintf("next%d.Service", i), backend{"first", 1})
				g.start()
				m.told("READY=1")
				g.ready()
				g.answers(fmt.Sprintf("next%d.Service", i), "first")
				if got := g.master(); got != master || !process.Alive(master) {
					t.Errorf("process %d serves, not %d: %s", got, master, g.said())
				}
			}
			straight.End()
			through.End()
			g.write("gateway", "kind: [\n")
			m.told("; the input has errors: ")
		})
	}
}
