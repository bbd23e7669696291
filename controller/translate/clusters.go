package translate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// backendProtocols are what endpoints are spoken to with (R17), by the appProtocol of their port: the standard ones, and names
// in wide use. None of them has a policy's Service reached without TLS.
var backendProtocols = map[bool]map[string]model.BackendProtocol{
	false: {"": model.BackendGRPC, "kubernetes.io/h2c": model.BackendGRPC, "grpc": model.BackendGRPC, "h2c": model.BackendGRPC,
		"http2": model.BackendGRPC},
	true: {"": model.BackendHTTP1, "http": model.BackendHTTP1, "kubernetes.io/ws": model.BackendHTTP1, "ws": model.BackendHTTP1,
		"kubernetes.io/h2c": model.BackendH2C, "grpc": model.BackendH2C, "h2c": model.BackendH2C, "http2": model.BackendH2C},
}

// tlsProtocols are names of protocols with TLS: they are fine where a policy asks for it.
var tlsProtocols = map[bool]map[string]model.BackendProtocol{
	false: {"https": model.BackendGRPC},
	true:  {"https": model.BackendHTTP1, "kubernetes.io/wss": model.BackendHTTP1, "wss": model.BackendHTTP1},
}

// protocolNames stand in the names of clusters.
var protocolNames = map[model.BackendProtocol]string{model.BackendGRPC: "", model.BackendHTTP1: "/http", model.BackendH2C: "/h2c"}

// cluster looks up a port of a Service once, however many rules send to it.
func (g *graph) cluster(key clusterKey) *cluster {
	if c, ok := g.clusters[key]; ok {
		return c
	}
	c := &cluster{key: key, Cluster: model.Cluster{
		Name:      key.namespace + "/" + key.name.name + "/" + strconv.Itoa(int(key.port)),
		Namespace: key.namespace, Service: key.name.name, Port: key.port,
	}}
	g.clusters[key] = c
	service := g.index.services[key.name]
	if service == nil {
		c.refuse(gatewayv1.RouteReasonBackendNotFound, fmt.Sprintf("Service %s doesn't exist", key.name))
		return c
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		c.refuse(gatewayv1.RouteReasonInvalidKind, fmt.Sprintf("Service %s has type ExternalName, which isn't supported; use one with "+
			"endpoints", key.name))
		return c
	}
	port := servicePort(service, key.port)
	if port == nil {
		c.refuse(gatewayv1.RouteReasonBackendNotFound, fmt.Sprintf("Service %s has no TCP port %d; it has %s", key.name, key.port,
			portList(service)))
		return c
	}
	c.portName = port.Name
	policy := g.index.policyFor(kindBackendTLSPolicy, key.name, port.Name)
	if c.refuseProtocol(deref(port.AppProtocol, ""), policy != nil); c.problem != nil {
		return c
	}
	if policy != nil {
		if c.secure(policy, g.judge(policy)); c.problem != nil {
			return c
		}
	}
	if g.addEndpoints(c, service, port); c.problem == nil {
		g.leaveLoops(c)
	}
	g.callOnce(c, service)
	if c.problem == nil {
		g.settings(c)
	}
	return c
}

// refuseProtocol chooses the protocol of a cluster, or refuses the one that its port asks for.
func (c *cluster) refuseProtocol(appProtocol string, tls bool) {
	protocol, ok := backendProtocols[c.key.http][appProtocol]
	if !ok && tls {
		protocol, ok = tlsProtocols[c.key.http][strings.ToLower(appProtocol)]
	}
	if !ok {
		why := "which can't carry gRPC; use kubernetes.io/h2c or none"
		if c.key.http {
			why = "which isn't supported; use kubernetes.io/h2c, kubernetes.io/ws or none"
		}
		c.refuse(gatewayv1.RouteReasonUnsupportedProtocol, fmt.Sprintf("Service %s port %d has appProtocol %q, %s", c.key.name, c.key.port,
			appProtocol, why))
		return
	}
	c.Protocol = protocol
	c.Name += protocolNames[protocol]
	c.plainName = c.Name
}

// CallOnceAnnotation on a Service, "true", asks for model.Cluster.CallOnce.
const CallOnceAnnotation = "gatewright.io/call-once"

// callOnce reads what a Service says of calls whose endpoint fails. A proxy that can't keep it serves the Service all
// the same, and the routes' status says so.
func (g *graph) callOnce(c *cluster, s *corev1.Service) {
	value, ok := s.Annotations[CallOnceAnnotation]
	switch asked, err := strconv.ParseBool(value); {
	case !ok:
	case err != nil:
		c.notes = append(c.notes, fmt.Sprintf("Service %s: annotation %s is %.40q and changes nothing; use true or false", nameOf(s),
			CallOnceAnnotation, value))
	case asked && !g.caps.Has(model.FeatureCallOnce):
		c.notes = append(c.notes, fmt.Sprintf("Service %s: annotation %s isn't kept: %s", nameOf(s), CallOnceAnnotation,
			g.caps.Missing[model.FeatureCallOnce]))
	default:
		c.CallOnce = asked
	}
}

