package cluster

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/test/harness"
)

// Options say what runs beside etcd and kube-apiserver.
type Options struct {
	// Controllers starts kube-controller-manager: Deployments get Pods, Services EndpointSlices, Namespaces a
	// ServiceAccount, and what a deleted object owned is deleted.
	Controllers bool
	// Address is where all of it listens; "" for a loopback address that nothing else uses.
	Address string
	// APIServer are more flags of kube-apiserver.
	APIServer []string
	// Audit keeps all requests: see Requests.
	Audit bool
}

// Cluster is a control plane.
type Cluster struct {
	t harness.T
	// dir holds certificates, tokens, kubeconfigs and etcd's data.
	dir   string
	host  string
	token string

	etcd, apiserver, manager *component
}

// Start starts a control plane and returns when it is ready. It stops with the test, and its data go.
func Start(t harness.T, o Options) *Cluster {
	t.Helper()
	c := &Cluster{t: t, dir: harness.TempDir(t), host: o.Address, token: rand.Text()}
	if c.host == "" {
		c.host = harness.Address(t)
	}
	programs := programs(t)
	c.writeCredentials()
	c.etcd = c.newEtcd(programs)
	c.apiserver = c.newAPIServer(programs, o)
	if o.Controllers {
		c.manager = c.newManager(programs)
	}
	t.Cleanup(c.Stop)
	c.Start()
	return c
}

// Start starts what is stopped.
func (c *Cluster) Start() {
	c.t.Helper()
	for _, p := range c.components() {
		p.start()
	}
}

// Stop stops all of it. What is in etcd stays.
func (c *Cluster) Stop() {
	all := c.components()
	for i := len(all) - 1; i >= 0; i-- {
		all[i].stop()
	}
}

// StopAPIServer stops kube-apiserver alone, StartAPIServer starts it again.
func (c *Cluster) StopAPIServer() { c.apiserver.stop() }

// StartAPIServer starts kube-apiserver and returns when it is ready.
func (c *Cluster) StartAPIServer() {
	c.t.Helper()
	c.apiserver.start()
}

// Backup copies etcd's data, for Restore, and returns where the copy is. The cluster must be stopped.
func (c *Cluster) Backup() string {
	c.t.Helper()
	c.mustBeStopped()
	backup := filepath.Join(harness.TempDir(c.t), "etcd")
	if err := os.CopyFS(backup, os.DirFS(c.data())); err != nil {
		c.t.Fatalf("back up etcd's data: %v", err)
	}
	return backup
}

// Restore puts back what Backup copied. The cluster must be stopped.
func (c *Cluster) Restore(backup string) {
	c.t.Helper()
	c.Wipe()
	if err := os.CopyFS(c.data(), os.DirFS(backup)); err != nil {
		c.t.Fatalf("restore etcd's data: %v", err)
	}
	if err := os.Chmod(c.data(), 0o700); err != nil { // etcd insists.
		c.t.Fatalf("restore etcd's data: %v", err)
	}
}

// Wipe removes everything that is in etcd. The cluster must be stopped.
func (c *Cluster) Wipe() {
	c.t.Helper()
	c.mustBeStopped()
	if err := os.RemoveAll(c.data()); err != nil {
		c.t.Fatalf("wipe etcd's data: %v", err)
	}
}

func (c *Cluster) mustBeStopped() {
	c.t.Helper()
	if c.etcd.running() || c.apiserver.running() {
		c.t.Fatalf("stop the cluster before its data are touched")
	}
}

// components are all parts in the order to start them.
func (c *Cluster) components() []*component {
	all := []*component{c.etcd, c.apiserver}
	if c.manager != nil {
		all = append(all, c.manager)
	}
	return all
}

// programs is the folder with the built programs.
func programs(t harness.T) string {
	t.Helper()
	cmd := exec.Command("sh", filepath.Join(harness.Root(t), "test", "cluster", "build.sh"), "--dir")
	// As the Makefile has it: the Go that the programs' own module asks for.
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=auto")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s(%v)", stderr.String(), err)
	}
	return strings.TrimSpace(string(out))
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) data() string { return c.path("etcd") }

// URL is where kube-apiserver listens.
func (c *Cluster) URL() string { return fmt.Sprintf("https://%s:%d", c.host, apiServerPort) }
