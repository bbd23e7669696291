package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// handWritten is a configuration of somebody's own that answers with a text at an address; a main file with
// another one beside it, for nginx, or alone.
var handWritten = map[string]func(address, text string) map[string]string{
	"nginx": func(address, text string) map[string]string {
		return map[string]string{
			"nginx.conf": "pid nginx.pid;\nevents {}\nhttp {\n  access_log off;\n  include site.conf;\n}\n",
			"site.conf":  fmt.Sprintf("server {\n  listen %s;\n  location / { return 200 %q; }\n}\n", address, text),
		}
	},
	"haproxy": func(address, text string) map[string]string {
		return map[string]string{"haproxy.cfg": fmt.Sprintf("defaults\n  mode http\n  timeout client 10s\n  timeout server 10s\n  timeout "+
			"connect 1s\n"+
			"frontend f\n  bind %s\n  http-request return status 200 content-type text/plain string %s\n", address, text)}
	},
}

// started are the arguments that a team starts its proxy with.
var started = map[string]func(state string) []string{
	"nginx": func(state string) []string {
		return []string{"-e", "stderr", "-p", state, "-c", state + "/current/nginx.conf", "-g", "daemon off;"}
	},
	"haproxy": func(state string) []string {
		return []string{"-W", "-S", state + "/master.sock", "-p", state + "/haproxy.pid", "-f", state + "/current/haproxy.cfg"}
	},
}

// folderGateway is a `gatewright reload` beside a proxy that the test runs.
type folderGateway struct {
	*gateway
	from    string
	version int
}

// put writes a configuration as a kubelet does a ConfigMap.
func (f *folderGateway) put(files map[string]string) {
	f.Helper()
	f.version++
	data := fmt.Sprintf("..v%d", f.version)
	var errs []error
	errs = append(errs, os.MkdirAll(filepath.Join(f.from, data), 0o755))
	for name, text := range files {
		path := filepath.Join(f.from, data, name)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
		top, _, _ := strings.Cut(name, "/")
		if _, err := os.Lstat(filepath.Join(f.from, top)); err != nil {
			errs = append(errs, os.Symlink("..data/"+top, filepath.Join(f.from, top)))
		}
	}
	next := filepath.Join(f.from, "..next")
	errs = append(errs, os.Symlink(data, next), os.Rename(next, filepath.Join(f.from, "..data")))
	if f.version > 1 {
		errs = append(errs, os.RemoveAll(filepath.Join(f.from, fmt.Sprintf("..v%d", f.version-1))))
	}
	if err := errors.Join(errs...); err != nil {
		f.Fatal(err)
	}
}

func (f *folderGateway) says(address string) (string, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/")
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return strings.TrimSpace(string(body)), errors.Join(err, response.Body.Close())
}

func (f *folderGateway) untilSays(address, want string) {
	f.Helper()
	f.until("say "+want, func() error {
		got, err := f.says(address)
		if err == nil && got != want {
			err = fmt.Errorf("it says %q", got)
		}
		return err
	})
}

// sidecar starts `gatewright reload`, and a proxy once there is something to start it with.
func sidecar(t *testing.T, p harness.Proxy, attach string, files map[string]string) *folderGateway {
	t.Helper()
	dir := harness.TempDir(t)
	g := &gateway{T: t, proxy: p, address: harness.Address(t), state: filepath.Join(dir, "state"), log: filepath.Join(dir, "log")}
	f := &folderGateway{gateway: g, from: filepath.Join(dir, "from")}
	if files == nil {
		files = handWritten[p.Name](g.address+":8080", "first")
	}
	f.put(files)
	f.startReload(filepath.Join(g.state, attach))
	g.until("have a configuration to start with", func() error {
		_, err := os.Stat(filepath.Join(g.state, "current"))
		return err
	})
	code, body, err := g.get("/readyz")
	if err != nil || code != http.StatusServiceUnavailable {
		t.Errorf("before the proxy runs /readyz says %d %s (%v)", code, body, err)
	}
	harness.Start(t, p.Binary, started[p.Name](g.state)...)
	g.ready()
	return f
}

