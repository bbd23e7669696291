package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// measureFootprint measures what the controller's own process takes, beside its proxy, with many routes and as many
// Services: memory and processor time when they come, when it starts and they are there, and when nothing happens
// that concerns it.
func measureFootprint(t harness.T, proxies []harness.Proxy, s settings) {
	program := harness.Program(t)
	busy := [][]string{{"proxy", "routes and Services", "what goes on", "until the last one serves", "CPU", "memory", "peak"}}
	idle := [][]string{{"proxy", "routes and Services", "what goes on", "for", "CPU", "of one CPU", "memory"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		c := newSite(scope, program, p)
		names := []string{p.String(), strconv.Itoa(s.footprint)}
		for _, row := range c.footprints(s.footprint) {
			busy = append(busy, append(names[:2:2], row...))
		}
		for _, row := range c.idling(s.foreign, s.idle) {
			idle = append(idle, append(names[:2:2], row...))
		}
		scope.End()
	}
	table("What the controller takes", busy)
	table("What the controller takes while nothing of its own changes", idle)
}

// footprints are what the controller takes: one that is there when routes and Services come, and one that starts then.
func (s *site) footprints(n int) (rows [][]string) {
	before := s.cpu()
	start := time.Now()
	address := s.listen("all")
	s.createServices(n, func(string) string { return address })
	routes := otherRoutes(n, n)
	s.create(routes...)
	s.awaitAttached(n)
	last := serviceOfRoute(lastCreated(s.t, routes))
	rows = append(rows, s.footprint("they are created", last, start, before))

	s.stopController()
	start = time.Now()
	s.startController()
	return append(rows, s.footprint("it starts", last, start, 0))
}

// footprint is what the controller has taken since it had taken so much processor time, when all is done.
func (s *site) footprint(what, last string, start time.Time, before time.Duration) []string {
	s.until(last, isOK)
	serves := time.Since(start)
	s.awaitQuiet()
	row := []string{
		what, milliseconds(serves), milliseconds(s.cpu() - before),
		megabytes(procStatus(s.t, s.controller.PID(), "VmRSS")), megabytes(procStatus(s.t, s.controller.PID(), "VmHWM")),
	}
	s.t.Logf("footprint: %v", row)
	return row
}

// idling is what the controller takes while nothing changes, and while n routes of another class change, one after
// the other over the time.
func (s *site) idling(n int, during time.Duration) (rows [][]string) {
	const other = "other"
	s.create(&gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: other},
		Spec: gatewayv1.GatewayClassSpec{ControllerName: "example.com/other"}})
	s.create(newGateway(other, other, s.address))
	var routes []client.Object
	for i := range n {
		routes = append(routes, grpcRoute(other, fmt.Sprintf("other-%d", i), service(i), "all"))
	}
	s.create(routes...)
	s.awaitQuiet()
	rows = append(rows, s.idle("nothing", func() { <-time.After(during) }))
	return append(rows, s.idle(fmt.Sprintf("%d routes of another class change", n), func() {
		ctx, cancel := context.WithTimeout(context.Background(), siteLimit)
		defer cancel()
		pace := time.NewTicker(during / time.Duration(n))
		defer pace.Stop()
		for _, o := range routes {
			<-pace.C
			before := o.DeepCopyObject().(client.Object)
			o.(*gatewayv1.GRPCRoute).Spec.Hostnames = []gatewayv1.Hostname{"other.test"}
			if err := s.api.Patch(ctx, o, client.MergeFrom(before)); err != nil {
				s.t.Fatalf("change a route of another class: %v", err)
			}
		}
	}))
}

// idle is what the controller takes while something goes on.
func (s *site) idle(what string, goOn func()) []string {
	before, start := s.cpu(), time.Now()
	goOn()
	took, spent := time.Since(start), s.cpu()-before
	row := []string{
		what, milliseconds(took), milliseconds(spent), fmt.Sprintf("%.2f %%", 100*spent.Seconds()/took.Seconds()),
		megabytes(procStatus(s.t, s.controller.PID(), "VmRSS")),
	}
	s.t.Logf("idle: %v", row)
	return row
}

// cpu is the processor time that the controller has taken, in and for its own code.
func (s *site) cpu() time.Duration {
	stat := fmt.Sprintf("/proc/%d/stat", s.controller.PID())
	// User and system time, in hundredths of a second.
	return time.Duration(number(s.t, stat, 11)+number(s.t, stat, 12)) * 10 * time.Millisecond
}
