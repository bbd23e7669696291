package run

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// TestWorkers runs the proxies' workers as other users, who read keys that are root's: from the start, after changes
// without a reload, and after one.
func TestWorkers(t *testing.T) {
	pairs := []harness.KeyPair{harness.Certificate(t, "h.test"), harness.Certificate(t, "h.test")}
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, p)
			usual := "nobody" // That of an nginx that nobody has built with another one.
			if p.Name == "haproxy" {
				usual = firstUser(t, "haproxy", "nobody")
			}
			for _, row := range []struct {
				want string
				args []string
			}{{usual, nil}, {"games", []string{"--user", "games", "--group", "nogroup"}}} {
				g.args = row.args
				g.write("secret", harness.Secret("default", "pair", pairs[0]))
				g.write("gateway", g.gatewayManifest("web")+tlsListener("h", "pair"))
				g.start()
				g.ready()
				g.runAs(row.want, row.args)
				g.answers("base.Service", "first")
				g.service("first", 1, 2)
				g.write("secret", harness.Secret("default", "pair", pairs[1]))
				g.until("TLS with another key", func() error {
					r := g.fresh.Do(g.tlsCall())
					if r.Backend() != "first" {
						return fmt.Errorf("%s %s", r.Backend(), r.Message)
					}
					return nil
				})
				g.write("gateway", g.gatewayManifest("web", "more")+tlsListener("h", "pair"))
				g.until("another listener", func() error {
					c := g.baseCall()
					c.Address = g.address + ":8081"
					if r := g.fresh.Do(c); r.Backend() != "first" {
						return fmt.Errorf("%s %s", r.Backend(), r.Message)
					}
					return nil
				})
				g.runAs(row.want, row.args)
				g.end()
			}
			g.args = nil
		})
	}
}

func firstUser(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if _, err := user.Lookup(name); err == nil {
			return name
		}
	}
	t.Fatalf("this host has none of the users %v", names)
	return ""
}

// runAs returns when all workers have a user's id, and the group that the arguments name, else the user's.
func (g *gateway) runAs(name string, args []string) {
	g.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		g.Fatal(err)
	}
	gid := u.Gid
	if len(args) == 4 {
		group, err := user.LookupGroup(args[3])
		if err != nil {
			g.Fatal(err)
		}
		gid = group.Gid
	}
	g.until("run all workers as "+name, func() error {
		workers := process.Children(g.master())
		if len(workers) == 0 {
			return errors.New("there are no workers")
		}
		for _, pid := range workers {
			// An old one may drain, or have ended.
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				return err
			}
			for _, want := range []string{idLine("Uid", u.Uid), idLine("Gid", gid)} {
				if !strings.Contains(string(text), want) {
					return fmt.Errorf("worker %d of %v: want %q in\n%s", pid, args, want, text)
				}
			}
		}
		return nil
	})
}

func idLine(what, id string) string {
	return what + ":\t" + strings.Join([]string{id, id, id, id}, "\t") + "\n"
}

// TestNoSuchUser is refused before anything is started.
func TestNoSuchUser(t *testing.T) {
	g := newGateway(t, harness.Newest(harness.Proxies(t))[0])
	for _, row := range []struct{ args, want []string }{
		{[]string{"--user", "no-such-user"}, []string{"--user no-such-user", "no such user"}},
		{[]string{"--user", "nobody", "--group", "no-such-group"}, []string{"--group no-such-group", "no such group"}},
		{[]string{"--group", "nogroup"}, []string{"--group alone"}},
	} {
		args := append([]string{"run", "-f", g.in, "--proxy", g.proxy.Name, "--proxy-binary", g.proxy.Binary,
			"--state-dir", filepath.Join(harness.TempDir(t), "state"), "--listen", ""}, row.args...)
		out, err := exec.Command(program, args...).CombinedOutput()
		if err == nil {
			t.Errorf("%v: it runs", row.args)
		}
		for _, want := range row.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v: want %q in %s", row.args, want, out)
			}
		}
	}
}
