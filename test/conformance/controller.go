package main

import (
	"context"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/cluster/pods"
	"github.com/gatewright/gatewright/test/harness"
)

const (
	className  = "gateway-conformance"
	controller = "gatewright.io/gateway-controller"
	// pool are the addresses that Gateways get. One of them is named by a test, and so is one that nothing has.
	pool     = "198.18.0.0/24"
	usable   = "198.18.0.250"
	unusable = "192.0.2.1"
	// startLimit is how long the controller may take to accept the class.
	startLimit = time.Minute
)

// startCluster starts a control plane with the Gateway API, in which the suite's Pods run.
func startCluster(t harness.T, echo string) *cluster.Cluster {
	c := cluster.Start(t, cluster.Options{Controllers: true})
	c.InstallGatewayAPI(cluster.Standard)
	echo, err := filepath.Abs(echo)
	if err != nil {
		t.Fatalf("%v", err)
	}
	pods.Run(t, pods.Options{Config: c.Config(), Programs: map[string]string{
		"/echo-basic:": echo,
		// The suite waits for this server too, but no test of the profile calls it.
		"/coredns:": echo,
	}})
	return c
}

// startController starts gatewright, as the ServiceAccount of deploy/controller, with a class of its own and
// returns when it has accepted that.
func (o *options) startController(t harness.T, c *cluster.Cluster, proxy harness.Proxy) {
	t.Helper()
	c.ApplyFiles(filepath.Join(harness.Root(t), "deploy", "controller", "rbac.yaml"))
	class := &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: className},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: controller},
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	cl := c.Client()
	if err := cl.Create(ctx, class); err != nil {
		t.Fatalf("create the GatewayClass: %v", err)
	}
	process := harness.Start(t, o.gatewright, "controller", "--kubeconfig", c.ServiceAccount("gatewright", "gatewright"),
		"--proxy", proxy.Name, "--proxy-binary", proxy.Binary,
		"--state-dir", filepath.Join(harness.TempDir(t), "state"), "--address-pool", pool,
		"--leader-election-namespace", "gatewright")
	process.Await("accept GatewayClass "+className, startLimit, func() error {
		if err := cl.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(class.Status.Conditions, string(gatewayv1.GatewayClassConditionStatusAccepted)) {
			return errNotAccepted
		}
		return nil
	})
}
