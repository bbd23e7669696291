package hosts

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

var bootFlag = flag.Bool("boot", false, "boot hosts, which takes root and a minute (make hosts)")

func TestMain(m *testing.M) {
	flag.Parse()
	if !*bootFlag {
		fmt.Println("hosts are booted by make hosts only")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// packages makes two packages, a newer one behind an older one.
func packages(t *testing.T) string {
	t.Helper()
	dir := harness.TempDir(t)
	for _, version := range []string{"v1.0.0", "v1.0.1"} {
		cmd := exec.Command("go", "run", "./deploy/deb", "-out", dir, "-arch", "amd64", "-version", version)
		cmd.Dir = harness.Root(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("deploy/deb: %v: %s", err, out)
		}
	}
	return dir
}

// block is one of the blocks of a page: what language it is in, and its text.
var block = regexp.MustCompile("(?ms)^```(sh|yaml)\n(.*?)^```$")

// follow does what the page of docs/hosts.md says, with other names for what is another here. A YAML block is a file whose name is in its
// first line.
func (h *host) follow(names ...string) {
	h.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(h), "docs", "hosts.md"))
	if err != nil {
		h.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(strings.NewReplacer(names...).Replace(string(text)), -1)
	if len(blocks) != 4 {
		h.Fatalf("the page has %d blocks", len(blocks))
	}
	for _, b := range blocks {
		if b[1] == "yaml" {
			name, _, _ := strings.Cut(strings.TrimPrefix(b[2], "# "), "\n")
			h.write(name, b[2])
			continue
		}
		h.Log(b[2] + h.does(b[2]))
	}
}

// TestHosts installs the package on a host, routes calls by it, restarts, upgrades and ends it under calls, and takes it away.
func TestHosts(t *testing.T) {
	dir := packages(t)
	tried := 0
	defer func() {
		if tried == 0 {
			t.Error("no proxy is this host's own")
		}
	}()
	for _, p := range harness.Proxies(t) {
		if !strings.HasPrefix(p.Binary, "/usr/") {
			continue // The host has those of its own release.
		}
		tried++
		t.Run(p.String(), func(t *testing.T) {
			h := boot(t, dir)
			address, service := harness.Address(t), harness.Address(t)
			backends := harness.NewBackends(t)
			at := backends.Address("cart", 0)
			backends.Listen("cart", at, 50051)
			h.follow("gatewright_1.0.0_amd64.deb\n", "/packages/gatewright_1.0.0_amd64.deb\n", "GATEWRIGHT_PROXY=nginx", "GATEWRIGHT_PROXY="+p.Name,
				"192.0.2.10", address, "192.0.2.21", at, "systemctl enable", "sed -i 's/^#GATEWRIGHT_LISTEN=.*/GATEWRIGHT_LISTEN="+service+
					":9090/' /etc/default/gatewright; systemctl enable", "127.0.0.1:9090", service+":9090")
			for _, unit := range []string{"gatewright", "gatewright-controller", "gatewright-files"} {
				if said := h.does("systemd-analyze verify " + unit + ".service 2>&1"); said != "" {
					t.Errorf("%s: %s", unit, said)
				}
			}
			t.Log(strings.TrimSpace(h.does("systemd-analyze security --no-pager gatewright.service | tail -n 1")))
			call := harness.Call{Address: net.JoinHostPort(address, "80"), Authority: "h.test", Path: "/shop.Cart/Add"}
			client := harness.NewClient(t)
			if r := client.Do(call); r.Code != codes.OK {
				t.Fatalf("as soon as the service is up: %s %s\n%s", r.Code, r.Message, h.journal())
			}
			if said := h.does("systemctl status gatewright"); !strings.Contains(said, `Status: "serves generation `) {
				t.Errorf("its status: %s", said)
			}
			if said := h.does("ps -o user= -C gatewright,nginx,haproxy | sort -u"); said != "gatewright\n" {
				t.Errorf("its processes are of %q", said)
			}
			traffic := harness.StartTraffic(t, p, call, "cart", 4, 4)
			h.does("systemctl restart gatewright; systemctl restart gatewright; systemctl reload gatewright")
			h.does("dpkg --install /packages/gatewright_1.0.1_amd64.deb")
			said := h.does("systemctl is-active gatewright; gatewright version")
			if !strings.HasPrefix(said, "active\n") || !strings.Contains(said, "1.0.1") {
				t.Errorf("behind the upgrade: %s", said)
			}
			before := h.does("systemctl show -P MainPID gatewright")
			h.does("systemctl kill --signal=KILL --kill-whom=main gatewright")
			h.until("start it again", func() error {
				pid, state := h.does("systemctl show -P MainPID gatewright"), h.does("systemctl show -P ActiveState gatewright")
				if pid == before || state != "active\n" {
					return errors.New(pid + state)
				}
				return nil
			})
			h.does("dpkg --install /packages/gatewright_1.0.0_amd64.deb") // And back.
			if said := h.does("systemctl is-active gatewright; gatewright version"); !strings.Contains(said, "1.0.0") {
				t.Errorf("behind the downgrade: %s", said)
			}
			traffic.End()
			h.withoutProxy(p)
			if said := h.does("ls /var/log/gatewright"); said != "access.log\n" {
				t.Errorf("its logs: %q", said)
			}
			h.drains(client, call)
			h.files(p, call, client)
			h.does("dpkg --purge gatewright")
			if said := h.does("ls -d /etc/gatewright /var/lib/gatewright /var/log/gatewright /etc/default/gatewright /usr/bin/gatewright 2>/dev/null " +
				"|| true; getent passwd gatewright || true; systemctl list-unit-files --no-legend 'gatewright*' || true"); said != "/etc/gatewright\n" {
				t.Errorf("it leaves %q", said) // But for the manifests, which are somebody's.
			}
		})
	}
}

// withoutProxy: an upgrade of the package ends well where the service can't start, and says so.
func (h *host) withoutProxy(p harness.Proxy) {
	h.Helper()
	h.does("mv /usr/sbin/" + p.Name + " /root/away")
	said := h.does("dpkg --install /packages/gatewright_1.0.1_amd64.deb; dpkg-query -W -f '${Status}' gatewright; mv /root/away /usr/sbin/" + p.Name +
		"; systemctl restart gatewright")
	if !strings.Contains(said, "gatewright.service doesn't start") || !strings.HasSuffix(said, "install ok installed") {
		h.Errorf("without %s: %s", p.Name, said)
	}
}

// drains: a stop lets a stream finish, for longer than systemd would wait if it weren't told, and leaves nothing that runs.
func (h *host) drains(client *harness.Client, call harness.Call) {
	h.Helper()
	h.does("mkdir /run/systemd/system/gatewright.service.d")
	h.write("/run/systemd/system/gatewright.service.d/stop.conf", "[Service]\nTimeoutStopSec=1\n")
	h.does("systemctl daemon-reload")
	call.Timeout = patience
	s, err := client.Stream(call)
	if err == nil {
		err = s.Send(nil)
	}
	if err == nil {
		_, err = s.ReceiveEcho()
	}
	if err != nil {
		h.Fatal(err)
	}
	defer s.Close()
	stop := h.command("systemctl", "stop", "gatewright")
	if err := stop.Start(); err != nil {
		h.Fatal(err)
	}
	h.until("take no more connections", func() error {
		conn, err := net.Dial("tcp", call.Address)
		if err == nil {
			return errors.Join(errors.New("it does still"), conn.Close())
		}
		return nil
	})
	<-time.After(2 * time.Second) // Twice what systemd waits.
	if err = s.Send([]byte("last")); err == nil {
		_, err = s.Receive()
	}
	if err != nil {
		h.Errorf("a stream while it stops: %v\n%s", err, h.journal())
	}
	s.Close()
	if err := stop.Wait(); err != nil {
		h.Errorf("systemctl stop: %v", err)
	}
	if said := h.does("systemctl is-failed gatewright || true; pgrep -u gatewright || true"); said != "inactive\n" {
		h.Errorf("behind the stop: %s", said)
	}
}

// files: files that are rendered elsewhere are served by a unit of their own.
func (h *host) files(p harness.Proxy, call harness.Call, client *harness.Client) {
	h.Helper()
	h.does(fmt.Sprintf("rm -rf /var/lib/gatewright; gatewright generate --proxy %[1]s --proxy-binary /usr/sbin/%[1]s "+
		"-f /etc/gatewright/manifests -o /etc/gatewright/rendered && chgrp -R gatewright /etc/gatewright/rendered && "+
		"sed -i 's/^#PROXY_COMMAND=.*/PROXY_COMMAND=%[1]s/' /etc/default/gatewright && systemctl start gatewright-files", p.Name))
	if r := client.Do(call); r.Code != codes.OK {
		h.Errorf("by files: %s %s\n%s", r.Code, r.Message, h.journal())
	}
	if said := h.does("systemctl status gatewright-files"); !strings.Contains(said, `Status: "serves generation `) {
		h.Errorf("its status: %s", said)
	}
	h.does("systemctl stop gatewright-files")
	if said := h.does("systemctl is-failed gatewright-files || true; pgrep -u gatewright || true"); said != "inactive\n" {
		h.Errorf("behind the stop: %s\n%s", said, h.journal())
	}
	h.does("rm -rf /etc/gatewright/rendered")
}
