package features

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/translate"
)

// parameters gives the Gateway parameters of its own.
func (o *objects) parameters(spec policy.GatewayParametersSpec) {
	o.GatewayParameters = []*policy.GatewayParameters{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "own"}, Spec: spec}}
	o.gateway.Spec.Infrastructure = &gatewayv1.GatewayInfrastructure{
		ParametersRef: &gatewayv1.LocalParametersReference{Group: policy.Group, Kind: policy.ParametersKind, Name: "own"},
	}
}

// gatewayFields are the fields of GatewayClass, Gateway and its listeners that translation reads.
var gatewayFields = []row{
	{what: "GatewayClass `spec.parametersRef` to another kind", change: func(o *objects) {
		o.class.Spec.ParametersRef = &gatewayv1.ParametersReference{Group: "example.com", Kind: "Parameters", Name: "x"}
	}},
	{what: "`spec.gatewayClassName`", change: func(*objects) {}},
	{what: "`spec.addresses` of type IPAddress", change: func(o *objects) { o.address(gatewayv1.IPAddressType, "192.0.2.10") }},
	{what: "`spec.addresses` of type Hostname", change: func(o *objects) { o.address(gatewayv1.HostnameAddressType, "a.example.com") }},
	{what: "`spec.addresses[].routability`", change: func(o *objects) {
		o.address(gatewayv1.IPAddressType, "192.0.2.10")
		o.gateway.Spec.Addresses[0].Routability = gatewayv1.GatewayAddressRoutabilityCluster
	}},
	{what: "`spec.addresses` without a value", change: func(o *objects) { o.address(gatewayv1.IPAddressType, "") }},
	{what: "`spec.infrastructure.parametersRef` to another kind", change: func(o *objects) {
		o.gateway.Spec.Infrastructure = &gatewayv1.GatewayInfrastructure{
			ParametersRef: &gatewayv1.LocalParametersReference{Kind: "ConfigMap", Name: "x"},
		}
	}},
	{what: "GatewayClass `spec.parametersRef` to GatewayParameters", change: func(o *objects) {
		o.parameters(policy.GatewayParametersSpec{})
		o.class.Spec.ParametersRef = &gatewayv1.ParametersReference{Group: policy.Group, Kind: policy.ParametersKind, Name: "own",
			Namespace: new(gatewayv1.Namespace(namespace))}
	}},
	{what: "`spec.infrastructure.parametersRef` to GatewayParameters", change: func(o *objects) { o.parameters(policy.GatewayParametersSpec{}) }},
	{what: "GatewayParameters `defaults.timeoutPolicy`", change: func(o *objects) {
		o.GRPCTimeoutPolicies = []*policy.GRPCTimeoutPolicy{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "usual"},
			Spec: policy.GRPCTimeoutPolicySpec{Timeout: "30s"}}}
		o.parameters(policy.GatewayParametersSpec{Defaults: &policy.CallDefaults{TimeoutPolicy: "usual"}})
	}},
	{what: "GatewayParameters `defaults.retryPolicy`", change: func(o *objects) {
		o.GRPCRetryPolicies = []*policy.GRPCRetryPolicy{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "usual"},
			Spec: policy.GRPCRetryPolicySpec{Retries: 1, RetryOn: []policy.Condition{policy.Unavailable}}}}
		o.parameters(policy.GatewayParametersSpec{Defaults: &policy.CallDefaults{RetryPolicy: "usual"}})
	}},
	{what: "GatewayParameters `clients.maxConnectionAge`", change: func(o *objects) {
		o.parameters(policy.GatewayParametersSpec{Clients: &policy.ClientSettings{MaxConnectionAge: new(gatewayv1.Duration("10m"))}})
	}},
	{what: "GatewayParameters `clients.idleTimeout`", change: func(o *objects) {
		o.parameters(policy.GatewayParametersSpec{Clients: &policy.ClientSettings{IdleTimeout: new(gatewayv1.Duration("10m"))}})
	}},
	{what: "GatewayParameters `clients.maxStreams`", change: func(o *objects) {
		o.parameters(policy.GatewayParametersSpec{Clients: &policy.ClientSettings{MaxStreams: new(int32(100))}})
	}},
	{what: "`spec.allowedListeners`", change: func(o *objects) { o.listenerSet() }},
	{what: "`spec.defaultScope`", change: func(o *objects) { o.gateway.Spec.DefaultScope = gatewayv1.GatewayDefaultScopeAll }},
	{what: "`spec.tls.backend.clientCertificateRef`", change: func(o *objects) {
		o.gateway.Spec.TLS = &gatewayv1.GatewayTLSConfig{Backend: &gatewayv1.GatewayBackendTLS{ClientCertificateRef: &secretRefs("pair")[0]}}
	}},
	{what: "`spec.tls.frontend.default.validation`", change: func(o *objects) {
		o.https()
		o.gateway.Spec.TLS = &gatewayv1.GatewayTLSConfig{Frontend: &gatewayv1.FrontendTLSConfig{Default: validated()}}
	}},
	{what: "`spec.tls.frontend.perPort[].tls.validation`", change: func(o *objects) {
		o.https()
		o.gateway.Spec.TLS = &gatewayv1.GatewayTLSConfig{Frontend: &gatewayv1.FrontendTLSConfig{
			PerPort: []gatewayv1.TLSPortConfig{{Port: o.listener.Port, TLS: validated()}},
		}}
	}},
	{what: "listener `name`, `port`", change: func(o *objects) { o.listener.Name, o.listener.Port = "other", 9090 }},
	{what: "listener `hostname`", change: func(o *objects) { o.listener.Hostname = new(gatewayv1.Hostname("a.example.com")) }},
	{what: "listener `hostname` with a wildcard", change: func(o *objects) { o.listener.Hostname = new(gatewayv1.Hostname("*.example.com")) }},
	{what: "listener `protocol` HTTP", change: func(*objects) {}},
	{what: "listener `protocol` HTTPS", change: func(o *objects) { o.https() }},
	{what: "listener `protocol` TLS", change: protocol(gatewayv1.TLSProtocolType)},
	{what: "listener `protocol` TCP", change: protocol(gatewayv1.TCPProtocolType)},
	{what: "listener `protocol` UDP", change: protocol(gatewayv1.UDPProtocolType)},
	{what: "listener `tls.mode` Terminate", change: func(o *objects) { o.https(); o.listener.TLS.Mode = new(gatewayv1.TLSModeTerminate) }},
	{what: "listener `tls.mode` Passthrough", change: func(o *objects) { o.https(); o.listener.TLS.Mode = new(gatewayv1.TLSModePassthrough) }},
	{what: "listener `tls.certificateRefs` to a Secret", change: func(o *objects) { o.https() }},
	{what: "listener `tls.certificateRefs` to another kind", change: func(o *objects) {
		o.https()
		o.listener.TLS.CertificateRefs[0].Kind = new(gatewayv1.Kind("ConfigMap"))
	}},
	{what: "listener `tls.options`", change: func(o *objects) {
		o.https()
		o.listener.TLS.Options = map[gatewayv1.AnnotationKey]gatewayv1.AnnotationValue{"example.com/ciphers": "x"}
	}},
	{what: "listener `filters`", change: func(o *objects) {
		o.listener.Filters = &gatewayv1.ListenerFilters{Requests: []gatewayv1.ListenerFilter{{
			Type:         gatewayv1.ListenerFilterExtensionRef,
			ExtensionRef: &gatewayv1.LocalObjectReference{Group: "gatewright.io", Kind: "Guard", Name: "x"},
		}}}
	}},
	{what: "listener `allowedRoutes.namespaces.from` Same", change: from(gatewayv1.NamespacesFromSame, namespace)},
	{what: "listener `allowedRoutes.namespaces.from` All", change: from(gatewayv1.NamespacesFromAll, "other")},
	{what: "listener `allowedRoutes.namespaces.from` Selector, `selector`", change: from(gatewayv1.NamespacesFromSelector, "other")},
	{what: "listener `allowedRoutes.kinds` GRPCRoute", change: func(o *objects) { o.kinds("GRPCRoute") }},
	{what: "listener `allowedRoutes.kinds` HTTPRoute", change: func(o *objects) { o.kinds("GRPCRoute", "HTTPRoute") }},
	{what: "ListenerSet", change: func(o *objects) { o.listenerSet() }},
}

