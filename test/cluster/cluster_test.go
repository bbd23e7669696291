package cluster

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const reader = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [gateway.networking.k8s.io], resources: [gateways], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, namespace: default, name: reader}]
`

// TestCluster shows what tests rely on: the CRDs' checks and defaults, RBAC, a restart that keeps the data, and a
// backup that brings them back.
func TestCluster(t *testing.T) {
	c := Start(t, Options{})
	c.InstallGatewayAPI(Experimental)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	admin := c.Client()
	key := client.ObjectKey{Namespace: "default", Name: "web"}
	web := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "web", Listeners: []gatewayv1.Listener{
			{Name: "a", Port: 80, Protocol: gatewayv1.HTTPProtocolType},
		}},
	}
	if err := admin.Create(ctx, web); err != nil {
		t.Fatal(err)
	}
	if len(web.Status.Conditions) == 0 {
		t.Error("a new Gateway has no conditions: the CRD's defaults are missing")
	}

	c.Apply(reader)
	config, err := clientcmd.BuildConfigFromFlags("", c.ServiceAccount("default", "reader"))
	if err != nil {
		t.Fatal(err)
	}
	account, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	// Roles reach the authorizer a moment after they are written.
	eventually(ctx, t, func() error { return account.Get(ctx, key, &gatewayv1.Gateway{}) })
	if err := account.List(ctx, &corev1.SecretList{}); !apierrors.IsForbidden(err) {
		t.Errorf("Secrets without a role for them: %v, want Forbidden", err)
	}

	c.StopAPIServer()
	if err := admin.Get(ctx, key, web); err == nil {
		t.Error("the API server answers while it is stopped")
	}
	c.StartAPIServer()
	eventually(ctx, t, func() error { return admin.Get(ctx, key, web) })

	c.Stop()
	backup := c.Backup()
	c.Wipe()
	c.Start()
	if err := admin.Get(ctx, key, web); err == nil {
		t.Error("the Gateway is still there in an empty etcd")
	}
	c.Stop()
	c.Restore(backup)
	c.Start()
	eventually(ctx, t, func() error { return admin.Get(ctx, key, web) })
}

func eventually(ctx context.Context, t *testing.T, try func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}
