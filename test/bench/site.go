package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/test/cluster"
	"github.com/gatewright/gatewright/test/harness"
)

const (
	siteNamespace = "default"
	siteClass     = "bench"
	siteGateway   = "gw"
	// siteNetwork has the addresses of endpoints, for a cluster takes none of 127.0.0.0/8.
	siteNetwork = "198.18.0.0/16"
	// siteServices is how many Services the routes take in turns.
	siteServices = 100
	// creators is how many objects are created at a time.
	creators = 32
	// siteLimit is how long anything may take.
	siteLimit = 10 * time.Minute
)

// site is a cluster with one Gateway, which `gatewright controller` serves.
type site struct {
	probe
	proxy    harness.Proxy
	program  string
	cluster  *cluster.Cluster
	api      client.Client
	backends *harness.Backends
	// endpoints is how many addresses of the network have a server.
	endpoints int
	statuses  *statuses
	// controller serves the Gateway, and stops with running.
	controller *cluster.Controller
	running    *harness.Scope
}

// newSite starts a control plane and the controller, makes the Gateway, and returns when that is served.
func newSite(t harness.T, program string, p harness.Proxy) *site {
	c := cluster.Start(t, cluster.Options{})
	c.InstallGatewayAPI(cluster.Standard)
	s := &site{
		probe: newProbe(t), proxy: p, program: program, cluster: c, api: c.Client(), backends: harness.NewBackends(t),
	}
	s.statuses = watchStatuses(t, c.Client())
	s.startController()
	t.Cleanup(s.stopController)
	s.create(newGateway(siteGateway, siteClass, s.address))
	s.until("no.Service", unimplemented)
	return s
}

// startController starts a controller with an empty state folder. It stops with the site, or before that by
// stopController.
func (s *site) startController() {
	s.running = harness.NewScope(s.t)
	s.controller = s.cluster.StartGatewright(s.running, cluster.Gatewright{
		Program: s.program, Proxy: s.proxy, Class: siteClass, Args: []string{"--drain", "5s"},
	})
}

func (s *site) stopController() { s.running.End() }

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: siteNamespace, Name: name}
}

// newGateway is a Gateway with the port that a probe calls.
func newGateway(name, class, address string) *gatewayv1.Gateway {
	ip := gatewayv1.IPAddressType
	return &gatewayv1.Gateway{
		ObjectMeta: named(name),
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(class),
			Addresses:        []gatewayv1.GatewaySpecAddress{{Type: &ip, Value: address}},
			Listeners:        []gatewayv1.Listener{{Name: "grpc", Port: 8080, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}
}

// grpcRoute is a route with one rule, for a service of gRPC.
func grpcRoute(gateway, name, service, backend string) *gatewayv1.GRPCRoute {
	port := gatewayv1.PortNumber(changePort)
	return &gatewayv1.GRPCRoute{
		ObjectMeta: named(name),
		Spec: gatewayv1.GRPCRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: gatewayv1.ObjectName(gateway)}}},
			Rules: []gatewayv1.GRPCRouteRule{{
				Matches: []gatewayv1.GRPCRouteMatch{{Method: &gatewayv1.GRPCMethodMatch{Service: &service}}},
				BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(backend), Port: &port},
				}}},
			}},
		},
	}
}

// otherRoutes are n routes to so many Services in turns.
func otherRoutes(n, services int) []client.Object {
	var out []client.Object
	for i := range n {
		out = append(out, grpcRoute(siteGateway, fmt.Sprintf("route-%d", i), service(i), backend(i, services)))
	}
	return out
}

// siteService is a Service and its EndpointSlice with one endpoint.
func siteService(name, address string) (*corev1.Service, *discoveryv1.EndpointSlice) {
	port, ready, protocol := int32(changePort), true, corev1.ProtocolTCP
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: named(name + "-1"), AddressType: discoveryv1.AddressTypeIPv4,
		Ports:     []discoveryv1.EndpointPort{{Name: new(string), Port: &port, Protocol: &protocol}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: name}
	return &corev1.Service{
		ObjectMeta: named(name),
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: port, Protocol: protocol}}},
	}, slice
}

// listen starts a server behind a Service, at the next address of the network.
func (s *site) listen(name string) string {
	s.endpoints++
	address := fmt.Sprintf("198.18.%d.%d", s.endpoints/250, 1+s.endpoints%250)
	s.backends.Listen(fmt.Sprintf("%s/%s:%d", siteNamespace, name, changePort), address, changePort)
	return address
}

// createServices creates the Services that routes take in turns, with the endpoints that are given for their names.
func (s *site) createServices(n int, at func(name string) string) {
	var all []client.Object
	for i := range n {
		name := backend(i, n)
		service, slice := siteService(name, at(name))
		all = append(all, service, slice)
	}
	s.create(all...)
}

// create creates objects, many at a time.
func (s *site) create(objects ...client.Object) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), siteLimit)
	defer cancel()
	var next atomic.Int64
	var all sync.WaitGroup
	problems := make(chan error, creators)
	for range creators {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(objects)); i = next.Add(1) - 1 {
				if err := s.api.Create(ctx, objects[i]); err != nil {
					problems <- fmt.Errorf("create %T %s: %w", objects[i], objects[i].GetName(), err)
					return
				}
			}
		})
	}
	all.Wait()
	close(problems)
	for err := range problems {
		s.t.Fatalf("%v", err)
	}
}

// awaitAttached returns when the status of the Gateway counts so many routes, and says since when it has.
func (s *site) awaitAttached(n int) time.Time {
	s.t.Helper()
	var at time.Time
	s.controller.Await(fmt.Sprintf("count %d routes", n), siteLimit, func() error {
		attached, since := s.statuses.attached()
		if attached != n {
			return fmt.Errorf("it counts %d", attached)
		}
		at = since
		return nil
	})
	return at
}

// quiet is how long no status may have been written to call it the last one. The controller writes the status of
// a Gateway once a second while that goes on changing.
const quiet = 3 * time.Second

// awaitQuiet returns when no statuses are written any more.
func (s *site) awaitQuiet() {
	s.t.Helper()
	s.controller.Await("have written all statuses", siteLimit, func() error {
		if since := time.Since(s.statuses.newest()); since < quiet {
			return fmt.Errorf("the last one was written %s ago", since)
		}
		return nil
	})
}

func unimplemented(r harness.Reply) bool { return r.Code == codes.Unimplemented && r.FromServer() }

func isOK(r harness.Reply) bool { return r.Code == codes.OK }
