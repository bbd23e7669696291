package features

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// namespace is where the objects of a question are.
const namespace = "shop"

// objects are a small configuration that every proxy serves. A question changes it in one place.
type objects struct {
	resources.Snapshot
	class    *gatewayv1.GatewayClass
	gateway  *gatewayv1.Gateway
	listener *gatewayv1.Listener
	route    *gatewayv1.GRPCRoute
	rule     *gatewayv1.GRPCRouteRule
	match    *gatewayv1.GRPCRouteMatch
	backend  *gatewayv1.GRPCBackendRef
	service  *corev1.Service
}

// newObjects makes them afresh. The key pair is a certificate's for "a.example.com", with its CA's.
func newObjects(pair harness.KeyPair) *objects {
	o := &objects{
		class: &gatewayv1.GatewayClass{
			TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "GatewayClass"},
			ObjectMeta: metav1.ObjectMeta{Name: "gatewright"},
			Spec:       gatewayv1.GatewayClassSpec{ControllerName: harness.Controller},
		},
		gateway: &gatewayv1.Gateway{
			TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "Gateway"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "front"},
			Spec: gatewayv1.GatewaySpec{GatewayClassName: "gatewright", Listeners: []gatewayv1.Listener{
				{Name: "main", Protocol: gatewayv1.HTTPProtocolType, Port: 8080},
			}},
		},
		route: &gatewayv1.GRPCRoute{
			TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "GRPCRoute"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "cart"},
			Spec: gatewayv1.GRPCRouteSpec{
				CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "front"}}},
				Rules: []gatewayv1.GRPCRouteRule{{
					Matches:     []gatewayv1.GRPCRouteMatch{{}},
					BackendRefs: []gatewayv1.GRPCBackendRef{backendRef("cart")},
				}},
			},
		},
		service: newService(namespace, "cart"),
	}
	o.listener, o.rule = &o.gateway.Spec.Listeners[0], &o.route.Spec.Rules[0]
	o.match, o.backend = &o.rule.Matches[0], &o.rule.BackendRefs[0]
	o.Snapshot = resources.Snapshot{
		GatewayClasses: []*gatewayv1.GatewayClass{o.class}, Gateways: []*gatewayv1.Gateway{o.gateway},
		GRPCRoutes: []*gatewayv1.GRPCRoute{o.route},
		Namespaces: []*corev1.Namespace{newNamespace(namespace), newNamespace("other")},
		Services:   []*corev1.Service{o.service, newService(namespace, "second"), newService("other", "cart")},
		Secrets: []*corev1.Secret{{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pair"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: pair.Certificate, corev1.TLSPrivateKeyKey: pair.Key},
		}},
	}
	o.ConfigMaps = []*corev1.ConfigMap{{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "ca"}, Data: map[string]string{"ca.crt": string(pair.Certificate)},
	}}
	for _, s := range o.Services {
		o.EndpointSlices = append(o.EndpointSlices, newSlice(s))
	}
	return o
}

func newNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name}}}
}

func newService(namespace, name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 50051}}},
	}
}

func newSlice(s *corev1.Service) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: s.Name + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: s.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Port: new(int32(50051))}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}},
	}
}

func backendRef(service string) gatewayv1.GRPCBackendRef {
	return gatewayv1.GRPCBackendRef{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
		Name: gatewayv1.ObjectName(service), Port: new(gatewayv1.PortNumber(50051)),
	}}}
}

// ask translates the objects for a proxy and returns why what they ask for isn't served, or "". A condition
// that refuses counts, and so does a message of an accepted object that says more than that.
func (o *objects) ask(c model.Capabilities) string {
	result := translate.Translate(&o.Snapshot, c, translate.Options{Controller: harness.Controller})
	reports := result.Reports()
	first := ""
	for _, r := range status.Refusals(reports) {
		message := r.Message
		for _, general := range []string{"no rule is valid: ", "Dropped ", "Rule 0: "} {
			message = strings.TrimPrefix(message, general)
		}
		switch {
		case r.Reason == string(gatewayv1.GatewayReasonPending):
			// No proxy has confirmed anything.
		case strings.HasPrefix(message, "spec."):
			return message // It names the field; others only follow from it.
		case first == "":
			first = message
		}
	}
	if first != "" {
		return first
	}
	for i := range reports {
		if note := noteOf(&reports[i]); note != "" {
			return note
		}
	}
	if !serves(result.Gateways) {
		return "nothing of it is served"
	}
	return ""
}

// noteOf is what the message of an accepted object adds, or "".
func noteOf(r *status.Report) string {
	var conditions []metav1.Condition
	switch {
	case r.Gateway != nil:
		conditions = r.Gateway.Conditions
	case r.Route != nil:
		for _, p := range r.Route.Parents {
			conditions = append(conditions, p.Conditions...)
		}
	}
	for _, c := range conditions {
		if c.Type != string(gatewayv1.GatewayConditionAccepted) {
			continue
		}
		message := strings.TrimPrefix(strings.TrimPrefix(c.Message, "the route is accepted"), "; ")
		if message != "" && message != "all listeners are accepted" {
			return message
		}
	}
	return ""
}

// serves says whether a call can reach a rule.
func serves(g model.Gateways) bool {
	for _, gw := range g.Gateways {
		for _, l := range gw.Listeners {
			for _, s := range l.Scopes {
				if len(s.Rules) > 0 {
					return true
				}
			}
		}
	}
	return false
}
