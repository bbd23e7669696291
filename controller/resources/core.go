package resources

import (
	"encoding/base64"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// protocols are those that a port of a Service may have.
var protocols = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}

// finishNamespace sets the label that every cluster sets, which allowedRoutes selectors use (R24).
func finishNamespace(n *corev1.Namespace) field.ErrorList {
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[corev1.LabelMetadataName] = n.Name
	return nil
}

func finishConfigMap(*corev1.ConfigMap) field.ErrorList { return nil }

// finishSecret moves stringData to data, as an API server does: of two equal keys, stringData's value stays.
func finishSecret(s *corev1.Secret) field.ErrorList {
	if s.Data == nil && len(s.StringData) > 0 {
		s.Data = make(map[string][]byte, len(s.StringData))
	}
	for key, value := range s.StringData {
		s.Data[key] = []byte(value)
	}
	s.StringData = nil
	if s.Type == "" {
		s.Type = corev1.SecretTypeOpaque
	}
	return nil
}

// secretData checks a Secret's base64 apart, for the decoder's error wouldn't name the key.
func (l *loader) secretData(o *object) bool {
	data, _ := o.content["data"].(map[string]any)
	ok := true
	for _, key := range sortedKeys(data) {
		text, isText := data[key].(string)
		if !isText {
			continue
		}
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			l.problem(o, field.NewPath("data").Key(key).String(), "not base64: encode the value, or put it under stringData as it is")
			ok = false
		}
	}
	return ok
}

func finishService(s *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	names := map[string]bool{}
	ports := field.NewPath("spec", "ports")
	for i := range s.Spec.Ports {
		port, path := &s.Spec.Ports[i], ports.Index(i)
		if port.Protocol == "" {
			port.Protocol = corev1.ProtocolTCP
		}
		if port.TargetPort == (intstr.IntOrString{}) || port.TargetPort == intstr.FromString("") {
			port.TargetPort = intstr.FromInt32(port.Port)
		}
		errs = append(errs, portErrors(path.Child("port"), port.Port)...)
		errs = append(errs, targetErrors(path.Child("targetPort"), port)...)
		errs = append(errs, protocolErrors(path.Child("protocol"), port.Protocol)...)
		switch {
		case port.Name == "" && len(s.Spec.Ports) > 1:
			errs = append(errs, field.Required(path.Child("name"), "the ports of a Service with several of them need names"))
		case port.Name != "" && names[port.Name]:
			errs = append(errs, field.Duplicate(path.Child("name"), port.Name))
		case port.Name != "":
			errs = append(errs, invalid(path.Child("name"), port.Name, validation.IsDNS1123Label(port.Name))...)
		}
		names[port.Name] = true
	}
	return errs
}

func targetErrors(path *field.Path, port *corev1.ServicePort) field.ErrorList {
	if port.TargetPort.Type == intstr.String {
		return invalid(path, port.TargetPort.StrVal, validation.IsValidPortName(port.TargetPort.StrVal))
	}
	if port.TargetPort.IntVal == port.Port {
		return nil // Said of the port already.
	}
	return portErrors(path, port.TargetPort.IntVal)
}

func portErrors(path *field.Path, port int32) field.ErrorList {
	return invalid(path, port, validation.IsValidPortNum(int(port)))
}

func protocolErrors(path *field.Path, protocol corev1.Protocol) field.ErrorList {
	if slices.Contains(protocols, protocol) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, protocol, protocols)}
}

func invalid(path *field.Path, value any, reasons []string) field.ErrorList {
	var errs field.ErrorList
	for _, reason := range reasons {
		errs = append(errs, field.Invalid(path, value, reason))
	}
	return errs
}

func finishEndpointSlice(s *discoveryv1.EndpointSlice) field.ErrorList {
	var errs field.ErrorList
	for i := range s.Ports {
		port, path := &s.Ports[i], field.NewPath("ports").Index(i)
		if port.Name == nil {
			port.Name = new(string)
		}
		if port.Protocol == nil {
			tcp := corev1.ProtocolTCP
			port.Protocol = &tcp
		}
		if port.Port != nil {
			errs = append(errs, portErrors(path.Child("port"), *port.Port)...)
		}
		errs = append(errs, protocolErrors(path.Child("protocol"), *port.Protocol)...)
		if *port.Name != "" {
			errs = append(errs, invalid(path.Child("name"), *port.Name, validation.IsDNS1123Label(*port.Name))...)
		}
	}
	types := []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN}
	switch {
	case s.AddressType == "":
		return append(errs, field.Required(field.NewPath("addressType"), "say IPv4, IPv6 or FQDN"))
	case !slices.Contains(types, s.AddressType):
		return append(errs, field.NotSupported(field.NewPath("addressType"), s.AddressType, types))
	}
	for i, endpoint := range s.Endpoints {
		path := field.NewPath("endpoints").Index(i).Child("addresses")
		if len(endpoint.Addresses) == 0 {
			errs = append(errs, field.Required(path, "an endpoint needs an address"))
		}
		for j, address := range endpoint.Addresses {
			errs = append(errs, invalid(path.Index(j), address, addressErrors(s.AddressType, address))...)
		}
	}
	return errs
}

// addressErrors says whether an address is of its slice's type. Loopback addresses, which a cluster refuses, are fine
// here: a proxy on the same machine reaches them.
func addressErrors(addressType discoveryv1.AddressType, address string) []string {
	if addressType == discoveryv1.AddressTypeFQDN {
		return validation.IsDNS1123Subdomain(address)
	}
	ip, err := netip.ParseAddr(address)
	fits := err == nil && ip.Zone() == "" && ip.Is4() == (addressType == discoveryv1.AddressTypeIPv4) && !ip.Is4In6()
	if fits {
		return nil
	}
	return []string{"must be an " + string(addressType) + " address, as addressType says"}
}
