package translate

import (
	"cmp"
	"net/netip"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

// graph is the snapshot as translation sees it: the objects that concern this controller, joined to each
// other. The steps of Translate fill it in, each from what the ones before it found.
type graph struct {
	in      *resources.Snapshot
	caps    model.Capabilities
	options Options

	index    index
	classes  []*class
	byClass  map[gatewayv1.ObjectName]*class
	gateways []*gateway // oldest first
	byName   map[name]*gateway
	sets     []*listenerSet // oldest first
	bySet    map[name]*listenerSet
	routes   []*route // oldest first, both kinds

	keyPairs  map[name]*keyPair
	caBundles map[referent.Object]*caBundle
	clusters  map[clusterKey]*cluster
	policies  []*policy
	bundles   map[string]model.Bundle
	patterns  map[string]parsedPattern
	// binds are where the listeners that are served are reached, with their Gateways.
	binds map[netip.AddrPort]name
	// before is what was translated before, for the same capabilities; nil for nothing.
	before *Translator
	// ruleSlab and parentSlab are where rules of the model and parents are cut from: one allocation for many.
	ruleSlab   []model.Rule
	parentSlab []parent
	// told are the reports, once somebody asks for them.
	told func() []status.Report
}

// name is the namespace and name of an object.
type name struct{ namespace, name string }

func (n name) String() string { return n.namespace + "/" + n.name }

func compareNames(a, b name) int {
	return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
}

func nameOf(o metav1.Object) name { return name{o.GetNamespace(), o.GetName()} }

func namedBy(o referent.Object) name { return name{o.Namespace, o.Name} }

// older orders objects as the API does on conflicts.
func older(a, b *metav1.ObjectMeta) int { return ageOf(a).Compare(ageOf(b)) }

func ageOf(o *metav1.ObjectMeta) model.Age {
	return model.Age{Created: o.CreationTimestamp.Time, Namespace: o.Namespace, Name: o.Name}
}

// problem is a reason and a message for a condition.
type problem struct{ reason, message string }

type class struct {
	object  *gatewayv1.GatewayClass
	refused string
	// parameters are those that it names, also where they can't be kept; nil for none.
	parameters *parameters
}

type gateway struct {
	name      name
	object    *gatewayv1.Gateway
	class     *class
	addresses []string // IP addresses to bind; none is all
	// published are what status tells of, where it isn't the addresses to bind.
	published []gatewayv1.GatewayStatusAddress
	// refused is why nothing of the Gateway is served; unprogrammed why some address of it isn't.
	refused, unprogrammed *problem
	// unserved says that the Gateway has no address to bind.
	unserved  bool
	listeners []*listener
	// sets are the ListenerSets that are attached, the oldest first, and all the Gateway's listeners followed by theirs.
	sets []*listenerSet
	all  []*listener
	// shares says that routes of both kinds may have a host (R25).
	shares bool
	// portKinds are the routes that made a port one for their kind, where it can't be for both.
	portKinds map[int32]*route
	// notes are about fields that change nothing, and stand in the message of Accepted.
	notes []string
	refs  []problem
	// validations are by field, those that listeners have.
	validations map[string]*clientValidation
	// client is what it shows to endpoints; nil when it doesn't say.
	client *clientCertificate
	// parameters are its own, also where they can't be kept, and defaults what they and the class's come to for calls; nil for none.
	parameters *parameters
	defaults   *callDefaults
	// connections are what they come to for the connections of clients; nil for nothing.
	connections *model.Connections
	// rules are those of routes as it serves them, where they aren't what all Gateways share.
	rules map[*route][]*model.Rule
}

type listener struct {
	gateway  *gateway
	set      *listenerSet // nil for the Gateway's own
	spec     *gatewayv1.Listener
	field    string // "spec.listeners[0]"
	hostname string
	// refused is the reason of Accepted=False, conflict of Conflicted=True.
	refused, conflict *problem
	refs              []problem // ResolvedRefs=False
	notes             []string  // about certificates and CAs, for the message of ResolvedRefs
	portKind          []string  // whose port it is where it can't be for both kinds of routes, for the message of Accepted
	overlaps          []string  // names of listeners
	keyPairs          []*keyPair
	clients           *model.ClientValidation // nil for no certificates of clients
	kinds             []gatewayv1.RouteGroupKind
	allowed           map[model.RouteKind]bool // kinds of routes
	namespaces        namespaceRule
	attached          int32

	hosts  map[model.RouteKind]*hostSet // only when routes of both kinds exist
	last   *route                       // the last route that was attached
	scopes map[scopeKey]*scope
	loads  map[string]hostLoad // by hostname, those above included
}

type scopeKey struct {
	hostname string
	kind     model.RouteKind
}

type scope struct {
	scopeKey
	rules []*model.Rule
}

type listenerSet struct {
	object  *gatewayv1.ListenerSet
	name    name
	gateway *gateway
	// refused is why the Gateway doesn't take it: then it has no listeners.
	refused   *problem
	listeners []*listener
}

type route struct {
	*routeSpec
	*routeRules
	parents []*parent
}

// routeSpec is what a route says of itself.
type routeSpec struct {
	kind      model.RouteKind
	name      name
	meta      *metav1.ObjectMeta
	created   time.Time
	hostnames []string
	// defaultGateways is spec.useDefaultGateways.
	defaultGateways gatewayv1.GatewayDefaultScope
	specs           []ruleSpec
	// unserved is why routes of the kind aren't served; "" where they are.
	unserved string
	// web has rules take calls of gRPC-Web, and badWeb refuses what asks for that in a way that can't be read.
	web    *model.CORS
	badWeb *problem
}

// routeRules is what the rules of a route came to. Nobody changes it once it is complete.
type routeRules struct {
	rules []*model.Rule
	// looks are all backendRefs as they were resolved, sends those clusters that calls go to.
	looks   []look
	sends   []clusterKey
	targets []target // for edges
	// policies are those for calls that rules refer to.
	policies []policyUse
	refs     []problem // ResolvedRefs=False
	lacks    []problem // EndpointsFound=False
	dropped  []dropped // rules that can't be served
	// unresolved are rules with a filter that can't be found: valid, and answered with an error (R22).
	unresolved []dropped
	notes      []string // about Services and what is served a little otherwise, for the message of Accepted
	fatal      *problem // refuses the whole route
	load       load     // of the regular expressions
	valid      int      // rules without a problem
}

// target is one backendRef of a rule, for the graph.
type target struct {
	rule, weight int32
	// mirror says that it gets copies.
	mirror  bool
	to      Node
	port    int32
	problem problem
}

// dropped is a rule, or a backendRef of one, that isn't served as written.
type dropped struct {
	rule int
	problem
}

type parent struct {
	ref       *gatewayv1.ParentReference
	gateway   *gateway     // of the set, where there is one
	set       *listenerSet // nil when the route names the Gateway
	listeners []*listener  // those that accept the route
	refused   *problem
	lost      []string // listeners where the route isn't served, and why
}

type clusterKey struct {
	name
	port int32
	// http says that HTTPRoutes send to it: GRPCRoutes speak another protocol to the same port.
	http bool
	// gateway is the Gateway that has the cluster for itself, as it shows a certificate to endpoints.
	gateway name
}

type cluster struct {
	model.Cluster
	key clusterKey
	// notes are about fields of the Service, or of its endpoints, that change nothing.
	notes   []string
	problem *problem
	// flaw is what is wrong with some of the endpoints; the others serve.
	flaw *problem
	// lack is why it can't have endpoints.
	lack *problem
	// portName is the name of the port, and plainName that of the cluster without TLS.
	portName, plainName string
	used                bool
}

type keyPair struct {
	model.KeyPair
	problem string
	// note is what was done to it before it is served.
	note string
	used bool
}

type parsedPattern struct {
	pattern *pattern.Pattern
	err     error
}

func newGraph(s *resources.Snapshot, caps model.Capabilities, o Options) *graph {
	o.Controller = cmp.Or(o.Controller, DefaultController)
	o.Backends = cmp.Or(o.Backends, BackendsEndpoints)
	o.ClusterDomain = cmp.Or(o.ClusterDomain, "cluster.local")
	g := &graph{
		in: s, caps: caps, options: o,
		byClass:   map[gatewayv1.ObjectName]*class{},
		byName:    map[name]*gateway{},
		bySet:     map[name]*listenerSet{},
		keyPairs:  map[name]*keyPair{},
		caBundles: map[referent.Object]*caBundle{},
		clusters:  make(map[clusterKey]*cluster, len(s.Services)),
		bundles:   map[string]model.Bundle{},
		patterns:  map[string]parsedPattern{},
	}
	g.index = newIndex(s)
	g.policies = g.index.policyList
	g.told = sync.OnceValue(g.reports)
	return g
}