// startReload starts `gatewright reload` for the proxy that a file or a socket names.
func (f *folderGateway) startReload(attach string) {
	f.Helper()
	log, err := os.Create(f.log)
	if err != nil {
		f.Fatal(err)
	}
	f.cmd = exec.Command(program, "reload", "--from", f.from, "--state-dir", f.state, "--proxy", f.proxy.Name, "--proxy-binary",
		f.proxy.Binary,
		"--attach", attach, "--listen", "unix:"+string(f.http()), "--reload-timeout", "5s")
	f.cmd.Stdout, f.cmd.Stderr = log, log
	if err := errors.Join(f.cmd.Start(), log.Close()); err != nil {
		f.Fatal(err)
	}
	exited, cmd := make(chan error, 1), f.cmd
	f.exited = exited
	go func() { exited <- cmd.Wait() }()
	f.Cleanup(f.end)
}

// attachments are the ways to find a proxy.
var attachments = map[string][]string{"nginx": {"nginx.pid"}, "haproxy": {"haproxy.pid", "master.sock"}}

// TestReload brings configurations of somebody's own to a proxy of somebody's own.
func TestReload(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		for _, attach := range attachments[p.Name] {
			t.Run(p.String()+"/"+attach, func(t *testing.T) {
				t.Parallel()
				f := sidecar(t, p, attach, nil)
				web := f.address + ":8080"
				f.untilSays(web, "first")
				for i := range 5 {
					text := fmt.Sprintf("text%d", i)
					f.put(handWritten[p.Name](web, text))
					f.untilSays(web, text)
				}
				// What the proxy refuses changes nothing, and is told.
				broken := handWritten[p.Name](web, "broken")
				for name := range broken {
					broken[name] += "nonsense on;\n"
				}
				f.put(broken)
				f.status("nonsense")
				if got, err := f.says(web); got != "text4" || err != nil {
					t.Errorf("after a refusal it says %q, %v", got, err)
				}
				f.put(handWritten[p.Name](web, "healed"))
				f.untilSays(web, "healed")
				f.until("be content", func() error {
					_, body, err := f.get("/status")
					if err == nil && strings.Contains(body, "error") {
						err = errors.New(body)
					}
					return err
				})
				// What passes the check and doesn't come is rolled back.
				l, err := net.Listen("tcp", f.address+":8081")
				if err != nil {
					t.Fatal(err)
				}
				good, err := os.Readlink(filepath.Join(f.state, "current"))
				if err != nil {
					t.Fatal(err)
				}
				f.put(handWritten[p.Name](f.address+":8081", "moved"))
				f.status("error: ", "the new configuration")
				if now, err := os.Readlink(filepath.Join(f.state, "good")); now != good || err != nil {
					t.Errorf("the last good one was %s, now it is %s (%v)", good, now, err)
				}
				// HAProxy takes no connections while it tries to have the port.
				f.untilSays(web, "healed")
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				f.untilSays(f.address+":8081", "moved")
			})
		}
	}
}

// TestReloadRendered brings what gatewright rendered elsewhere, which tells its generation.
func TestReloadRendered(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			address := harness.Address(t)
			render := func(marker string, ports ...int32) map[string]string {
				g := model.Gateway{Namespace: "ns", Name: "gw", Addresses: []string{address}}
				for _, port := range ports {
					g.Listeners = append(g.Listeners, model.Listener{Name: fmt.Sprint(port), Port: port, Protocol: model.HTTP})
				}
				files, err := p.Generator(generators.Options{Marker: marker}).Render(model.Gateways{Gateways: []model.Gateway{g}}, p.Capabilities)
				if err != nil {
					t.Fatal(err)
				}
				out := map[string]string{}
				for _, file := range files {
					out[file.Path] = string(file.Data)
				}
				return out
			}
			f := sidecar(t, p, p.Name+".pid", handWritten[p.Name](address+":8080", "first"))
			_, before, err := f.get("/readyz")
			if err != nil {
				t.Fatal(err)
			}
			files := render(filepath.Join(f.state, p.Name+".sock"), 8080, 8081)
			f.put(files)
			f.until("tell its generation", func() error {
				_, now, err := f.get("/readyz")
				generation, _ := strings.CutPrefix(strings.TrimSpace(now), "generation ")
				if err == nil && (now == before || !strings.Contains(strings.Join([]string{files["http.conf"], files["haproxy.cfg"]}, ""),
					generation)) {
					err = errors.New(now)
				}
				return err
			})
			conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address+":8081")
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
