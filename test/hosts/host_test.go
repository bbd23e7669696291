package hosts

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// patience is how long anything may take.
const patience = time.Minute

// host is a Debian that has booted. It has its own files and processes, which nothing outlives, and the network of this one.
type host struct {
	*testing.T
	// leader is its first process.
	leader int
}

// boot boots one, with a folder of this machine at /packages.
func boot(t *testing.T, packages string) *host {
	t.Helper()
	made := exec.Command("sh", filepath.Join(harness.Root(t), "test", "hosts.sh"))
	var said bytes.Buffer
	made.Stderr = &said
	tree, err := made.Output()
	if err != nil {
		t.Fatalf("test/hosts.sh: %v: %s", err, said.String())
	}
	p := harness.Start(t, "systemd-nspawn", "--quiet", "--directory="+strings.TrimSpace(string(tree)), "--volatile=overlay", "--register=no",
		"--keep-unit", "--boot", "--machine=gatewright-"+strconv.Itoa(os.Getpid()), "--bind-ro="+packages+":/packages")
	h := &host{T: t}
	p.Await("boot", patience, func() error {
		if children := process.Children(p.PID()); len(children) > 0 {
			h.leader = children[0]
		}
		if h.leader == 0 {
			return errors.New("it has no process yet")
		}
		out, err := h.command("systemctl", "is-system-running", "--wait").CombinedOutput()
		// Units of the tree that make no sense in a container may have failed.
		if state := strings.TrimSpace(string(out)); state != "running" && state != "degraded" {
			return errors.Join(errors.New(state), err)
		}
		return nil
	})
	return h
}

// command is one on the host.
func (h *host) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(h.leader), "--all", "--", name}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"}
	return cmd
}

// does runs a shell's command on the host, which must succeed, and returns what it says.
func (h *host) does(script string) string {
	h.Helper()
	out, err := h.command("sh", "-ec", script).CombinedOutput()
	if err != nil {
		h.Fatalf("%s: %v\n%s\n%s", script, err, out, h.journal())
	}
	return string(out)
}

func (h *host) journal() string {
	out, _ := h.command("journalctl", "--no-pager", "-n", "60").CombinedOutput() // It is for a person to read.
	return string(out)
}

// write puts a file on the host.
func (h *host) write(path, text string) {
	h.Helper()
	cmd := h.command("tee", path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%s: %v: %s", path, err, out)
	}
}

// until waits until something is so.
func (h *host) until(what string, try func() error) {
	h.Helper()
	harness.Until(h, what, patience, try, h.journal)
}
