package run

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// patience is how long anything may take.
const patience = 30 * time.Second

// program is the binary that the tests run.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(noIPv6) != "" {
		fmt.Fprintln(os.Stderr, withoutIPv6(os.Args[1:]))
		os.Exit(1)
	}
	stage := harness.NewStage("test/run")
	program = harness.Program(stage)
	code := m.Run()
	stage.End()
	os.Exit(code)
}

// gateway is a `gatewright run` with a folder of manifests and servers behind it.
type gateway struct {
	*testing.T
	proxy    harness.Proxy
	backends *harness.Backends
	client   *harness.Client
	// fresh makes each call on a connection of its own.
	fresh *harness.Client
	// in is the folder of the manifests, state the state folder, log what gatewright said.
	in, state, log string
	// address is the Gateway's.
	address string
	args    []string
	// user is as whom gatewright runs; 0 for root.
	user uint32
	// wrapper is what starts gatewright; nothing for gatewright itself.
	wrapper []string

	cmd    *exec.Cmd
	exited chan error
}

// each runs a test for every proxy.
func each(t *testing.T, f func(g *gateway)) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, p)
			g.start()
			g.ready()
			f(g)
		})
	}
}

func newGateway(t *testing.T, p harness.Proxy) *gateway {
	t.Helper()
	dir := harness.TempDir(t)
	g := &gateway{
		T: t, proxy: p, backends: harness.NewBackends(t), client: harness.NewClient(t), fresh: harness.NewClient(t), address: harness.Address(t),
		in: filepath.Join(dir, "in"), state: filepath.Join(dir, "state"), log: filepath.Join(dir, "log"),
	}
	if err := os.Mkdir(g.in, 0o755); err != nil {
		t.Fatal(err)
	}
	g.write("gateway", g.gatewayManifest("web"))
	g.service("first")
	g.route("base", "base.Service", backend{"first", 1})
	t.Cleanup(g.end)
	return g
}

// gatewayManifest is the Gateway with cleartext listeners of these names, on ports from 8080.
func (g *gateway) gatewayManifest(listeners ...string) string {
	text := fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  gatewayClassName: test\n  "+
		"addresses: [{value: %s}]\n  listeners:\n", g.address)
	for i, name := range listeners {
		text += fmt.Sprintf("  - {name: %s, port: %d, protocol: HTTP}\n", name, 8080+i)
	}
	return text
}

// write puts a manifest in place in one step.
func (g *gateway) write(name, text string) {
	g.Helper()
	next := filepath.Join(g.in, "."+name)
	err := os.WriteFile(next, []byte(text), 0o600)
	if err == nil {
		err = os.Rename(next, filepath.Join(g.in, name+".yaml"))
	}
	if err != nil {
		g.Fatal(err)
	}
}

// readable lets other users read the manifests.
func (g *gateway) readable() error {
	names, err := filepath.Glob(filepath.Join(g.in, "*.yaml"))
	for _, name := range names {
		err = errors.Join(err, os.Chmod(name, 0o644))
	}
	return err
}

func (g *gateway) remove(name string) {
	g.Helper()
	if err := os.Remove(filepath.Join(g.in, name+".yaml")); err != nil {
		g.Fatal(err)
	}
}

const port = 50051

// service writes a Service with a server behind each endpoint, by index; one endpoint when none is given.
func (g *gateway) service(name string, endpoints ...int) {
	g.Helper()
	g.serve(name, "", g.backends.Listen, endpoints...)
}

// webService is service for HTTPRoutes, with the appProtocol where there is one.
func (g *gateway) webService(name, protocol string, endpoints ...int) {
	g.Helper()
	g.serve(name, protocol, g.backends.ListenHTTP, endpoints...)
}

func (g *gateway) serve(name, protocol string, listen func(name, address string, port int32), endpoints ...int) {
	g.Helper()
	if len(endpoints) == 0 {
		endpoints = []int{0}
	}
	text := harness.Service("default", name, port)
	if protocol != "" {
		text = strings.TrimSuffix(text, "}\n") + ", appProtocol: " + protocol + "}\n"
	}
	text += fmt.Sprintf(`---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: p%[2]d, port: %[2]d}]
endpoints:
`, name, port)
	for _, i := range endpoints {
		address := g.backends.Address(name, i)
		listen("default/"+name+":"+strconv.Itoa(port), address, port)
		text += fmt.Sprintf("- {addresses: [%s], conditions: {ready: true}}\n", address)
	}
	g.write("service-"+name, text)
}

type backend struct {
	service string
	weight  int
}

// routeManifest is a GRPCRoute for a gRPC service.
func routeManifest(name, service string, backends ...backend) string {
	text := fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: %s}\nspec:\n  parentRefs: [{name: "+
		"gw}]\n  rules:\n"+
		"  - matches: [{method: {service: %s}}]\n    backendRefs:\n", name, service)
	for _, b := range backends {
		text += fmt.Sprintf("    - {name: %s, port: %d, weight: %d}\n", b.service, port, b.weight)
	}
	return text
}

