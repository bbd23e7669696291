package controller

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// parseAddress reads an IP address or a hostname.
func parseAddress(text string) (gatewayv1.GatewayStatusAddress, error) {
	ip, hostname := gatewayv1.IPAddressType, gatewayv1.HostnameAddressType
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return gatewayv1.GatewayStatusAddress{Type: &ip, Value: a.Unmap().String()}, nil
	}
	if problems := validation.IsDNS1123Subdomain(text); len(problems) > 0 {
		return gatewayv1.GatewayStatusAddress{}, fmt.Errorf("%q is neither an IP address nor a hostname", text)
	}
	return gatewayv1.GatewayStatusAddress{Type: &hostname, Value: text}, nil
}

// published are the addresses by which a Service is reached from outside; of one that has none to be
// reached from outside, its cluster IP. Sorted.
func (w *world) published(key name) []gatewayv1.GatewayStatusAddress {
	w.mu.Lock()
	s := w.services[key]
	w.mu.Unlock()
	if s == nil {
		return nil
	}
	var texts []string
	for _, in := range s.Status.LoadBalancer.Ingress {
		texts = append(texts, cmp.Or(in.IP, in.Hostname))
	}
	texts = append(texts, s.Spec.ExternalIPs...)
	if len(texts) == 0 && s.Spec.Type != corev1.ServiceTypeLoadBalancer && s.Spec.ClusterIP != corev1.ClusterIPNone {
		texts = append(texts, s.Spec.ClusterIP)
	}
	slices.Sort(texts)
	var out []gatewayv1.GatewayStatusAddress
	for _, text := range slices.Compact(texts) {
		if a, err := parseAddress(text); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// bundleVersion is the version of the Gateway API's resources, by the CRD of GatewayClasses.
func (w *world) bundleVersion() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	crd := w.crds[name{Name: "gatewayclasses." + gatewayGroup}]
	if crd == nil {
		return ""
	}
	return bundleVersion(crd)
}
