package resources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
)

const gatewayGroup = gatewayv1.GroupName

// kind is one kind of object that Load keeps.
type kind struct {
	group, kind string
	// version is the one that translation reads; accepted holds older ones that say the same, each with a note's text.
	version  string
	accepted map[string]string
	cluster  bool // not in a namespace
	// resource names the CRD's file; empty for the kinds of Kubernetes itself.
	resource string
	// new makes an empty object, append adds one to the snapshot.
	new    func() metav1.Object
	append func(*Snapshot, metav1.Object)
	// finish sets an API server's defaults and validates; only for the kinds of Kubernetes itself.
	finish func(metav1.Object) field.ErrorList
}

// pointerTo is a pointer to an object's type.
type pointerTo[T any] interface {
	*T
	metav1.Object
}

// into says where a kind's objects go.
func into[T any, P pointerTo[T]](k kind, list func(*Snapshot) *[]P) kind {
	k.new = func() metav1.Object { return P(new(T)) }
	k.append = func(s *Snapshot, object metav1.Object) {
		objects := list(s)
		*objects = append(*objects, object.(P))
	}
	return k
}

// finishing says how a kind of Kubernetes itself is completed.
func finishing[P metav1.Object](k kind, finish func(P) field.ErrorList) kind {
	k.finish = func(object metav1.Object) field.ErrorList { return finish(object.(P)) }
	return k
}

const (
	useV1     = "is accepted as v1: change its apiVersion, the API will drop this version"
	oldPolicy = "is accepted as v1: change its apiVersion; clusters with a current Gateway API serve v1"
)

// kinds are those that Load keeps, in the snapshot's order.
func kinds() []kind {
	gateway := func(name, resource string, accepted map[string]string) kind {
		return kind{group: gatewayGroup, kind: name, version: "v1", accepted: accepted, resource: resource}
	}
	own := func(name, resource string) kind {
		return kind{group: policy.Group, kind: name, version: policy.Version, resource: resource}
	}
	core := func(group, name string) kind { return kind{group: group, kind: name, version: "v1"} }

	class := gateway("GatewayClass", "gatewayclasses", map[string]string{"v1beta1": useV1})
	class.cluster = true
	namespace := core("", "Namespace")
	namespace.cluster = true
	return []kind{
		into(class, func(s *Snapshot) *[]*gatewayv1.GatewayClass { return &s.GatewayClasses }),
		into(gateway("Gateway", "gateways", map[string]string{"v1beta1": useV1}),
			func(s *Snapshot) *[]*gatewayv1.Gateway { return &s.Gateways }),
		into(gateway("ListenerSet", "listenersets", nil),
			func(s *Snapshot) *[]*gatewayv1.ListenerSet { return &s.ListenerSets }),
		into(gateway("GRPCRoute", "grpcroutes", map[string]string{"v1alpha2": useV1}),
			func(s *Snapshot) *[]*gatewayv1.GRPCRoute { return &s.GRPCRoutes }),
		into(gateway("HTTPRoute", "httproutes", map[string]string{"v1beta1": useV1}),
			func(s *Snapshot) *[]*gatewayv1.HTTPRoute { return &s.HTTPRoutes }),
		into(gateway("ReferenceGrant", "referencegrants", map[string]string{"v1beta1": ""}),
			func(s *Snapshot) *[]*gatewayv1.ReferenceGrant { return &s.ReferenceGrants }),
		into(gateway("BackendTLSPolicy", "backendtlspolicies", map[string]string{"v1alpha3": oldPolicy}),
			func(s *Snapshot) *[]*gatewayv1.BackendTLSPolicy { return &s.BackendTLSPolicies }),
		into(own(policy.TimeoutKind, "grpctimeoutpolicies"),
			func(s *Snapshot) *[]*policy.GRPCTimeoutPolicy { return &s.GRPCTimeoutPolicies }),
		into(own(policy.RetryKind, "grpcretrypolicies"),
			func(s *Snapshot) *[]*policy.GRPCRetryPolicy { return &s.GRPCRetryPolicies }),
		into(own(policy.BackendKind, "backendpolicies"),
			func(s *Snapshot) *[]*policy.BackendPolicy { return &s.BackendPolicies }),
		into(own(policy.ParametersKind, "gatewayparameters"),
			func(s *Snapshot) *[]*policy.GatewayParameters { return &s.GatewayParameters }),
		into(finishing(namespace, finishNamespace), func(s *Snapshot) *[]*corev1.Namespace { return &s.Namespaces }),
		into(finishing(core("", "Service"), finishService), func(s *Snapshot) *[]*corev1.Service { return &s.Services }),
		into(finishing(core(discoveryv1.GroupName, "EndpointSlice"), finishEndpointSlice),
			func(s *Snapshot) *[]*discoveryv1.EndpointSlice { return &s.EndpointSlices }),
		into(finishing(core("", "Secret"), finishSecret), func(s *Snapshot) *[]*corev1.Secret { return &s.Secrets }),
		into(finishing(core("", "ConfigMap"), finishConfigMap), func(s *Snapshot) *[]*corev1.ConfigMap { return &s.ConfigMaps }),
	}
}

// otherGatewayKinds are the Gateway API's kinds that gatewright has no use for. Another name in that group is a
// misspelt one.
var otherGatewayKinds = map[string]bool{"TCPRoute": true, "TLSRoute": true, "UDPRoute": true}

// kindTable finds kinds by group and kind.
type kindTable map[[2]string]*loadedKind

// loadedKind is a kind with its schema, which is built when the first object needs it.
type loadedKind struct {
	kind
	schema func() (*schema, error)
}

// apiVersion is what the kind's objects get.
func (k *loadedKind) apiVersion() string {
	if k.group == "" {
		return k.version
	}
	return k.group + "/" + k.version
}

// versions lists what may stand in apiVersion.
func (k *loadedKind) versions() string {
	list := []string{k.apiVersion()}
	for _, v := range sortedKeys(k.accepted) {
		list = append(list, k.group+"/"+v)
	}
	return strings.Join(list, " or ")
}

// suggest finds a kind of the Gateway API that a misspelt name may stand for.
func (t kindTable) suggest(name string) string {
	for _, k := range sortedKinds(t) {
		if k.resource != "" && distance(strings.ToLower(k.kind.kind), strings.ToLower(name)) <= 2 {
			return ": did you mean " + k.kind.kind + "?"
		}
	}
	return ": check its spelling"
}

// distance is the number of characters to insert, delete or change between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