func (g *gateway) route(name, service string, backends ...backend) {
	g.Helper()
	g.write("route-"+name, routeManifest(name, service, backends...))
}

// start starts gatewright.
func (g *gateway) start(more ...string) {
	g.Helper()
	log, err := os.OpenFile(g.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.Fatal(err)
	}
	args := append([]string{"run", "-f", g.in, "--proxy", g.proxy.Name, "--proxy-binary", g.proxy.Binary,
		"--state-dir", g.state, "--listen", "unix:" + string(g.http()), "--drain", "5s", "--access-log", "off"}, g.args...)
	line := slices.Concat(g.wrapper, []string{program}, args, more)
	g.cmd = exec.Command(line[0], line[1:]...)
	g.cmd.Stdout, g.cmd.Stderr = log, log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if g.user != 0 {
		g.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: g.user, Gid: g.user}
	}
	err = g.cmd.Start()
	if err = errors.Join(err, log.Close()); err != nil {
		g.Fatal(err)
	}
	exited := make(chan error, 1)
	g.exited = exited
	cmd := g.cmd
	go func() { exited <- cmd.Wait() }()
}

func (g *gateway) http() harness.Health {
	return harness.Health(filepath.Join(filepath.Dir(g.state), "http.sock"))
}

// end ends gatewright, and with it the proxy.
func (g *gateway) end() {
	if g.cmd == nil {
		return
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM) // It may have ended.
	select {
	case err := <-g.exited:
		if err != nil {
			g.Errorf("gatewright ended with %v", err)
		}
	case <-time.After(patience):
		g.Errorf("gatewright doesn't end on SIGTERM")
		_ = g.cmd.Process.Kill()
	}
	g.cmd = nil
	if g.Failed() {
		g.Logf("gatewright said:\n%s", g.said())
	}
}

// kill kills gatewright, and nothing else.
func (g *gateway) kill() {
	g.Helper()
	if err := g.cmd.Process.Kill(); err != nil {
		g.Fatal(err)
	}
	<-g.exited
}

func (g *gateway) said() string {
	text, err := os.ReadFile(g.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-12000):])
}

// get asks gatewright's own HTTP service.
func (g *gateway) get(path string) (int, string, error) { return g.http().Get(path) }

// until tries until there is no error.
func (g *gateway) until(what string, try func() error) {
	g.Helper()
	harness.Until(g, what, patience, try, g.said)
}

func (g *gateway) ready() {
	g.Helper()
	g.until("become ready", g.http().Ready)
}

// messages are the different messages of statuses.
func messages(statuses string) string {
	seen, out := map[string]bool{}, ""
	for line := range strings.Lines(statuses) {
		if text := strings.TrimSpace(line); strings.HasPrefix(text, "message:") && !seen[text] {
			seen[text] = true
			out += text + "\n"
		}
	}
	return out
}

// status returns when /status has all the texts.
func (g *gateway) status(texts ...string) {
	g.Helper()
	g.until(fmt.Sprintf("say %q at /status", texts), func() error {
		_, body, err := g.get("/status")
		for _, text := range texts {
			if err == nil && !strings.Contains(body, text) {
				err = fmt.Errorf("no %q in\n%s", text, messages(body))
			}
		}
		return err
	})
}

// metric is the value of a metric; "" when there is none.
func (g *gateway) metric(name string) string {
	g.Helper()
	value, err := g.http().Metric(name)
	if err != nil {
		g.Fatal(err)
	}
	return value
}

// call is on a new connection: one that began while nginx reloaded may stay with the worker of before.
func (g *gateway) call(service string) harness.Reply {
	g.fresh.Close()
	return g.fresh.Do(harness.Call{Address: g.address + ":8080", Authority: "h.test", Path: "/" + service + "/Method",
		Timeout: 10 * time.Second})
}

// answers returns when a service of gRPC is answered by a backend, or with a code.
func (g *gateway) answers(service, want string) {
	g.Helper()
	g.until("answer "+service+" by "+want, func() error {
		if r := g.call(service); r.Backend() != want {
			return fmt.Errorf("%s (%s)", r.Backend(), r.Message)
		}
		return nil
	})
}

// baseCall is a call of base.Service in cleartext, tlsCall one by TLS.
func (g *gateway) baseCall() harness.Call {
	return harness.Call{Address: g.address + ":8080", Authority: "h.test", Path: "/base.Service/Method"}
}

func (g *gateway) tlsCall() harness.Call {
	call := g.baseCall()
	call.Address, call.TLS = g.address+":8443", true
	return call
}

// load starts callers of base.Service, which must never see anything but its backend, and streams on it.
func (g *gateway) load(call harness.Call, callers, streams int) *harness.Traffic {
	g.Helper()
	return harness.StartTraffic(g, g.proxy, call, "first", callers, streams)
}

const unimplemented = "Unimplemented"
