package controller

import "testing"

// TestQueueOrder: Gateways come before the routes that wait already.
func TestQueueOrder(t *testing.T) {
	q := newQueue()
	defer q.ShutDown()
	route := func(n string) object { return object{"GRPCRoute", name{Namespace: "ns", Name: n}} }
	gateway, class := object{"Gateway", name{Namespace: "ns", Name: "gw"}}, object{"GatewayClass", name{Name: "c"}}
	for _, o := range []object{route("a"), route("b"), gateway, route("a"), class, gateway} {
		q.Add(o)
	}
	for i, want := range []object{gateway, class, route("a"), route("b")} {
		if got, end := q.Get(); end || got != want {
			t.Errorf("number %d is %v, want %v", i, got, want)
		} else {
			q.Done(got)
		}
	}
	if n := q.Len(); n != 0 {
		t.Errorf("%d are left", n)
	}
}
