package hostile

import (
	"encoding/base64"
	"fmt"
)

// The objects that a cluster has beside the Gateway API's.

func (m *maker) namespace(name string) {
	m.add("v1", "Namespace", "", name, object{"metadata": object{"labels": object{"x": "y"}}})
}

func (m *maker) service(namespace, name string) {
	port := object{"name": "p", "port": 80}
	switch {
	case m.odd():
		port["appProtocol"] = pick(m.random, []string{"kubernetes.io/ws", "kubernetes.io/h2c", m.value()})
	case m.odd():
		port["protocol"] = "UDP"
	}
	spec := object{"ports": []any{port, object{"name": "q", "port": 81, "targetPort": "named"}}}
	if m.odd() {
		spec["type"], spec["externalName"] = "ExternalName", "a.example.com"
	}
	switch m.IntN(15) {
	case 1:
		spec["sessionAffinity"], spec["internalTrafficPolicy"] = "ClientIP", "Local"
	case 2:
		spec["clusterIP"], spec["publishNotReadyAddresses"] = "None", true
	}
	m.add("v1", "Service", namespace, name, object{"spec": spec})
	for i := range m.IntN(3) {
		m.endpointSlice(namespace, name, i)
	}
}

func (m *maker) endpointSlice(namespace, service string, i int) {
	family, address := "IPv4", func(n int) string { return fmt.Sprintf("10.%d.%d.%d", i, n/256, n%256) }
	switch m.IntN(5) {
	case 0:
		family, address = "IPv6", func(n int) string { return fmt.Sprintf("2001:db8::%x:%x", i, n) }
	case 1:
		if m.odd() {
			family, address = "FQDN", func(n int) string { return fmt.Sprintf("n%d.example.com", n) }
		}
	}
	n := 1 + m.IntN(2)
	if m.chance(1) {
		n = 1000
	}
	endpoints := []any{}
	for j := range n {
		e := object{"addresses": []any{address(j)}}
		if m.chance(10) {
			e["conditions"] = object{"ready": m.chance(50), "terminating": m.chance(50), "serving": true}
			e["zone"], e["hints"] = "z", object{"forZones": []any{object{"name": "z"}}}
		}
		endpoints = append(endpoints, e)
	}
	m.add("discovery.k8s.io/v1", "EndpointSlice", namespace, fmt.Sprintf("%s-%d", service, i), object{
		"metadata":    object{"labels": object{"kubernetes.io/service-name": service}},
		"addressType": family,
		"ports":       []any{object{"name": "p", "port": 1 + m.IntN(65535)}, object{"name": "q", "port": 8080, "protocol": "UDP"}},
		"endpoints":   endpoints,
	})
}

// secret holds one of the key pairs, or what is left of one.
func (m *maker) secret(namespace, name string) {
	pair := pick(m.random, m.pairs)
	certificate, key := string(pair.Certificate), string(pair.Key)
	const garbage = "-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n"
	switch {
	case name == "chain" && m.odd():
		certificate += pick(m.random, []string{garbage, string(pick(m.random, m.pairs).Certificate), "text $host; }\n"})
	case m.odd():
		certificate = pick(m.random, []string{garbage, "", "x", string(m.pairs[0].Key)})
	case m.odd():
		key = string(pick(m.random, m.pairs).Key)
	}
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	m.add("v1", "Secret", namespace, name, object{"type": "kubernetes.io/tls",
		"data": object{"tls.crt": encode(certificate), "tls.key": encode(key)}})
}

// rest are grants and policies.
func (m *maker) rest() {
	for i, to := range namespaces {
		if !m.odd() {
			var from []any
			for _, namespace := range namespaces {
				from = append(from,
					object{"group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "namespace": namespace},
					object{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace},
					object{"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "namespace": namespace})
			}
			m.add("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", to, fmt.Sprintf("grant-%d", i), object{"spec": object{
				"from": from, "to": []any{object{"group": "", "kind": "Service"}, object{"group": "", "kind": "Secret"}},
			}})
		}
	}
	if m.odd() {
		m.add(gatewayAPI, "BackendTLSPolicy", pick(m.random, namespaces), "policy", object{"spec": object{
			"targetRefs": []any{object{"group": "", "kind": "Service", "name": pick(m.random, serviceNames), "sectionName": "p"}},
			"validation": object{"wellKnownCACertificates": "System", "hostname": "a.example.com",
				"subjectAltNames": []any{object{"type": "URI", "uri": "spiffe://a/$host;"}}},
			"options": object{"a.b/c": m.value()},
		}})
	}
}

// allowedListeners mostly take ListenerSets of every namespace.
func (m *maker) allowedListeners() object {
	if from, ok := m.allowedRoutes()["namespaces"]; ok {
		return object{"namespaces": from}
	}
	return object{}
}

// listenerSet has listeners as Gateways have them: the same few ports, hostnames and names.
func (m *maker) listenerSet() {
	first := m.list[0]["metadata"].(object)
	parent := object{"name": first["name"], "namespace": first["namespace"]}
	switch {
	case m.odd():
		parent["name"] = clip(m.value(), 253)
	case m.odd():
		parent["kind"] = "ListenerSet"
	}
	m.add(gatewayAPI, "ListenerSet", pick(m.random, namespaces), pick(m.random, routeNames), object{"spec": object{
		"parentRef": parent, "listeners": m.listeners(),
	}})
}
