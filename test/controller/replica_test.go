package controller

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/cluster/isolated"
	"github.com/gatewright/gatewright/test/harness"
)

// replica is a `gatewright controller` with a proxy.
type replica struct {
	*lab
	harness.Health
	proxy             harness.Proxy
	kubeconfig, state string
	process           *harness.Process
	// host is where it runs; nil for here.
	host *isolated.Host
}

func (l *lab) newReplica(p harness.Proxy, kubeconfig string) *replica {
	l.Helper()
	dir := harness.TempDir(l)
	return &replica{lab: l, proxy: p, kubeconfig: kubeconfig,
		state: filepath.Join(dir, "state"), Health: harness.Health(filepath.Join(dir, "http.sock"))}
}

// start starts gatewright, for the first time or again.
func (r *replica) start(args ...string) {
	r.Helper()
	args = append([]string{"controller", "--kubeconfig", r.kubeconfig, "--proxy", r.proxy.Name, "--proxy-binary", r.proxy.Binary,
		"--state-dir", r.state, "--listen", "unix:" + string(r.Health), "--drain", "5s", "--leader-election-namespace", "gatewright"}, args...)
	command := append([]string{program}, args...)
	if r.host != nil {
		command = r.host.Command(program, args...)
	}
	r.process = harness.Start(r, command[0], command[1:]...)
}

// end ends gatewright and its proxy, and returns when they have.
func (r *replica) end() {
	r.Helper()
	r.process.Signal(syscall.SIGTERM)
	if err := r.process.Ended(); err != nil {
		r.Errorf("%s: gatewright ended with %v", r.proxy, err)
	}
}

// master is the proxy's main process.
func (r *replica) master() int {
	r.Helper()
	id, err := process.Named(filepath.Join(r.state, r.proxy.Name+".pid"))
	if err != nil {
		r.Fatal(err)
	}
	return id.PID
}

// freeze stops the proxy, all of it, until it is told to resume, and at the latest with the test.
func (r *replica) freeze() (resume func()) {
	r.Helper()
	master := r.master()
	all := append(process.Children(master), master)
	signal := func(s syscall.Signal) {
		for _, pid := range all {
			if err := syscall.Kill(pid, s); err != nil && err != syscall.ESRCH {
				r.Errorf("%s: %v: %v", r.proxy, s, err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	resume = sync.OnceFunc(func() { signal(syscall.SIGCONT) })
	r.Cleanup(resume)
	return resume
}

// eachProxy runs a test with the newest version of each proxy.
func eachProxy(t *testing.T, f func(l *lab, r *replica)) {
	for _, proxy := range harness.Newest(harness.Proxies(t)) {
		t.Run(proxy.String(), func(t *testing.T) {
			l := sharedLab(t)
			f(l, l.newReplica(proxy, l.account()))
		})
	}
}

// oneProxy is what a test needs that doesn't hang on the proxy.
func oneProxy(t *testing.T, name string) (*lab, *replica) {
	t.Helper()
	l := sharedLab(t)
	return l, l.replicaOf(name)
}

// ownCluster is the same for a test that goes on beside others.
func ownCluster(t *testing.T, name string) (*lab, *replica) {
	t.Helper()
	l := newLab(t, cluster.Options{})
	return l, l.replicaOf(name)
}

// replicaOf is a replica with the newest version of a proxy.
func (l *lab) replicaOf(name string) *replica {
	l.Helper()
	proxies := harness.Newest(harness.Proxies(l))
	i := slices.IndexFunc(proxies, func(p harness.Proxy) bool { return p.Name == name })
	if i < 0 {
		l.Fatalf("no %s is installed", name)
	}
	return l.newReplica(proxies[i], l.account())
}

// await tries until there is no error, and fails at once when gatewright ends.
func (r *replica) await(what string, try func() error) {
	r.Helper()
	r.process.Await(what, patience, try)
}

func (r *replica) ready() {
	r.Helper()
	r.await("become ready", r.Ready)
}

// says returns when what a path answers has the text.
func (r *replica) says(path, text string) {
	r.Helper()
	r.await(fmt.Sprintf("say %q at %s", text, path), func() error {
		_, body, err := r.Get(path)
		if err == nil && !strings.Contains(body, text) {
			err = fmt.Errorf("it says:\n%s", body[:min(len(body), 2000)])
		}
		return err
	})
}

// metric is the value of a metric, 0 when there is none.
func (r *replica) metric(name string) float64 {
	r.Helper()
	text, err := r.Metric(name)
	if err == nil && text != "" {
		var value float64
		if value, err = strconv.ParseFloat(text, 64); err == nil {
			return value
		}
	}
	if err != nil {
		r.Fatalf("metric %s: %v", name, err)
	}
	return 0
}

const port = 50051

// unimplemented is what a call is answered that no rule matches.
const unimplemented = "Unimplemented"

// otherNamespace is a Namespace beside default.
const otherNamespace = "team"

// gateway is a manifest of a Gateway of the class of deploy/controller at an address, with a cleartext listener
// that takes routes of all namespaces.
func gateway(name, address string) string {
	return fmt.Sprintf(`---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: default, name: %s}
spec:
  gatewayClassName: gatewright
  addresses: [{value: %s}]
  listeners: [{name: web, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
`, name, address)
}
