package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/harness"
)

// needHTTPRoute are tests that ask for no HTTPRoute among their features and yet want to see it among the
// kinds that a listener supports. HTTPRoutes aren't served yet, so the report has these tests as skipped.
var needHTTPRoute = map[string]string{
	"GatewayInvalidRouteKind":                   "a listener with HTTPRoute among its allowed kinds supports that one",
	"GatewayInvalidTLSConfiguration":            "listeners support HTTPRoute",
	"GatewayListenerUnsupportedProtocol":        "the listener that is accepted supports HTTPRoute",
	"GatewayModifyListeners":                    "an HTTPRoute is attached",
	"GatewaySecretInvalidReferenceGrant":        "the listener supports HTTPRoute",
	"GatewaySecretMissingReferenceGrant":        "the listener supports HTTPRoute",
	"GatewaySecretReferenceGrantAllInNamespace": "the listener supports HTTPRoute",
	"GatewaySecretReferenceGrantSpecific":       "the listener supports HTTPRoute",
	"GatewayStaticAddresses":                    "at the end, the listener supports HTTPRoute",
}

// withHTTPRoute are tests that the suite leaves out, for their features include HTTPRoute, and that fit GRPCRoutes
// as well.
var withHTTPRoute = []string{"GatewayWithAttachedRoutes", "GatewayWithAttachedRoutesWithPort8080"}

// runSuite runs the suite, or one test of it, and fails when it does. What the class says that it supports is
// what is tested. Then it runs the tests that want HTTPRoutes with GRPCRoutes in their place.
func (o *options) runSuite(t harness.T, c *cluster.Cluster, proxy harness.Proxy) {
	t.Helper()
	adapted := append(slices.Sorted(maps.Keys(needHTTPRoute)), withHTTPRoute...)
	switch {
	case o.test == "":
		o.runTest(t, c, proxy, "TestConformance", o.reportFlags(t, proxy)...)
	case slices.Contains(adapted, o.test):
		adapted = []string{o.test}
	default:
		o.runTest(t, c, proxy, "TestConformance", "-run-test="+o.test)
		return
	}
	o.runTest(t, c, proxy, "TestAsGRPCRoute", "-as-grpcroute="+strings.Join(adapted, ","))
}

// runTest runs a test function of the suite's program.
func (o *options) runTest(t harness.T, c *cluster.Cluster, proxy harness.Proxy, function string, flags ...string) {
	t.Helper()
	args := append([]string{
		"-test.v", "-test.run=^" + function + "$",
		"-gateway-class=" + className, "-conformance-profiles=GATEWAY-GRPC", "-cleanup-base-resources=false",
		"-usable-address=" + usable, "-unusable-address=" + unusable,
	}, flags...)
	cmd := exec.Command(o.suite, append(args, o.rest...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		t.Errorf("%s on %s: %v", function, proxy, err)
	}
}

// reportFlags are those of a whole run, which writes a report.
func (o *options) reportFlags(t harness.T, proxy harness.Proxy) []string {
	if err := os.MkdirAll(o.report, 0o755); err != nil {
		t.Fatalf("the report's folder: %v", err)
	}
	return []string{
		"-skip-tests=" + strings.Join(slices.Sorted(maps.Keys(needHTTPRoute)), ","),
		"-report-output=" + filepath.Join(o.report, proxy.String()+".yaml"), "-mode=" + proxy.String(),
		"-organization=gatewright", "-project=gatewright", "-url=https://github.com/gatewright/gatewright",
		"-contact=https://github.com/gatewright/gatewright/issues", "-version=" + o.version,
	}
}
