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
	// CrossServing is CrossServingExclusive when "".
	CrossServing CrossServing
	// Addresses say what Gateways bind and tell of.
	Addresses Addresses
	// Whole says that the snapshot is all there is, as manifests are: what names a parent that isn't in it is refused, while in a cluster
	// that may be somebody else's.
	Whole bool
	// BundleVersion is that of the Gateway API's resources in the cluster, such as "v1.7.0"; "" where it isn't known.
	BundleVersion string
}

// Result is what a snapshot comes to.
type Result struct {
	// Gateways is what to serve.
	Gateways model.Gateways
	graph    *graph
}

// Translate is Translator.Translate for one snapshot alone.
func Translate(s *resources.Snapshot, caps model.Capabilities, o Options) Result {
	return new(Translator).Translate(s, caps, o)
}

// Reports are the status of everything of ours, sorted by kind, namespace and name: GatewayClasses of
// this controller, their Gateways, the routes, ListenerSets and BackendTLSPolicies that refer to them. They are made
// when they are first asked for, because serving doesn't wait for them, and are to be read only.
func (r Result) Reports() []status.Report { return r.graph.told() }

// Edges say how the objects hang together, in an order to draw them in; refused ones have a reason.
func (r Result) Edges() []Edge { return r.graph.edges() }

// HasGateways says whether any Gateway is ours, served or refused.
func (r Result) HasGateways() bool { return len(r.graph.gateways) > 0 }

// translate does it all, step by step. The graph stays as it is afterwards.
func (g *graph) translate() Result {
	g.addClasses()
	g.addGateways()
	g.addListenerSets()
	g.checkListeners()
	g.validateClients()
	g.findConflicts()
	g.claimPorts()
	g.resolveCertificates()
	g.findBinds()
	g.addRoutes()
	g.translateRules()
	g.attachRoutes()
	for _, gw := range g.gateways {
		gw.noteDefaults()
	}
	return Result{Gateways: g.model(), graph: g}
}