// routeFields are the fields of GRPCRoute, and of what it refers to, that translation reads.
var routeFields = []row{
	{what: "`parentRefs` to a Gateway", change: func(*objects) {}},
	{what: "`parentRefs` to a ListenerSet", change: func(o *objects) {
		o.listenerSet()
		o.route.Spec.ParentRefs[0] = gatewayv1.ParentReference{Kind: new(gatewayv1.Kind("ListenerSet")), Name: "more"}
	}},
	{what: "`parentRefs[].sectionName`, `port`", change: func(o *objects) {
		o.route.Spec.ParentRefs[0].SectionName, o.route.Spec.ParentRefs[0].Port = &o.listener.Name, &o.listener.Port
	}},
	{what: "`parentRefs[].namespace`", change: from(gatewayv1.NamespacesFromAll, "other")},
	{what: "`useDefaultGateways`", change: func(o *objects) { o.route.Spec.UseDefaultGateways = gatewayv1.GatewayDefaultScopeAll }},
	{what: "`hostnames`", change: func(o *objects) { o.route.Spec.Hostnames = []gatewayv1.Hostname{"a.example.com", "*.example.org"} }},
	{what: "`rules[].name`", change: func(o *objects) { o.rule.Name = new(gatewayv1.SectionName("first")) }},
	{what: "no `matches`", change: func(o *objects) { o.rule.Matches = nil }},
	{what: "several `matches`", change: func(o *objects) {
		o.rule.Matches = []gatewayv1.GRPCRouteMatch{{Method: exactly("a.B", "")}, {Method: exactly("", "C")}}
	}},
	{what: "`method` Exact: service and method", change: func(o *objects) { o.match.Method = exactly("acme.v1.Cart", "Add") }},
	{what: "`method` Exact: service only", change: func(o *objects) { o.match.Method = exactly("acme.v1.Cart", "") }},
	{what: "`method` Exact: method only", change: func(o *objects) { o.match.Method = exactly("", "Add") }},
	{what: "`method` RegularExpression", limit: valueLimit, change: func(o *objects) { o.match.Method = expression(`acme\..*`, "Add|Drop") }},
	{what: "`method` RegularExpression that RE2 refuses", change: func(o *objects) { o.match.Method = expression(`(a)\1`, "") }},
	{what: "`headers` Exact", limit: valueLimit, change: header("x-env", "canary", gatewayv1.GRPCHeaderMatchExact)},
	{what: "`headers` RegularExpression", limit: valueLimit, change: header("x-env", "can.*", gatewayv1.GRPCHeaderMatchRegularExpression)},
	{what: "`headers` with `_` in the name", change: header("x_env", "canary", gatewayv1.GRPCHeaderMatchExact)},
	{what: "`headers` with `.` in the name", change: header("x.env", "canary", gatewayv1.GRPCHeaderMatchExact)},
	{what: "`headers` Exact, a value of 5,000 bytes", change: header("x-env", long(5000), gatewayv1.GRPCHeaderMatchExact)},
	{what: "filter RequestHeaderModifier: `set`, `add`, `remove`", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: modifier("x-added")})
	}},
	{what: "filter RequestHeaderModifier: `add` to a name with `.`", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: modifier("x.added")})
	}},
	{what: "filter RequestHeaderModifier: a name of 60 bytes", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: modifier(long(60))})
	}},
	{what: "filter ResponseHeaderModifier: `set`, `add`, `remove`", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterResponseHeaderModifier, ResponseHeaderModifier: modifier("x-added")})
	}},
	{what: "filter RequestMirror", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestMirror, RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{
			BackendRef: backendRef("second").BackendObjectReference,
		}})
	}},
	{what: "filter ExtensionRef", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterExtensionRef, ExtensionRef: &gatewayv1.LocalObjectReference{
			Group: "gatewright.io", Kind: "Retry", Name: "x",
		}})
	}},
	{what: "`backendRefs` to a Service, `port`", change: func(*objects) {}},
	{what: "`backendRefs` to another kind", change: func(o *objects) { o.backend.Kind = new(gatewayv1.Kind("ServiceImport")) }},
	{what: "`backendRefs` without `port`", change: func(o *objects) { o.backend.Port = nil }},
	{what: "`backendRefs[].weight`", limit: weightLimit, change: func(o *objects) {
		o.backend.Weight = new(int32(90))
		o.rule.BackendRefs = append(o.rule.BackendRefs, backendRef("second"))
	}},
	{what: "`backendRefs[].namespace` with a ReferenceGrant", change: func(o *objects) { o.crossNamespace(); o.grant() }},
	{what: "`backendRefs[].namespace` without one", change: func(o *objects) { o.crossNamespace() }},
	{what: "`backendRefs[].filters`", change: func(o *objects) {
		o.backend.Filters = []gatewayv1.GRPCRouteFilter{{
			Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: modifier("x-added"),
		}}
	}},
	{what: "annotation `gatewright.io/grpc-web`, at a listener with protocol HTTP", change: func(o *objects) { o.web() }},
	{what: "annotation `gatewright.io/grpc-web`, at a listener with protocol HTTPS", change: func(o *objects) { o.https(); o.web() }},
	//lint:ignore SA1019 it is asked for to be refused
	{what: "`sessionPersistence`", change: func(o *objects) { o.rule.SessionPersistence = &gatewayv1.SessionPersistence{} }},
	{what: "Service `appProtocol` kubernetes.io/h2c", change: appProtocol("kubernetes.io/h2c")},
	{what: "Service `appProtocol` kubernetes.io/ws", change: appProtocol("kubernetes.io/ws")},
	{what: "BackendTLSPolicy `wellKnownCACertificates` System", change: func(o *objects) { o.policy() }},
	{what: "BackendTLSPolicy `targetRefs[].sectionName`", change: func(o *objects) {
		o.service.Spec.Ports[0].Name, o.EndpointSlices[0].Ports[0].Name = "grpc", new("grpc")
		o.policy().Spec.TargetRefs[0].SectionName = new(gatewayv1.SectionName("grpc"))
	}},
	{what: "BackendTLSPolicy `caCertificateRefs` to a ConfigMap", change: func(o *objects) { o.trusts("", "ConfigMap") }},
	{what: "BackendTLSPolicy `caCertificateRefs` to a Secret", change: func(o *objects) { o.trusts("", "Secret") }},
	{what: "BackendTLSPolicy `caCertificateRefs` to another kind", change: func(o *objects) {
		o.trusts("certificates.k8s.io", "ClusterTrustBundle")
	}},
	{what: "BackendTLSPolicy `subjectAltNames`: its `hostname`", change: func(o *objects) { o.named("cart.example.com") }},
	{what: "BackendTLSPolicy `subjectAltNames`: others", change: func(o *objects) { o.named("other.example.com") }},
	{what: "BackendTLSPolicy `options`", change: func(o *objects) {
		o.policy().Spec.Options = map[gatewayv1.AnnotationKey]gatewayv1.AnnotationValue{"example.com/versions": "TLS1.3"}
	}},
}

