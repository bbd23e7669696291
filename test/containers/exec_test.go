package containers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// entry are the arguments of a gatewright that is the entry point of the proxy's container, and more of its flags.
func (p *pod) entry(more ...string) []string {
	args := []string{program, "exec", "--state-dir", p.state, "--listen", "unix:" + string(p.health()), "--drain", "20s"}
	return append(append(args, more...), "--", p.proxy.Binary)
}

// TestEntryFollows: one container with no namespace shared follows a folder, and ends well by SIGTERM.
func TestEntryFollows(t *testing.T) {
	each(t, "", func(p *pod) {
		p.put("first")
		c, first := p.alone(p.entry("--from", p.from)...)
		p.gatewright = c
		p.ready()
		p.says("first")
		p.put("second")
		p.says("second")
		p.signal(first, unix.SIGHUP)
		p.says("second")
		p.signal(first, unix.SIGTERM)
		if err := c.Ended(); err != nil {
			t.Errorf("it ends with %v\n%s", err, c.Log())
		}
	})
}

// TestEntryWaits: the proxy is started when another container has written a configuration, which then brings it changes.
func TestEntryWaits(t *testing.T) {
	each(t, "", func(p *pod) {
		p.put("first")
		c, first := p.alone(p.entry("--listen", "")...)
		p.until("wait", func() error {
			if !strings.Contains(c.Log(), "waiting for a configuration") {
				return errors.New(c.Log())
			}
			return nil
		})
		p.gatewright = p.beside(first, p.reload(map[string]string{"nginx": "nginx.pid", "haproxy": "master.sock"}[p.proxy.Name])...)
		p.ready()
		p.says("first")
		p.put("second")
		p.says("second")
	})
}

// held is a server that answers when it is told to.
func held(t *testing.T) (address string, asked <-chan struct{}, release func()) {
	t.Helper()
	l, err := net.Listen("tcp", harness.Address(t)+":8080")
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan struct{}, 1), make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		select {
		case <-end:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "held") // The proxy may have ended.
	})}
	go func() { _ = server.Serve(l) }() // It ends with the test.
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String(), begun, func() { close(end) }
}

// putRelay writes a configuration that passes requests on.
func (p *pod) putRelay(address string) {
	p.Helper()
	p.write(map[string]string{
		"nginx": fmt.Sprintf("pid nginx.pid;\nevents {}\nhttp {\n  access_log off;\n"+
			"  server {\n    listen %s;\n    location / { proxy_pass http://%s; }\n"+
			"  }\n}\n", p.web, address),
		"haproxy": fmt.Sprintf("defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 1s\nfrontend f\n  bind %s\n"+
			"  default_backend b\nbackend b\n  server s %s\n", p.web, address),
	}[p.proxy.Name])
}

// call makes a request that the server holds, and returns where its outcome comes.
func (p *pod) call(asked <-chan struct{}) <-chan error {
	p.Helper()
	done := make(chan error, 1)
	go func() {
		response, err := http.Get("http://" + p.web + "/")
		if err == nil {
			var body []byte
			body, err = io.ReadAll(response.Body)
			if err = errors.Join(err, response.Body.Close()); err == nil && string(body) != "held" {
				err = fmt.Errorf("%s: %s", response.Status, body)
			}
		}
		done <- err
	}()
	select {
	case <-asked:
	case err := <-done:
		p.Fatalf("the call has ended before it began: %v", err)
	}
	return done
}

// TestEntryDrains: SIGTERM lets a call finish that is under way; a second one doesn't.
func TestEntryDrains(t *testing.T) {
	for _, patient := range []bool{true, false} {
		t.Run(map[bool]string{true: "once", false: "twice"}[patient], func(t *testing.T) {
			each(t, "", func(p *pod) {
				address, asked, release := held(p.T)
				p.putRelay(address)
				c, first := p.alone(p.entry("--from", p.from)...)
				p.gatewright = c
				p.ready()
				done := p.call(asked)
				p.signal(first, unix.SIGTERM)
				p.until("drain", func() error {
					if !strings.Contains(c.Log(), "msg=ending signal=terminated") {
						return errors.New(c.Log())
					}
					return nil
				})
				if !patient {
					p.signal(first, unix.SIGTERM)
					if err := <-done; err == nil {
						t.Error("the call has got its answer")
					}
					_ = c.Ended() // By a signal, as the proxy.
					release()
					return
				}
				// No new call is taken once it drains.
				p.until("take no more connections", func() error {
					conn, err := net.Dial("tcp", p.web)
					if err == nil {
						return errors.Join(errors.New("it still does"), conn.Close())
					}
					return nil
				})
				release()
				if err := <-done; err != nil {
					t.Errorf("the call under way: %v", err)
				}
				if err := c.Ended(); err != nil {
					t.Errorf("it ends with %v\n%s", err, c.Log())
				}
			})
		})
	}
}

// TestEntryEndsWithTheProxy: nothing is started again, the exit code is the proxy's, and its workers don't outlive it.
func TestEntryEndsWithTheProxy(t *testing.T) {
	each(t, "", func(p *pod) {
		p.put("first")
		c := p.start(p.entry("--from", p.from)...)
		p.gatewright = c
		p.ready()
		children := process.Children(c.PID())
		if len(children) != 1 {
			t.Fatalf("its children are %v", children)
		}
		workers := process.Children(children[0])
		if len(workers) == 0 {
			t.Fatal("the proxy has no workers")
		}
		p.signal(children[0], unix.SIGKILL)
		var exit *exec.ExitError
		if err := c.Ended(); !errors.As(err, &exit) || exit.ExitCode() != 128+9 {
			t.Errorf("it ends with %v, want 137\n%s", err, c.Log())
		}
		for _, pid := range workers {
			if process.Alive(pid) {
				t.Errorf("worker %d is left: %s", pid, process.Title(pid))
			}
		}
	})
}

// signal signals a process that the test has started.
func (p *pod) signal(pid int, s unix.Signal) {
	p.Helper()
	id, err := process.Identify(pid)
	if err == nil {
		err = id.Signal(s)
	}
	if err != nil {
		p.Fatal(err)
	}
}
