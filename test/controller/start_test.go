package controller

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// TestUnknownCluster says what to do when the flags name no cluster.
func TestUnknownCluster(t *testing.T) {
	l := sharedLab(t)
	dir := harness.TempDir(t)
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"no file": {[]string{"--kubeconfig", filepath.Join(dir, "nothing")},
			[]string{"the cluster isn't known", filepath.Join(dir, "nothing"), "--kubeconfig FILE"}},
		"no context": {[]string{"--kubeconfig", l.Kubeconfig(), "--context", "elsewhere"},
			[]string{"the cluster isn't known", `"elsewhere"`, "--context NAME"}},
		"nothing": {nil, []string{"the cluster isn't known", "--kubeconfig FILE"}},
	} {
		cmd := exec.Command(program, append([]string{"controller", "--state-dir", filepath.Join(dir, "state"), "--listen", ""}, test.args...)...)
		cmd.Env = []string{"HOME=" + dir, "PATH=/usr/sbin:/usr/bin"}
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: it ends with %v, want exit code 1", name, err)
		}
		for _, text := range test.want {
			if !strings.Contains(string(out), text) {
				t.Errorf("%s: it doesn't say %q:\n%s", name, text, out)
			}
		}
	}
}

// TestEnd ends on SIGTERM when the proxy has finished its calls, and leaves the lease to others.
func TestEnd(t *testing.T) {
	eachProxy(t, func(l *lab, r *replica) {
		l.Apply(gateway("web", l.address()) + l.service("first", 0) + route("base", "base.Service", []string{"web"}, backend{"first", 1}))
		r.start("--log-format", "json")
		l.answers(l.addressOf("web"), "base.Service", "first")
		r.await("become the leader", r.leads)
		s, err := harness.NewClient(t).Stream(callTo(l.addressOf("web"), "base.Service"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Send(nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReceiveEcho(); err != nil {
			t.Fatal(err)
		}
		r.process.Signal(syscall.SIGTERM)
		r.says("/readyz", "draining")
		// A stream that is open may finish.
		if err := s.Send([]byte("last")); err != nil {
			t.Errorf("a stream while the proxy drains: %v", err)
		}
		if message, err := s.Receive(); err != nil || string(message) != "last" {
			t.Errorf("a stream while the proxy drains: %q, %v", message, err)
		}
		if err := s.CloseSend(); err != nil {
			t.Error(err)
		}
		if _, err := s.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("the end of a stream while the proxy drains: %v", err)
		}
		if err := r.process.Ended(); err != nil {
			t.Errorf("gatewright ended with %v", err)
		}
		if lease := l.lease(); *lease.HolderIdentity != "" {
			t.Errorf("the lease is still held by %s", *lease.HolderIdentity)
		}
	})
}

// TestLog is structured: what is refused has the object and the reason as fields.
func TestLog(t *testing.T) {
	l, r := oneProxy(t, "haproxy")
	l.Apply(strings.Replace(gateway("web", l.address()), "listeners: [", "listeners: [{name: udp, port: 9090, protocol: UDP}, ", 1))
	r.start("--log-format", "json")
	r.await("log the refusal", func() error {
		for line := range strings.Lines(r.process.Log()) {
			var entry struct{ Level, Msg, Object, Where, Condition, Reason, Message string }
			// Lines of the proxy are its own.
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "refused" && entry.Object == "Gateway default/web" &&
				entry.Where == `listener "udp"` && entry.Condition == "Accepted" && entry.Reason == "UnsupportedProtocol" && entry.Message != "" {
				return nil
			}
		}
		return errors.New("no line says so")
	})
}