// web has the route take calls of gRPC-Web.
func (o *objects) web() {
	o.route.Annotations = map[string]string{translate.GRPCWebAnnotation: "enabled", translate.GRPCWebOriginsAnnotation: "https://shop.example.com"}
}

func (o *objects) address(t gatewayv1.AddressType, value string) {
	o.gateway.Spec.Addresses = []gatewayv1.GatewaySpecAddress{{Type: &t, Value: value}}
}

// https makes the listener one with a certificate.
func (o *objects) https() {
	o.listener.Protocol, o.listener.Port = gatewayv1.HTTPSProtocolType, 8443
	o.listener.Hostname = new(gatewayv1.Hostname("a.example.com"))
	o.listener.TLS = &gatewayv1.ListenerTLSConfig{CertificateRefs: secretRefs("pair")}
}

func secretRefs(name gatewayv1.ObjectName) []gatewayv1.SecretObjectReference {
	return []gatewayv1.SecretObjectReference{{Name: name}}
}

func validated() gatewayv1.TLSConfig {
	return gatewayv1.TLSConfig{Validation: &gatewayv1.FrontendTLSValidation{
		CACertificateRefs: []gatewayv1.ObjectReference{{Kind: "ConfigMap", Name: "ca"}},
	}}
}

func protocol(p gatewayv1.ProtocolType) func(*objects) {
	return func(o *objects) { o.listener.Protocol = p }
}

