package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gatewright/gatewright/test/harness"
)

// measureMore measures, in a cluster, how long it takes from the write of one more route, and of another endpoint, to
// the first call that sees it, while a caller of another route counts what fails.
func measureMore(t harness.T, proxies []harness.Proxy, s settings) {
	program := harness.Program(t)
	sizes := slices.Sorted(slices.Values(numbers(t, "-others", s.others)))
	rows := [][]string{{"proxy", "other routes", "change", "changes", "after the answer: p50", "p99", "after the request: p50", "p99",
		"calls beside", "failed"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		c := newSite(scope, program, p)
		c.createServices(siteServices, c.listen)
		moving := c.prepare()
		have := 0
		for _, others := range sizes {
			c.create(otherRoutes(others, siteServices)[have:]...)
			have = others
			c.awaitAttached(len(ownRoutes) + others)
			for _, k := range []arrivals{
				{"a new route", func(i int) arrival { return c.newRoute(i, "own-0", len(ownRoutes)+others) }, 0},
				{"a new route of a new Service", func(i int) arrival { return c.newRoute(i, "unused", len(ownRoutes)+others) }, 0},
				{"another endpoint", func(int) arrival { return c.otherEndpoint(moving) }, questionPause},
			} {
				c.awaitQuiet()
				end := c.load(1, ownRoutes[0])
				answered, requested := k.measure(s)
				beside := end()
				if beside.failed > 0 {
					t.Errorf("%s, %d other routes, %s: %s", p, others, k.name, beside)
				}
				row := slices.Concat([]string{p.String(), strconv.Itoa(others), k.name, strconv.Itoa(len(answered))},
					percentiles(answered), percentiles(requested), []string{strconv.Itoa(beside.calls), strconv.Itoa(beside.failed)})
				t.Logf("more: %v", row)
				rows = append(rows, row)
			}
		}
		scope.End()
	}
	table("From a write to the cluster to the first call that sees it", rows)
}

// ownRoutes are the services of gRPC that are there all the time: one for the caller, and one whose endpoint changes.
var ownRoutes = []string{"base.Service", "moving.Service"}

// arrival is how long it took until a call saw a change: from the API server's answer to the write, and from the
// request.
type arrival struct{ answered, requested time.Duration }

// arrivals is a kind of change that is measured.
type arrivals struct {
	name   string
	change func(i int) arrival
	// rest is how long each change keeps from the one before.
	rest time.Duration
}

// measure makes changes until there are enough or the time for them is over, and sorts what they took.
func (a arrivals) measure(s settings) (answered, requested []time.Duration) {
	start := time.Now()
	for i := 0; i < s.more && (i < fewest || time.Since(start) < s.moreTime); i++ {
		<-time.After(a.rest)
		took := a.change(i)
		answered, requested = append(answered, took.answered), append(requested, took.requested)
	}
	slices.Sort(answered)
	slices.Sort(requested)
	return answered, requested
}

// prepare creates the own routes with a Service each, and one without a route. It returns the EndpointSlice of the
// last route.
func (s *site) prepare() *discoveryv1.EndpointSlice {
	service, slice := siteService("unused", s.listen("unused"))
	s.create(service, slice)
	var last *discoveryv1.EndpointSlice
	for i, own := range ownRoutes {
		name := fmt.Sprintf("own-%d", i)
		service, slice := siteService(name, s.listen(name))
		s.create(service, slice, grpcRoute(siteGateway, name, own, name))
		s.until(own, isOK)
		last = slice
	}
	return last
}

// arrive makes a write and waits for what a call sees of it.
func (s *site) arrive(gRPC string, want func(harness.Reply) bool, write func(context.Context) error) arrival {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), siteLimit)
	defer cancel()
	start := time.Now()
	if err := write(ctx); err != nil {
		s.t.Fatalf("%v", err)
	}
	answer := time.Since(start)
	took := s.until(gRPC, want)
	return arrival{answered: took, requested: answer + took}
}

// newRoute creates a route to a Service beside so many other routes, and deletes it again.
func (s *site) newRoute(i int, backend string, others int) arrival {
	gRPC := fmt.Sprintf("new%d.Service", i)
	route := grpcRoute(siteGateway, "new", gRPC, backend)
	took := s.arrive(gRPC, isOK, func(ctx context.Context) error { return s.api.Create(ctx, route) })
	s.awaitAttached(others + 1)
	s.arrive(gRPC, unimplemented, func(ctx context.Context) error { return s.api.Delete(ctx, route) })
	s.awaitAttached(others)
	return took
}

// otherEndpoint gives the Service of an EndpointSlice another endpoint, where nobody has called yet.
func (s *site) otherEndpoint(slice *discoveryv1.EndpointSlice) arrival {
	before := slice.DeepCopy()
	address := s.listen("own-1")
	slice.Endpoints[0].Addresses = []string{address}
	return s.arrive(ownRoutes[1], func(r harness.Reply) bool { return r.Echo.Endpoint == fmt.Sprintf("%s:%d", address, changePort) },
		func(ctx context.Context) error { return s.api.Patch(ctx, slice, client.MergeFrom(before)) })
}
