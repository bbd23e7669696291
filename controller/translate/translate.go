package translate

import (
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// DefaultController is the controllerName of the GatewayClasses that are served.
const DefaultController = "gatewright.io/gateway-controller"

// Backends says where the addresses of a Service come from.
type Backends string

// The values of Backends, as `--backends` takes them.
const (
	// BackendsEndpoints are the addresses of EndpointSlices.
	BackendsEndpoints Backends = "endpoints"
	// BackendsDNS is the Service's name in the cluster's DNS.
	BackendsDNS Backends = "dns"
	// BackendsClusterIP is the Service's cluster IP.
	BackendsClusterIP Backends = "clusterip"
)

// Options of Translate. The zero value is the default of each.
type Options struct {
	// Controller is the controllerName that makes a GatewayClass ours; "" is DefaultController.
	Controller string
	// Backends is BackendsEndpoints when "".
	Backends Backends
	// ClusterDomain is the end of the Services' DNS names; "" is "cluster.local".
	ClusterDomain string
	// Addresses say what Gateways bind and tell of.
	Addresses Addresses
	// BundleVersion is that of the Gateway API's resources in the cluster, such as "v1.6.3"; "" where it isn't known.
	BundleVersion string
}

// Result is what a snapshot comes to.
type Result struct {
	// Gateways is what to serve.
	Gateways model.Gateways
	// Reports hold the status of everything of ours, sorted by kind, namespace and name: GatewayClasses of
	// this controller, their Gateways, the routes, ListenerSets and BackendTLSPolicies that refer to them.
	Reports []status.Report
	// Edges say how the objects hang together, in an order to draw them in; refused ones have a reason.
	Edges []Edge
}

// Translate works out what to serve and what to say about it. Whatever is wrong with a resource is in its
// status: there is no error to return.
func Translate(s *resources.Snapshot, caps model.Capabilities, o Options) Result {
	g := newGraph(s, caps, o)
	g.addClasses()
	g.addGateways()
	g.addListenerSets()
	g.checkListeners()
	g.findConflicts()
	g.claimPorts()
	g.resolveCertificates()
	g.addRoutes()
	g.translateRules()
	g.attachRoutes()
	return Result{Gateways: g.model(), Reports: g.reports(), Edges: g.edges()}
}