// from lets routes of some namespaces attach, and moves the route to one of them.
func from(which gatewayv1.FromNamespaces, routes string) func(*objects) {
	return func(o *objects) {
		namespaces := &gatewayv1.RouteNamespaces{From: &which}
		if which == gatewayv1.NamespacesFromSelector {
			namespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: routes}}
		}
		o.listener.AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: namespaces}
		o.route.Namespace = routes
		o.route.Spec.ParentRefs[0].Namespace = new(gatewayv1.Namespace(namespace))
	}
}

func (o *objects) kinds(names ...gatewayv1.Kind) {
	o.listener.AllowedRoutes = &gatewayv1.AllowedRoutes{}
	for _, n := range names {
		o.listener.AllowedRoutes.Kinds = append(o.listener.AllowedRoutes.Kinds, gatewayv1.RouteGroupKind{Kind: n})
	}
}

// listenerSet is one at a Gateway that takes it.
func (o *objects) listenerSet() {
	same := &gatewayv1.ListenerNamespaces{From: new(gatewayv1.NamespacesFromSame)}
	o.gateway.Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: same}
	o.ListenerSets = []*gatewayv1.ListenerSet{{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "ListenerSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "more"},
		Spec: gatewayv1.ListenerSetSpec{
			ParentRef: gatewayv1.ParentGatewayReference{Name: "front"},
			Listeners: []gatewayv1.ListenerEntry{{Name: "extra", Protocol: gatewayv1.HTTPProtocolType, Port: 9090}},
		},
	}}
}

