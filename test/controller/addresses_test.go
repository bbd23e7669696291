package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// anywhere is gateway without an address.
func anywhere(name string) string {
	return strings.Replace(gateway(name, ""), "  addresses: [{value: }]\n", "", 1)
}

// tells returns when the status of a Gateway has these addresses and no others, and Programmed the reason.
func (l *lab) tells(name, reason string, addresses ...string) {
	l.Helper()
	l.until("Gateway "+name, func() error {
		var g gatewayv1.Gateway
		if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: name}, &g); err != nil {
			return err
		}
		var have []string
		for _, a := range g.Status.Addresses {
			have = append(have, a.Value)
		}
		c := meta.FindStatusCondition(g.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed))
		if c == nil || c.Reason != reason || c.ObservedGeneration != g.Generation || !slices.Equal(have, addresses) {
			return fmt.Errorf("addresses %v, %+v", have, c)
		}
		return nil
	})
}

// TestAddressPool gives each Gateway an address of its own, where it serves its own routes and no others.
func TestAddressPool(t *testing.T) {
	eachProxy(t, func(l *lab, r *replica) {
		pool := []string{harness.Address(t), harness.Address(t), harness.Address(t)}
		r.start("--address-pool", strings.Join(pool, ","))
		// Gateways of the same second come in the order of their names.
		text := l.service("first", 0)
		for _, name := range []string{"any", "empty", "left"} {
			text += anywhere(name)
		}
		l.Apply(text + gateway("named", pool[0]) + gateway("outside", "198.51.100.1"))
		l.tells("any", "Programmed", pool[1])
		l.tells("empty", "Programmed", pool[2])
		l.tells("named", "Programmed", pool[0])
		l.tells("left", "AddressNotAssigned")
		l.tells("outside", "AddressNotUsable")

		at := map[string]string{"any": pool[1], "empty": pool[2], "named": pool[0]}
		for name := range at {
			l.Apply(route(name, name+".Service", []string{name}, backend{"first", 1}))
		}
		for name, address := range at {
			l.answers(address, name+".Service", "first")
		}
		for name := range at {
			for other, address := range at {
				if got := l.call(address, name+".Service").Backend(); other != name && got != unimplemented {
					t.Errorf("%s: Gateway %s answers for Gateway %s: %s", r.proxy, other, name, got)
				}
			}
		}
		// An address that is free again goes to the one that waits; everybody else keeps theirs.
		l.delete(&gatewayv1.Gateway{}, "any")
		l.tells("left", "Programmed", pool[1])
		l.tells("empty", "Programmed", pool[2])
		l.answers(pool[1], "any.Service", unimplemented)
		l.answers(pool[2], "empty.Service", "first")
	})
}

// delete deletes an object of namespace default.
func (l *lab) delete(o client.Object, name string) {
	l.Helper()
	o.SetNamespace("default")
	o.SetName(name)
	if err := l.client.Delete(l.Context(), o); err != nil {
		l.Fatal(err)
	}
}

// TestPublishedAddresses tells the addresses of a Service, or given ones, while all of the host are bound.
func TestPublishedAddresses(t *testing.T) {
	l, r := oneProxy(t, "haproxy")
	front := "---\n" + strings.Replace(harness.Service("default", "front", 8080), "spec:\n", "spec:\n  type: LoadBalancer\n", 1)
	l.Apply(anywhere("web") + l.service("first", 0) + route("base", "base.Service", []string{"web"}, backend{"first", 1}) + front)
	r.start("--publish-service", "default/front")
	l.tells("web", "AddressNotAssigned")
	// It serves: only what clients are told is missing.
	for _, address := range []string{harness.Address(t), "198.18.0.1"} {
		l.answers(address, "base.Service", "first")
	}
	var s corev1.Service
	if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: "front"}, &s); err != nil {
		t.Fatal(err)
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.10"}, {Hostname: "lb.test"}}
	if err := l.client.Status().Update(l.Context(), &s); err != nil {
		t.Fatal(err)
	}
	l.tells("web", "Programmed", "192.0.2.10", "lb.test")
	// Without a load balancer it is the cluster IP.
	s.Spec.Type, s.Status.LoadBalancer = corev1.ServiceTypeClusterIP, corev1.LoadBalancerStatus{}
	if err := l.client.Update(l.Context(), &s); err != nil {
		t.Fatal(err)
	}
	l.tells("web", "Programmed", s.Spec.ClusterIP)
	r.end()

	r.start("--publish-address", "203.0.113.7,gateway.test")
	l.tells("web", "Programmed", "203.0.113.7", "gateway.test")
	l.answers(harness.Address(t), "base.Service", "first")
}

// TestProgrammed shows that Programmed waits for the proxy: nothing is said of a generation that it doesn't answer with, for
// a while because it stands still, or for good because it can't bind an address.
func TestProgrammed(t *testing.T) {
	eachProxy(t, func(l *lab, r *replica) {
		address := harness.Address(t)
		r.start("--reload-timeout", "3s")
		l.Apply(gateway("web", address))
		l.tells("web", "Programmed", address)
		resume := r.freeze()
		l.Apply(strings.Replace(gateway("web", address), "listeners: [", "listeners: [{name: more, port: 8081, protocol: HTTP}, ", 1))
		l.tells("web", "Pending", address)
		resume()
		l.tells("web", "Programmed", address)

		l.Apply(gateway("far", "203.0.113.9"))
		l.tells("far", "AddressNotUsable", "203.0.113.9")
		l.until("say why", func() error {
			var g gatewayv1.Gateway
			if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: "far"}, &g); err != nil {
				return err
			}
			c := meta.FindStatusCondition(g.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed))
			if !strings.Contains(c.Message, "203.0.113.9:8080 can't be bound") {
				return errors.New(c.Message)
			}
			return nil
		})
		l.tells("web", "Programmed", address)
	})
}
