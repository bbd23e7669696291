package haproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/haproxy"
	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// early is an HAProxy of somebody's that has just been started.
type early struct {
	*stand
	dir, address string
	hold         *harness.Hold
	master       *harness.Process
	joined       *haproxy.Proxy
}

// started starts HAProxy with a text to answer, and joins it by its pid file or its master socket. Who reads the
// configuration is held when slow is.
func (s *stand) started(join string, slow bool) *early {
	s.Helper()
	e := &early{stand: s, dir: harness.TempDir(s), address: harness.Address(s)}
	e.write("haproxy.cfg", e.config("first"))
	e.write("slow.map", "a b\n")
	if slow {
		e.hold = harness.NewHold(s, e.path("slow.map"))
	}
	e.master = harness.Start(s, s.binary.Binary, "-W", "-S", e.path("master.sock"), "-f", e.path("haproxy.cfg"))
	e.write("haproxy.pid", fmt.Sprintln(e.master.PID()))
	var err error
	if e.joined, err = haproxy.New(haproxy.Options{Binary: s.binary.Binary, State: e.dir, Config: e.path("haproxy.cfg"), Join: e.path(join),
		Timeout: 10 * time.Second}); err != nil {
		s.Fatal(err)
	}
	return e
}

func (e *early) path(name string) string { return filepath.Join(e.dir, name) }

func (e *early) config(text string) string {
	return fmt.Sprintf("defaults\n  mode http\n  timeout client 10s\n  timeout server 10s\n  timeout connect 1s\nfrontend f\n  bind %s:8080\n"+
		"  http-request set-header x-slow %%[path,map(%s)]\n  http-request return status 200 content-type text/plain string %s\n",
		e.address, e.path("slow.map"), text)
}

// write puts a file in one step in the place of what has its name.
func (e *early) write(name, text string) {
	e.Helper()
	if err := errors.Join(os.WriteFile(e.path("new"), []byte(text), 0o600), os.Rename(e.path("new"), e.path(name))); err != nil {
		e.Fatal(err)
	}
}

// reload returns what a reload comes to, once there is a master to ask.
func (e *early) reload() error {
	ctx, cancel := context.WithTimeout(context.Background(), harness.DefaultTimeout)
	defer cancel()
	return process.Poll(ctx, func() (bool, error) {
		err := e.joined.Reload(ctx, "", "")
		var absent *apply.AbsentError
		return !errors.As(err, &absent), err
	})
}

// serves looks at what the master that was started serves.
func (e *early) serves(want string) {
	e.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + net.JoinHostPort(e.address, "8080") + "/")
	if err != nil {
		e.Fatalf("%v; it says\n%s", err, e.master.Log())
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); string(body) != want || err != nil {
		e.Errorf("it answers %q, %v; want %q; it says\n%s", body, err, want, e.master.Log())
	}
	if !process.Alive(e.master.PID()) {
		e.Errorf("its master has ended:\n%s", e.master.Log())
	}
}

// TestReloadAtStart: an HAProxy that has just been started is reloaded once it can be. Its master would end by a signal that
// comes before that, and would not see one that comes before its first worker serves.
func TestReloadAtStart(t *testing.T) {
	each(t, func(s *stand) {
		for _, join := range []string{"haproxy.pid", "master.sock"} {
			for range 2 {
				e := s.started(join, false)
				e.write("haproxy.cfg", e.config("second"))
				if err := e.reload(); err != nil {
					s.Errorf("%s: %v; it says\n%s", join, err, e.master.Log())
				}
				e.serves("second")
			}
		}
	})
}

// TestReloadOfSlowStart: the same while its first worker is still reading its configuration.
func TestReloadOfSlowStart(t *testing.T) {
	each(t, func(s *stand) {
		for _, join := range []string{"haproxy.pid", "master.sock"} {
			e := s.started(join, true)
			e.hold.Await(e.master.Log)
			e.write("slow.map", "a b\n")
			e.write("haproxy.cfg", e.config("second"))
			done := make(chan error, 1)
			go func() { done <- e.reload() }()
			harness.NotYet(s, done)
			released := time.Now()
			e.hold.Release("a b\n")
			if err := <-done; err != nil {
				s.Errorf("%s: %v", join, err)
			}
			s.Logf("%s: reloaded %s after it could be", join, time.Since(released))
			e.serves("second")
		}
	})
}