func exactly(service, method string) *gatewayv1.GRPCMethodMatch {
	return &gatewayv1.GRPCMethodMatch{Type: new(gatewayv1.GRPCMethodMatchExact), Service: &service, Method: &method}
}

func expression(service, method string) *gatewayv1.GRPCMethodMatch {
	return &gatewayv1.GRPCMethodMatch{Type: new(gatewayv1.GRPCMethodMatchRegularExpression), Service: &service, Method: &method}
}

func header(name gatewayv1.GRPCHeaderName, value string, t gatewayv1.GRPCHeaderMatchType) func(*objects) {
	return func(o *objects) { o.match.Headers = []gatewayv1.GRPCHeaderMatch{{Type: &t, Name: name, Value: value}} }
}

func (o *objects) filter(f gatewayv1.GRPCRouteFilter) {
	o.rule.Filters = []gatewayv1.GRPCRouteFilter{f}
}

func modifier(added string) *gatewayv1.HTTPHeaderFilter {
	return &gatewayv1.HTTPHeaderFilter{
		Set:    []gatewayv1.HTTPHeader{{Name: "x-set", Value: "1"}},
		Add:    []gatewayv1.HTTPHeader{{Name: gatewayv1.HTTPHeaderName(added), Value: "2"}},
		Remove: []string{"x-removed"},
	}
}

func (o *objects) crossNamespace() { o.backend.Namespace = new(gatewayv1.Namespace("other")) }

func (o *objects) grant() {
	o.ReferenceGrants = []*gatewayv1.ReferenceGrant{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "routes"},
		Spec: gatewayv1.ReferenceGrantSpec{
			From: []gatewayv1.ReferenceGrantFrom{{Group: gatewayv1.GroupName, Kind: "GRPCRoute", Namespace: namespace}},
			To:   []gatewayv1.ReferenceGrantTo{{Kind: "Service"}},
		},
	}}
}

func appProtocol(p string) func(*objects) {
	return func(o *objects) { o.service.Spec.Ports[0].AppProtocol = &p }
}

// policy has the Service reached by TLS, verified by whom the system trusts.
func (o *objects) policy() *gatewayv1.BackendTLSPolicy {
	target := gatewayv1.LocalPolicyTargetReferenceWithSectionName{
		LocalPolicyTargetReference: gatewayv1.LocalPolicyTargetReference{Kind: "Service", Name: "cart"},
	}
	o.BackendTLSPolicies = []*gatewayv1.BackendTLSPolicy{{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "BackendTLSPolicy"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tls"},
		Spec: gatewayv1.BackendTLSPolicySpec{
			TargetRefs: []gatewayv1.LocalPolicyTargetReferenceWithSectionName{target},
			Validation: gatewayv1.BackendTLSPolicyValidation{
				Hostname: "cart.example.com", WellKnownCACertificates: new(gatewayv1.WellKnownCACertificatesSystem),
			},
		},
	}}
	return o.BackendTLSPolicies[0]
}

// trusts is a policy with authorities of a kind of object.
func (o *objects) trusts(group gatewayv1.Group, kind gatewayv1.Kind) {
	v := &o.policy().Spec.Validation
	v.WellKnownCACertificates = nil
	v.CACertificateRefs = []gatewayv1.LocalObjectReference{{Group: group, Kind: kind, Name: "ca"}}
	certificate := o.Secrets[0].Data[corev1.TLSCertKey]
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "ca"}
	o.Secrets = append(o.Secrets, &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"ca.crt": certificate}})
	o.ConfigMaps = []*corev1.ConfigMap{{ObjectMeta: meta, Data: map[string]string{"ca.crt": string(certificate)}}}
}

// named is a policy with one name for the certificate.
func (o *objects) named(hostname gatewayv1.Hostname) {
	o.policy().Spec.Validation.SubjectAltNames = []gatewayv1.SubjectAltName{{Type: gatewayv1.HostnameSubjectAltNameType, Hostname: hostname}}
}

// long is a text of n bytes.
func long(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'a'
	}
	return string(text)
}
