package containers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
)

// attachments are the ways to find a proxy.
var attachments = map[string]string{"nginx": "nginx.pid", "haproxy": "haproxy.pid"}

// TestFirstProcess: a proxy that is process 1 of the namespace is reloaded; until it is there it is waited for.
func TestFirstProcess(t *testing.T) {
	each(t, "", func(p *pod) {
		p.put("first")
		_, err := os.Stat(p.state)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		// Something has to be there before the proxy's container: what writes its first configuration.
		p.gatewright = p.start(p.reload(attachments[p.proxy.Name])...)
		p.written()
		p.unready("waiting for the proxy")
		if said := p.gatewright.Log(); strings.Contains(said, "level=ERROR") || !strings.Contains(said, "waiting for the proxy") {
			p.Errorf("it waits with the words:\n%s", said)
		}
		p.gatewright.Kill()
		_, pid := p.alone(p.arguments()...)
		p.gatewright = p.beside(pid, p.reload(attachments[p.proxy.Name])...)
		p.ready()
		p.says("first")
		text, err := os.ReadFile(filepath.Join(p.state, attachments[p.proxy.Name]))
		if strings.TrimSpace(string(text)) != "1" || err != nil {
			p.Fatalf("its pid file says %s (%v)", text, err)
		}
		for i := range 3 {
			p.put(fmt.Sprint("next", i))
			p.says(fmt.Sprint("next", i))
		}
	})
}

// TestOtherNamespace: an nginx that can't be told to reload never makes gatewright ready, and what to do is said; HAProxy takes it by
// its socket.
func TestOtherNamespace(t *testing.T) {
	each(t, "", func(p *pod) {
		p.put("first")
		p.gatewright = p.start(p.reload(attachments[p.proxy.Name])...)
		p.written()
		p.gatewright.Kill()
		p.alone(p.arguments()...)
		p.says("first")
		attach := attachments[p.proxy.Name]
		p.gatewright, _ = p.alone(p.reload(attach)...)
		p.unready("shareProcessNamespace: true", "gatewright exec")
		if p.proxy.Name == "nginx" {
			return
		}
		p.gatewright.Kill()
		p.gatewright, _ = p.alone(p.reload("master.sock")...)
		p.ready()
		p.put("second")
		p.says("second")
	})
}

// gateway is a Gateway with a Service that has no endpoint.
const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: test
  addresses: [{value: ADDRESS}]
  listeners: [{name: web, port: 8080, protocol: HTTP}]
