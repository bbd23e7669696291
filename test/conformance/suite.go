package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/harness"
)

// runSuite runs the suite, or one test of it, and fails when it does. What the class says that it supports is what is
// tested.
func (o *options) runSuite(t harness.T, c *cluster.Cluster, proxy harness.Proxy) {
	t.Helper()
	if o.test == "" {
		o.runTest(t, c, proxy, o.reportFlags(t, proxy)...)
	} else {
		o.runTest(t, c, proxy, "-run-test="+o.test)
	}
}

// runTest runs the suite's program.
func (o *options) runTest(t harness.T, c *cluster.Cluster, proxy harness.Proxy, flags ...string) {
	t.Helper()
	args := append([]string{
		"-test.v",
		"-gateway-class=" + className, "-conformance-profiles=GATEWAY-GRPC,GATEWAY-HTTP", "-cleanup-base-resources=false",
		"-usable-address=" + usable, "-unusable-address=" + unusable,
	}, flags...)
	cmd := exec.Command(o.suite, append(args, o.rest...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		t.Errorf("the suite on %s: %v", proxy, err)
	}
}

// reportFlags are those of a whole run, which writes a report.
func (o *options) reportFlags(t harness.T, proxy harness.Proxy) []string {
	if err := os.MkdirAll(o.report, 0o755); err != nil {
		t.Fatalf("the report's folder: %v", err)
	}
	return []string{
		"-report-output=" + filepath.Join(o.report, proxy.String()+".yaml"), "-mode=" + proxy.String(),
		"-organization=gatewright", "-project=gatewright", "-url=https://github.com/gatewright/gatewright",
		"-contact=https://github.com/gatewright/gatewright/issues", "-version=" + o.version,
	}
}
