package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// setListener is a listener of a ListenerSet, with a route of namespace default on it.
const setListener = `---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {namespace: NAMESPACE, name: more}
spec:
  parentRef: {name: web, namespace: default}
  listeners: [{name: web, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: pair}]}, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {namespace: default, name: set}
spec:
  parentRefs: [{kind: ListenerSet, name: more, namespace: NAMESPACE}]
  rules: [{backendRefs: [{name: second, port: PORT}]}]
`

// label gives namespace otherNamespace the label that the Gateway asks for, or another.
func (l *lab) label(team string) {
	l.Helper()
	l.Apply(fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {team: %s}}\n", otherNamespace, team))
}

// TestListenerSets: a ListenerSet of another namespace is served while its Gateway takes it, with a certificate of its own
// namespace. Its coming and going changes nothing for the Gateway's own listener.
func TestListenerSets(t *testing.T) {
	eachProxy(t, func(l *lab, r *replica) {
		address := l.address()
		l.label("blue")
		l.Apply(strings.Replace(gateway("web", address), "gatewayClassName: gatewright",
			"gatewayClassName: gatewright\n  allowedListeners: {namespaces: {from: Selector, selector: {matchLabels: {team: blue}}}}", 1) +
			l.service("first", 0) + l.service("second", 0) + route("base", "base.Service", []string{"web"}, backend{"first", 1}) +
			"---\n" + harness.Secret(otherNamespace, "pair", harness.Certificate(l, "h.test")) +
			strings.NewReplacer("NAMESPACE", otherNamespace, "PORT", fmt.Sprint(port)).Replace(setListener))
		r.start()
		l.setTold(1, "Programmed")
		l.setServed(address)
		l.label("red")
		l.setTold(0, "NotAllowed")
		l.until("close the port", func() error {
			if reply := l.setCall(address); reply.FromServer() {
				return fmt.Errorf("%s answers", reply.Backend())
			}
			return nil
		})
		l.answers(address, "base.Service", "first")
		l.label("blue")
		l.setTold(1, "Programmed")
		l.setServed(address)
		// Without it and without spec.allowedListeners the Gateway's status says nothing of ListenerSets.
		set := &gatewayv1.ListenerSet{ObjectMeta: metav1.ObjectMeta{Namespace: otherNamespace, Name: "more"}}
		if err := l.client.Delete(l.Context(), set); err != nil {
			l.Fatal(err)
		}
		l.Apply(gateway("web", address))
		l.until("forget the ListenerSet", func() error {
			var g gatewayv1.Gateway
			if err := l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: "web"}, &g); err != nil {
				return err
			}
			if g.Spec.AllowedListeners != nil || g.Status.AttachedListenerSets != nil {
				return fmt.Errorf("%+v, attachedListenerSets %v", g.Spec.AllowedListeners, g.Status.AttachedListenerSets)
			}
			if n := len(l.grpcRoute("set").Status.Parents); n > 0 {
				return fmt.Errorf("the route has %d parents", n)
			}
			return nil
		})
		l.answers(address, "base.Service", "first")
	})
}

// setTold returns when the ListenerSet's Programmed has a reason, its listener is told of when it is attached, and the
// Gateway counts it.
func (l *lab) setTold(attached int32, reason string) {
	l.Helper()
	l.until("tell of the ListenerSet: "+reason, func() error {
		var g gatewayv1.Gateway
		var s gatewayv1.ListenerSet
		if err := errors.Join(l.client.Get(l.Context(), client.ObjectKey{Namespace: "default", Name: "web"}, &g),
			l.client.Get(l.Context(), client.ObjectKey{Namespace: otherNamespace, Name: "more"}, &s)); err != nil {
			return err
		}
		if n := g.Status.AttachedListenerSets; n == nil || *n != attached {
			return fmt.Errorf("attachedListenerSets is %v, want %d", n, attached)
		}
		c := meta.FindStatusCondition(s.Status.Conditions, "Programmed")
		if c == nil || c.Reason != reason || c.ObservedGeneration != s.Generation {
			return fmt.Errorf("conditions of the ListenerSet: %+v", s.Status.Conditions)
		}
		if len(s.Status.Listeners) != int(attached) {
			return fmt.Errorf("listeners of the ListenerSet: %+v", s.Status.Listeners)
		}
		for _, listener := range s.Status.Listeners {
			if listener.AttachedRoutes != 1 {
				return fmt.Errorf("%d attached routes", listener.AttachedRoutes)
			}
			if err := isTrue(listener.Conditions, "Programmed", s.Generation); err != nil {
				return err
			}
		}
		return isTrue(g.Status.Conditions, "Programmed", g.Generation)
	})
}

func (l *lab) setCall(address string) harness.Reply {
	l.Helper()
	c := callTo(address, "any.Service")
	c.Address, c.TLS = address+":8443", true
	l.fresh.Close()
	return l.fresh.Do(c)
}

func (l *lab) setServed(address string) {
	l.Helper()
	l.until("serve the ListenerSet", func() error {
		if r := l.setCall(address); r.Backend() != "second" {
			return fmt.Errorf("%s (%s)", r.Backend(), r.Message)
		}
		return nil
	})
}
