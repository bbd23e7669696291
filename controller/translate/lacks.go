package translate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/gatewright/gatewright/controller/status"
)

// noteLack says why a Service can't have endpoints, as its EndpointSlices are. Endpoints that aren't ready are no fault (R16).
func (c *cluster) noteLack(s *corev1.Service, port *corev1.ServicePort, endpointSlices []*discoveryv1.EndpointSlice) {
	if len(endpointSlices) == 0 {
		c.lack = &problem{status.ReasonNoEndpointSlices, fmt.Sprintf("Service %s has no EndpointSlice, so that its calls fail: add one with the "+
			"label %s: %s, or take --backends dns or clusterip", nameOf(s), discoveryv1.LabelServiceName, s.Name)}
		return
	}
	var names []string
	for _, slice := range endpointSlices {
		if slice.AddressType == discoveryv1.AddressTypeFQDN {
			return // noteIgnored has it.
		}
		for _, p := range slice.Ports {
			if isPort(&p, port) {
				return
			}
			if len(slice.Endpoints) > 0 {
				names = append(names, endpointPortText(&p))
			}
		}
	}
	if len(names) == 0 {
		return // None has endpoints: a Service may well be scaled to none.
	}
	slices.Sort(names)
	want := fmt.Sprintf("with the name %q", port.Name)
	if port.Name == "" {
		want = "without a name"
	}
	c.lack = &problem{status.ReasonNoEndpointPort, fmt.Sprintf("the EndpointSlices of Service %s have no TCP port %s, as port %d of the Service "+
		"is, so that its calls fail: they have %s; give both the same name", nameOf(s), want, port.Port,
		strings.Join(slices.Compact(names), ", "))}
}

// isPort says whether a port of a slice is the one of a Service.
func isPort(p *discoveryv1.EndpointPort, of *corev1.ServicePort) bool {
	return deref(p.Name, "") == of.Name && p.Port != nil && deref(p.Protocol, corev1.ProtocolTCP) == corev1.ProtocolTCP
}

func endpointPortText(p *discoveryv1.EndpointPort) string {
	text := fmt.Sprintf("%q", deref(p.Name, ""))
	if deref(p.Name, "") == "" {
		text = "one without a name"
	}
	switch protocol := deref(p.Protocol, corev1.ProtocolTCP); {
	case p.Port == nil:
		text += " (without a number)"
	case protocol != corev1.ProtocolTCP:
		text += " (" + string(protocol) + ")"
	}
	return text
}