func (c *cluster) refuse(reason gatewayv1.RouteConditionReason, message string) {
	c.problem = &problem{string(reason), message}
}

func servicePort(s *corev1.Service, number int32) *corev1.ServicePort {
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if p.Port == number && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
			return p
		}
	}
	return nil
}

func portList(s *corev1.Service) string {
	if len(s.Spec.Ports) == 0 {
		return "no ports"
	}
	text := ""
	for i, p := range s.Spec.Ports {
		if i > 0 {
			text += ", "
		}
		text += strconv.Itoa(int(p.Port)) + "/" + string(cmp.Or(p.Protocol, corev1.ProtocolTCP))
	}
	return text
}

// addEndpoints fills in where a cluster's calls go. Having no endpoints is no fault (R16).
func (g *graph) addEndpoints(c *cluster, s *corev1.Service, port *corev1.ServicePort) {
	switch g.options.Backends {
	case BackendsDNS:
		host := s.Name + "." + s.Namespace + ".svc." + g.options.ClusterDomain
		c.Endpoints = []model.Endpoint{{Address: host, Port: dnsPort(s, port)}}
	case BackendsClusterIP:
		ip, err := netip.ParseAddr(s.Spec.ClusterIP)
		if err != nil {
			c.refuse(gatewayv1.RouteReasonBackendNotFound, fmt.Sprintf(
				"Service %s/%s has no cluster IP; use --backends endpoints or dns for it", s.Namespace, s.Name))
			return
		}
		c.Endpoints = []model.Endpoint{{Address: ip.String(), Port: port.Port}}
	default:
		for _, slice := range g.index.slices[nameOf(s)] {
			c.Endpoints = appendEndpoints(c.Endpoints, slice, port)
		}
		c.noteIgnored(s, g.index.slices[nameOf(s)])
		c.noteLack(s, port, g.index.slices[nameOf(s)])
		slices.SortFunc(c.Endpoints, func(a, b model.Endpoint) int {
			return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port))
		})
		c.Endpoints = slices.Compact(c.Endpoints)
	}
}

// noteIgnored names what of a Service a cluster's own network does and a proxy that sends to endpoints doesn't.
func (c *cluster) noteIgnored(s *corev1.Service, endpointSlices []*discoveryv1.EndpointSlice) {
	if s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		c.notes = append(c.notes, fmt.Sprintf("Service %s: sessionAffinity ClientIP isn't kept: calls go to its endpoints in turn", nameOf(s)))
	}
	if deref(s.Spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster) == corev1.ServiceInternalTrafficPolicyLocal {
		c.notes = append(c.notes, fmt.Sprintf("Service %s: internalTrafficPolicy Local isn't kept: calls go to the endpoints of every node",
			nameOf(s)))
	}
	if slices.ContainsFunc(endpointSlices, func(e *discoveryv1.EndpointSlice) bool { return e.AddressType == discoveryv1.AddressTypeFQDN }) {
		c.notes = append(c.notes, fmt.Sprintf("Service %s: EndpointSlices of addressType FQDN aren't used; give IP addresses", nameOf(s)))
	}
}

// dnsPort is the port behind a Service's DNS name: of a headless one that is the pods' own.
func dnsPort(s *corev1.Service, port *corev1.ServicePort) int32 {
	if s.Spec.ClusterIP == corev1.ClusterIPNone && port.TargetPort.Type == intstr.Int && port.TargetPort.IntVal > 0 {
		return port.TargetPort.IntVal
	}
	return port.Port
}

func appendEndpoints(out []model.Endpoint, slice *discoveryv1.EndpointSlice, port *corev1.ServicePort) []model.Endpoint {
	if slice.AddressType == discoveryv1.AddressTypeFQDN {
		return out
	}
	for _, p := range slice.Ports {
		if !isPort(&p, port) {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			// One that ends is ready only where the Service asks for that, with publishNotReadyAddresses.
			if !deref(e.Conditions.Ready, true) || len(e.Addresses) == 0 {
				continue
			}
			// Addresses behind the first mean nothing.
			if ip, err := netip.ParseAddr(e.Addresses[0]); err == nil && ip.Zone() == "" {
				out = append(out, model.Endpoint{Address: ip.Unmap().String(), Port: *p.Port})
			}
		}
	}
	return out
}
