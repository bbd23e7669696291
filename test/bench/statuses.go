package main

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/harness"
)

// statuses are what the API server says about the statuses of the Gateway and of GRPCRoutes, whose specs nobody
// changes: each version after the first is a status that was written.
type statuses struct {
	mu      sync.Mutex
	routes  int       // that the Gateway counts,
	since   time.Time // and when it began to.
	gateway int       // writes to the Gateway
	writes  map[string]int
	last    time.Time
}

// watchStatuses follows the statuses until t ends. No Gateway or route may be there yet.
func watchStatuses(t harness.T, c client.WithWatch) *statuses {
	t.Helper()
	s := &statuses{writes: map[string]int{}, last: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		tasks.Wait()
	})
	routes := &metav1.PartialObjectMetadataList{}
	routes.SetGroupVersionKind(schema.GroupVersion(gatewayv1.GroupVersion).WithKind("GRPCRouteList"))
	for list, note := range map[client.ObjectList]func(watch.Event){&gatewayv1.GatewayList{}: s.noteGateway, routes: s.noteRoute} {
		if err := c.List(ctx, list); err != nil {
			t.Fatalf("list what has a status: %v", err)
		}
		// The API server ends watches of a kind whose CRD is new, so that they have to begin again where they were.
		w, err := toolswatch.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return c.Watch(ctx, list, client.InNamespace(siteNamespace), &client.ListOptions{Raw: &o})
			},
		})
		if err != nil {
			t.Fatalf("watch statuses: %v", err)
		}
		tasks.Go(func() {
			for event := range w.ResultChan() {
				note(event)
			}
			if ctx.Err() == nil {
				t.Errorf("the watching of statuses has ended")
			}
		})
	}
	return s
}

func (s *statuses) noteGateway(event watch.Event) {
	gateway, ok := event.Object.(*gatewayv1.Gateway)
	if !ok || gateway.Name != siteGateway {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if event.Type == watch.Modified {
		s.gateway++
		s.last = time.Now()
	}
	routes := 0
	for _, l := range gateway.Status.Listeners {
		routes += int(l.AttachedRoutes)
	}
	if routes != s.routes {
		s.routes, s.since = routes, time.Now()
	}
}

func (s *statuses) noteRoute(event watch.Event) {
	route, ok := event.Object.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch event.Type {
	case watch.Modified:
		s.writes[route.Name]++
		s.last = time.Now()
	case watch.Deleted:
		delete(s.writes, route.Name)
	}
}

// attached is how many routes the Gateway counts, and since when.
func (s *statuses) attached() (int, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.routes, s.since
}

// newest is when the last status was written.
func (s *statuses) newest() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// written is how often the Gateway was written, and routes: all of them, and the one that was most often.
func (s *statuses) written() (gateway, routes, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.writes {
		routes += n
		most = max(most, n)
	}
	return s.gateway, routes, most
}
