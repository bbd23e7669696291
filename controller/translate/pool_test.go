package translate

import (
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/resources"
)

// TestPoolBeforeStatus: a Gateway keeps the address that it was given first, also while no status says so yet, and others come and go.
func TestPoolBeforeStatus(t *testing.T) {
	class := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "ours"},
		Spec: gatewayv1.GatewayClassSpec{ControllerName: DefaultController}}
	gateway := func(name, address string, age time.Duration) *gatewayv1.Gateway {
		g := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name),
			CreationTimestamp: metav1.NewTime(time.Unix(0, 0).Add(-age))},
			Spec: gatewayv1.GatewaySpec{GatewayClassName: "ours", Listeners: []gatewayv1.Listener{{Name: "l", Port: 80, Protocol: "HTTP"}}}}
		if address != "" {
			g.Status.Addresses = []gatewayv1.GatewayStatusAddress{ipAddress(address)}
		}
		return g
	}
	leaves, first, second := gateway("leaves", "192.0.2.1", time.Hour), gateway("first", "", 0), gateway("second", "", 0)
	translator := &Translator{}
	translate := func(gateways ...*gatewayv1.Gateway) map[string]string {
		r := translator.Translate(&resources.Snapshot{GatewayClasses: []*gatewayv1.GatewayClass{class}, Gateways: gateways}, nginx,
			Options{Addresses: Addresses{Pool: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/29")}}})
		got := map[string]string{}
		for _, g := range r.Gateways.Gateways {
			got[g.Name] = g.Addresses[0]
		}
		return got
	}
	had := translate(leaves, first)["first"]
	if got := translate(first, second); got["first"] != had || got["second"] == had || got["second"] == "" {
		t.Errorf("the addresses are %v, and first had %s", got, had)
	}
	// What a status says goes before, for another replica may have written it.
	told := gateway("first", "192.0.2.5", 0)
	if got := translate(told, second); got["first"] != "192.0.2.5" {
		t.Errorf("the addresses are %v, and the status of first says 192.0.2.5", got)
	}
}
