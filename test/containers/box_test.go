package containers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// program is the binary that the tests run.
var program string

func TestMain(m *testing.M) {
	stage := harness.NewStage("test/containers")
	program = harness.Program(stage)
	code := m.Run()
	stage.End()
	os.Exit(code)
}

// patience is how long anything may take.
const patience = 30 * time.Second

// pod is what the containers of a pod share: an address and folders.
type pod struct {
	*testing.T
	proxy harness.Proxy
	// web is where the proxy answers, from the folder of the configuration, state the state folder.
	web, from, state string
	gatewright       *harness.Process
}

// each runs a test for every proxy of a kind, "" for all.
func each(t *testing.T, kind string, f func(p *pod)) {
	for _, proxy := range harness.Proxies(t) {
		if kind != "" && proxy.Name != kind {
			continue
		}
		t.Run(proxy.String(), func(t *testing.T) {
			t.Parallel()
			dir := harness.TempDir(t)
			p := &pod{T: t, proxy: proxy, web: harness.Address(t) + ":8080", from: filepath.Join(dir, "from"), state: filepath.Join(dir, "state")}
			if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(p.from, 0o755)); err != nil {
				t.Fatal(err)
			}
			f(p)
		})
	}
}

// anybodys is each for the proxies that users other than root can start too: those of the host.
func anybodys(t *testing.T, kind string, f func(p *pod)) {
	each(t, kind, func(p *pod) {
		if strings.HasPrefix(p.proxy.Binary, "/usr/") {
			f(p)
		}
	})
}

// put writes a configuration of the team's own that answers with a text.
func (p *pod) put(text string) {
	p.Helper()
	files := map[string]string{
		"nginx": fmt.Sprintf("pid nginx.pid;\nevents {}\nhttp {\n  access_log off;\n"+
			"  server {\n    listen %s;\n    location / { return 200 %q; }\n  }\n}\n",
			p.web, text),
		"haproxy": fmt.Sprintf("defaults\n  mode http\n  timeout client 10s\n  timeout server 10s\n  timeout connect 1s\nfrontend f\n  bind %s\n"+
			"  http-request return status 200 content-type text/plain string %s\n", p.web, text),
	}
	p.write(files[p.proxy.Name])
}

func (p *pod) write(text string) {
	p.Helper()
	next := filepath.Join(filepath.Dir(p.from), "next")
	err := os.WriteFile(next, []byte(text), 0o644)
	if err = errors.Join(err, os.Rename(next, filepath.Join(p.from, p.proxy.ConfigFile))); err != nil {
		p.Fatal(err)
	}
}

// arguments start the proxy as a team does.
func (p *pod) arguments() []string {
	if p.proxy.Name == "nginx" {
		return []string{p.proxy.Binary, "-e", "stderr", "-p", p.state, "-c", p.state + "/current/nginx.conf", "-g", "daemon off;"}
	}
	return []string{p.proxy.Binary, "-W", "-S", p.state + "/master.sock,mode,666", "-p", p.state + "/haproxy.pid", "-f",
		p.state + "/current/haproxy.cfg"}
}

// reload are the arguments of a gatewright that brings the folder to a proxy known by its pid file or socket.
func (p *pod) reload(attach string) []string {
	return []string{program, "reload", "--proxy", p.proxy.Name, "--proxy-binary", p.proxy.Binary, "--from", p.from, "--state-dir", p.state,
		"--attach", filepath.Join(p.state, attach), "--listen", "unix:" + string(p.health()), "--reload-timeout", "5s"}
}

func (p *pod) health() harness.Health {
	return harness.Health(filepath.Join(filepath.Dir(p.state), "http.sock"))
}

// alone runs a container with a process namespace of its own, whose first process it is, as it is numbered here.
func (p *pod) alone(args ...string) (*harness.Process, int) {
	p.Helper()
	c := harness.Start(p, "unshare", append([]string{"--pid", "--fork", "--kill-child=KILL", "--mount-proc"}, args...)...)
	p.Cleanup(c.Kill) // It takes no other signal while its child lives.
	return c, p.inner(c)
}

// beside runs one that shares the process namespace of a process.
func (p *pod) beside(pid int, args ...string) *harness.Process {
	p.Helper()
	return harness.Start(p, "nsenter", append([]string{"--target", strconv.Itoa(pid), "--pid", "unshare", "--mount-proc"}, args...)...)
}

// inner is the one process that a container's starter has started.
func (p *pod) inner(c *harness.Process) int {
	p.Helper()
	var children []int
	p.until("have its first process", func() error {
		if children = process.Children(c.PID()); len(children) != 1 {
			return fmt.Errorf("it has the children %v: %s", children, c.Log())
		}
		return nil
	})
	return children[0]
}

// as runs a command as a user without any right.
func as(uid int, args ...string) []string {
	id := strconv.Itoa(uid)
	return append([]string{"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "--inh-caps=-all"}, args...)
}

func (p *pod) until(what string, try func() error) {
	p.Helper()
	harness.Until(p, what, patience, try, func() string {
		if p.gatewright == nil {
			return ""
		}
		return p.gatewright.Log()
	})
}

// written returns when a proxy can be started with what is in the state folder.
func (p *pod) written() {
	p.Helper()
	p.until("have a configuration written", func() error {
		code, body, err := p.health().Get("/writtenz")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%d %s", code, body)
		}
		return err
	})
}

func (p *pod) ready() {
	p.Helper()
	p.until("become ready", p.health().Ready)
}

// unready returns when /readyz says no, and why.
func (p *pod) unready(why ...string) {
	p.Helper()
	p.until(fmt.Sprintf("say %q at /readyz", why), func() error {
		code, body, err := p.health().Get("/readyz")
		if err == nil && code == http.StatusOK {
			p.Fatalf("/readyz says %s", body)
		}
		for _, text := range why {
			if err == nil && !strings.Contains(body, text) {
				err = fmt.Errorf("no %q in %s", text, body)
			}
		}
		return err
	})
}

// says returns when the proxy answers with a text.
func (p *pod) says(want string) {
	p.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	p.until("say "+want, func() error {
		response, err := client.Get("http://" + p.web + "/")
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err == nil && strings.TrimSpace(string(body)) != want {
			err = fmt.Errorf("it says %s", body)
		}
		return err
	})
}

// start runs a container that shares everything with the host.
func (p *pod) start(args ...string) *harness.Process {
	p.Helper()
	return harness.Start(p, args[0], args[1:]...)
}
