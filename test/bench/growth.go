package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// measureGrowth measures how long it takes from the last of many routes that are created at once until all of
// them are served and counted, and how often statuses are written meanwhile. Each round has a cluster of its own.
func measureGrowth(t harness.T, proxies []harness.Proxy, s settings) {
	program := harness.Program(t)
	rows := [][]string{{"proxy", "routes", "created in", "the last one serves after", "all are counted after", "all statuses are there after",
		"writes to routes", "the most to one", "to the Gateway", "conflicts"}}
	for _, p := range proxies {
		for range s.growthRounds {
			scope := harness.NewScope(t)
			row := newSite(scope, program, p).grow(s.growth)
			t.Logf("growth: %v", row)
			rows = append(rows, row)
			scope.End()
		}
	}
	table("Many routes at once", rows)
}

func (s *site) grow(n int) []string {
	s.createServices(siteServices, s.listen)
	s.awaitQuiet()
	before, _ := s.tallies()
	routes := otherRoutes(n, siteServices)
	start := time.Now()
	s.create(routes...)
	created := time.Now()
	serves := s.until(serviceOfRoute(lastCreated(s.t, routes)), isOK)
	counted := s.awaitAttached(n)
	s.awaitQuiet()
	written := s.statuses.newest()
	s.checkAll(routes)

	after, most := s.tallies()
	return []string{
		s.proxy.String(), strconv.Itoa(n), milliseconds(created.Sub(start)), milliseconds(serves), milliseconds(counted.Sub(created)),
		milliseconds(written.Sub(created)), strconv.Itoa(after.routes - before.routes), strconv.Itoa(most),
		strconv.Itoa(after.gateway - before.gateway), strconv.Itoa(after.conflicts - before.conflicts),
	}
}

// tally is how many statuses the controller says it has written, and how many the API server refused for the
// object had changed meanwhile.
type tally struct{ gateway, routes, conflicts int }

// tallies makes sure that the controller's own count is the API server's, and says how often the route was
// written that was most often.
func (s *site) tallies() (own tally, most int) {
	s.t.Helper()
	count := func(kind, result string) int {
		text, err := s.controller.Metric(fmt.Sprintf("gatewright_status_writes_total{kind=%q,result=%q}", kind, result))
		if err != nil {
			s.t.Fatalf("gatewright's metrics: %v", err)
		}
		n, _ := strconv.Atoi(text) // None is 0.
		return n
	}
	own = tally{count("Gateway", "ok"), count("GRPCRoute", "ok"), count("Gateway", "conflict") + count("GRPCRoute", "conflict")}
	gateway, routes, most := s.statuses.written()
	if own.gateway != gateway || own.routes != routes {
		s.t.Errorf("the controller counts %d writes to the Gateway and %d to routes, the API server %d and %d", own.gateway, own.routes,
			gateway, routes)
	}
	return own, most
}

// checkAll calls every route once.
func (s *site) checkAll(routes []client.Object) {
	for _, o := range routes {
		if r := s.client.Do(s.call(serviceOfRoute(o))); !isOK(r) {
			s.t.Errorf("%s: %s %s", o.GetName(), r.Code, r.Message)
		}
	}
}

// lastCreated is the object with the newest version: the one that was created last.
func lastCreated(t harness.T, all []client.Object) client.Object {
	return slices.MaxFunc(all, func(a, b client.Object) int { return cmp.Compare(version(t, a), version(t, b)) })
}

func version(t harness.T, o client.Object) uint64 {
	n, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	if err != nil {
		t.Fatalf("the resourceVersion of %s: %v", o.GetName(), err)
	}
	return n
}

// serviceOfRoute is the service of gRPC that a route is for.
func serviceOfRoute(o client.Object) string {
	return *o.(*gatewayv1.GRPCRoute).Spec.Rules[0].Matches[0].Method.Service
}
