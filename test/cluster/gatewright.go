package cluster

import (
	"context"
	"errors"
	"path/filepath"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// Namespace is where deploy/controller puts gatewright.
const Namespace = "gatewright"

// Gatewright says how to start `gatewright controller`.
type Gatewright struct {
	// Program is gatewright's file.
	Program string
	Proxy   harness.Proxy
	// Class is the name of the GatewayClass that it gets.
	Class string
	// Args are more flags.
	Args []string
}

// Controller is a running `gatewright controller`.
type Controller struct {
	*harness.Process
	harness.Health
}

var errNotAccepted = errors.New("it isn't accepted")

// StartGatewright starts `gatewright controller` as the ServiceAccount of deploy/controller and returns when it has
// accepted its GatewayClass, which is made if it isn't there. It stops with t.
func (c *Cluster) StartGatewright(t harness.T, o Gatewright) *Controller {
	t.Helper()
	c.ApplyFiles(filepath.Join(harness.Root(t), "deploy", "controller", "rbac.yaml"))
	class := &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: o.Class},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: harness.Controller},
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	cl := c.Client()
	if err := cl.Create(ctx, class); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("create GatewayClass %s: %v", o.Class, err)
	}
	dir := harness.TempDir(t)
	started := &Controller{Health: harness.Health(filepath.Join(dir, "http.sock"))}
	args := []string{
		"controller", "--kubeconfig", c.ServiceAccount(Namespace, "gatewright"),
		"--proxy", o.Proxy.Name, "--proxy-binary", o.Proxy.Binary, "--state-dir", filepath.Join(dir, "state"),
		"--listen", "unix:" + string(started.Health), "--leader-election-namespace", Namespace,
	}
	started.Process = harness.Start(t, o.Program, append(args, o.Args...)...)
	started.Await("accept GatewayClass "+o.Class, startLimit, func() error {
		if err := cl.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(class.Status.Conditions, string(gatewayv1.GatewayClassConditionStatusAccepted)) {
			return errNotAccepted
		}
		return nil
	})
	return started
}
