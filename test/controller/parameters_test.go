package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/test/harness"
)

// parametersOf is a manifest of GatewayParameters whose calls may take so long, with the policy.
func parametersOf(timeout string) string {
	return fmt.Sprintf(`---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {namespace: default, name: usual}
spec: {timeout: %s}
---
apiVersion: gatewright.io/v1alpha1
kind: GatewayParameters
metadata: {namespace: default, name: web}
spec: {defaults: {timeoutPolicy: usual}}
`, timeout)
}

// told waits for a condition Accepted in the status of the Gateway or of its parameters.
func (l *lab) told(kind, list, reason, text string) {
	l.Helper()
	l.until(kind+" with "+reason, func() error {
		got := fmt.Sprint(l.raw(kind, "web", list))
		if !strings.Contains(got, "reason:"+reason) || !strings.Contains(got, text) {
			return errors.New(got)
		}
		return nil
	})
}

// TestParameters: a Gateway keeps what its parameters say now; without them it serves nothing, and says so.
func TestParameters(t *testing.T) { eachProxy(t, keepsParameters) }

func keepsParameters(l *lab, r *replica) {
	const late, served = "DeadlineExceeded", "first"
	address := l.address()
	slow := func(want string) {
		l.Helper()
		l.until("answer by "+want, func() error {
			l.fresh.Close()
			c := callTo(address, "base.Service")
			c.Metadata = metadata.Pairs(harness.AskDelay, "500ms")
			if reply := l.fresh.Do(c); reply.Backend() != want {
				return fmt.Errorf("%s (%s)", reply.Backend(), reply.Message)
			}
			return nil
		})
	}
	l.Apply(parametersOf("100ms") + strings.Replace(gateway("web", address), "  addresses:",
		"  infrastructure: {parametersRef: {group: gatewright.io, kind: GatewayParameters, name: web}}\n  addresses:", 1) + l.service("first", 0) +
		route("base", "base.Service", []string{"web"}, backend{"first", 1}))
	r.start()
	slow(late)
	l.tells("web", "Programmed", address)
	l.told(policy.ParametersKind, "ancestors", "Accepted", "used by Gateway default/web")

	l.Apply(parametersOf("20s"))
	slow(served)

	parameters := &unstructured.Unstructured{}
	parameters.SetGroupVersionKind(schema.GroupVersionKind{Group: policy.Group, Version: policy.Version, Kind: policy.ParametersKind})
	parameters.SetNamespace("default")
	parameters.SetName("web")
	if err := l.client.Delete(l.Context(), parameters); err != nil {
		l.Fatal(err)
	}
	l.told("Gateway", "conditions", "InvalidParameters", "GatewayParameters default/web doesn't exist")
	l.until("close the port", func() error {
		if reply := l.call(address, "base.Service"); reply.FromServer() {
			return fmt.Errorf("%s (%s)", reply.Backend(), reply.Message)
		}
		return nil
	})

	l.Apply(parametersOf("100ms"))
	slow(late)
	l.tells("web", "Programmed", address)

	// A Gateway that names other ones leaves no entry behind.
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"infrastructure": null}}`))
	if err := l.client.Patch(l.Context(), &gatewayv1.Gateway{ObjectMeta: named("web")}, patch); err != nil {
		l.Fatal(err)
	}
	slow(served)
	l.until("take the entry back", func() error {
		if list := l.raw(policy.ParametersKind, "web", "ancestors"); len(list) > 0 {
			return fmt.Errorf("%v", list)
		}
		return nil
	})
}