`

// TestOtherNamespaceMarker: the same for a configuration of gatewright's own, whose marker answers from the other namespace.
func TestOtherNamespaceMarker(t *testing.T) {
	each(t, "nginx", func(p *pod) {
		address, _, _ := strings.Cut(p.web, ":")
		file := filepath.Join(p.from, "gateway.yaml")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(gateway, "ADDRESS", address)), 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{program, "run", "-f", p.from, "--proxy", "nginx", "--proxy-binary", p.proxy.Binary, "--state-dir", p.state, "--attach",
			filepath.Join(p.state, "nginx.pid"), "--listen", "unix:" + string(p.health())}
		p.gatewright, _ = p.alone(args...)
		p.written()
		_, pid := p.alone(p.arguments()...)
		p.unready("nginx runs, but not in the process namespace of gatewright", "shareProcessNamespace: true")
		p.gatewright.Kill()
		p.gatewright = p.beside(pid, args...)
		p.ready()
	})
}

// TestOtherUser: what another user's proxy needs is said by name, and nothing is left behind that keeps it from starting.
func TestOtherUser(t *testing.T) {
	const proxyUser, ourUser = 33, 65534
	anybodys(t, "", func(p *pod) {
		p.put("first")
		err := os.Mkdir(p.state, 0o755)
		err = errors.Join(err, os.Chown(p.state, ourUser, ourUser), os.Chown(filepath.Dir(p.state), ourUser, ourUser))
		if err != nil {
			t.Fatal(err)
		}
		p.gatewright = p.start(as(ourUser, p.reload(map[string]string{"nginx": "nginx.pid", "haproxy": "master.sock"}[p.proxy.Name])...)...)
		p.written()
		p.unready("waiting for the proxy")
		if _, err := os.Lstat(filepath.Join(p.state, "nginx.pid")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the check has left a pid file: %v", err)
		}
		// As in a folder that both may write to.
		if err := os.Chmod(p.state, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := opened(p.state); err != nil {
			t.Fatal(err)
		}
		p.start(as(proxyUser, p.arguments()...)...)
		p.says("first")
		if p.proxy.Name == "nginx" {
			p.unready("run gatewright as the user that nginx runs as")
			return
		}
		p.ready()
		closed := filepath.Join(p.from, "key.pem")
		if err := os.WriteFile(closed, []byte("a key\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(closed, ourUser, ourUser); err != nil {
			t.Fatal(err)
		}
		p.put("second")
		p.until("say who can't read what", func() error {
			_, body, err := p.health().Get("/status")
			for _, want := range []string{"HAProxy runs as user 33 and may not read", "key.pem (mode 0600)", "user 65534", "runAsUser"} {
				if err == nil && !strings.Contains(body, want) {
					err = fmt.Errorf("no %q in %s", want, body)
				}
			}
			return err
		})
		p.says("first")
	})
}

// opened lets everybody read what is written.
func opened(state string) error {
	return filepath.WalkDir(filepath.Join(state, "versions"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o644)
	})
}

// TestClosedSocket: a master socket that another user may not connect to is told with what to do.
func TestClosedSocket(t *testing.T) {
	anybodys(t, "haproxy", func(p *pod) {
		p.put("first")
		l := filepath.Join(p.state, "master.sock")
		err := errors.Join(os.Mkdir(p.state, 0o755), os.Chown(p.state, 33, 33), os.Chown(filepath.Dir(p.state), 33, 33))
		if err != nil {
			t.Fatal(err)
		}
		p.gatewright = p.start(as(33, p.reload("master.sock")...)...)
		p.written()
		p.start(p.proxy.Binary, "-W", "-S", l+",mode,600", "-f", p.state+"/current/haproxy.cfg")
		p.unready("permission denied", "run gatewright as the user that HAProxy runs as", "mode,660")
	})
}

// TestLogsOfTheProxyAlone: a log and a folder that only the proxy's container may write don't keep a configuration from it; what nginx
// can't open either is taken back.
func TestLogsOfTheProxyAlone(t *testing.T) {
	each(t, "nginx", func(p *pod) {
		logs := filepath.Join(filepath.Dir(p.state), "logs")
		if err := os.Mkdir(logs, 0o755); err != nil {
			t.Fatal(err)
		}
		config := func(text, log string) string {
			return fmt.Sprintf("pid %s/nginx.pid; events {}\nhttp {\n  access_log %s;\n"+
				"  client_body_temp_path %s/body;\n  server {\n    listen %s;\n"+
				"    location / { return 200 %q; }\n  }\n}\n", p.state, log, logs, p.web, text)
		}
		log := filepath.Join(logs, "access.log")
		p.write(config("first", log))
		p.gatewright = p.start(append([]string{"unshare", "--mount", "sh", "-c", `mount --bind -o ro "$0" "$0" && exec "$@"`, logs},
			p.reload("nginx.pid")...)...)
		p.written()
		p.start(p.arguments()...)
		p.says("first")
		p.ready()
		p.write(config("second", log))
		p.says("second")
		if said := p.gatewright.Log(); !strings.Contains(said, "nginx's answer to the reload has to do") {
			p.Errorf("what isn't checked isn't told:\n%s", said)
		}
		p.write(config("third", filepath.Join(logs, "no-such-folder", "access.log")))
		p.until("say that nginx doesn't take it", func() error {
			_, body, err := p.health().Get("/status")
			if err == nil && !strings.Contains(body, "nginx does not come to serve the new configuration") {
				err = errors.New(body)
			}
			return err
		})
		p.says("second")
		// A mistake in a file is one wherever it is checked.
		p.write(config("fourth", log) + "nonsense;\n")
		p.until("say what is wrong", func() error {
			_, body, err := p.health().Get("/status")
			if err == nil && !strings.Contains(body, "nonsense") {
				err = errors.New(body)
			}
			return err
		})
	})
}

// TestOrphans: what a killed proxy leaves is taken away by a gatewright that is the container's first process.
func TestOrphans(t *testing.T) {
	each(t, "", func(p *pod) {
		address, _, _ := strings.Cut(p.web, ":")
		text := strings.ReplaceAll(gateway, "ADDRESS", address)
		if err := os.WriteFile(filepath.Join(p.from, "gateway.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c, first := p.alone(program, "run", "-f", p.from, "--proxy", p.proxy.Name, "--proxy-binary", p.proxy.Binary, "--state-dir", p.state,
			"--listen", "unix:"+string(p.health()))
		p.gatewright = c
		p.ready()
		var masters []process.ID
		p.until("have a proxy", func() error {
			masters = nil
			for _, pid := range process.Children(first) {
				if id, err := process.Identify(pid); err == nil && strings.HasPrefix(process.Name(pid), p.proxy.Name) {
					masters = append(masters, id)
				}
			}
			if len(masters) != 1 {
				return fmt.Errorf("the proxies are %v", masters)
			}
			return nil
		})
		orphans := masters[0].Children()
		if len(orphans) == 0 {
			t.Fatal("the proxy has no workers")
		}
		if err := masters[0].Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.until("have another proxy", func() error {
			if masters[0].Alive() {
				return errors.New("the killed one lives")
			}
			return p.health().Ready()
		})
		p.until("have no trace of its workers", func() error {
			for _, worker := range orphans {
				// One that has ended and isn't taken away can be identified still.
				if id, err := process.Identify(worker.PID); err == nil && id == worker {
					return fmt.Errorf("process %s is still there, alive: %t", id, id.Alive())
				}
			}
			return nil
		})
	})
}
