package hostile

import (
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/test/harness"
)

// object is a manifest as it is read: maps, lists, texts and numbers.
type object = map[string]any

// The names that references go by: few, with dots, and alike once they are part of another name.
var (
	namespaces   = []string{"default", "a", "a-b", "b", strings.Repeat("n", 63)}
	serviceNames = []string{"s", "a-b", "b", "s-1", strings.Repeat("s", 63)}
	routeNames   = []string{"r", "a.b", "a-b", "a", "b.c", strings.Repeat("long-name.", 25) + "xyz"}
	secretNames  = []string{"plain", "a.b", strings.Repeat("secret-name.", 21) + "x", "chain", "missing"}
	addresses    = []any{"127.77.0.1", "127.77.0.2", "127.77.0.3", "::1", "::ffff:127.77.0.4"}
	ports        = []int{18080, 18443, 18081, 1}
)

// maker makes the manifests of one seed.
type maker struct {
	random
	pairs []harness.KeyPair
	list  []object
	names map[string]bool
}

// objects are manifests of a seed: what is in them depends on nothing but the seed and the key pairs.
func objects(seed uint64, pairs []harness.KeyPair) []object {
	m := &maker{random: newRandom(seed), pairs: pairs, names: map[string]bool{}}
	for range 1 + m.IntN(2) {
		m.gateway()
	}
	for range m.IntN(4) {
		m.listenerSet()
	}
	for range 1 + m.IntN(6) {
		m.route()
	}
	for _, namespace := range namespaces {
		m.namespace(namespace)
		for _, name := range serviceNames {
			if !m.odd() {
				m.service(namespace, name)
			}
		}
	}
	for _, namespace := range namespaces {
		for _, name := range secretNames[:len(secretNames)-1] {
			m.secret(namespace, name)
		}
	}
	m.rest()
	return m.list
}

// add takes an object, unless there is one of its name.
func (m *maker) add(apiVersion, kind, namespace, name string, content object) {
	id := kind + " " + namespace + "/" + name
	if m.names[id] {
		return
	}
	m.names[id] = true
	meta := object{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	if given, ok := content["metadata"].(object); ok {
		for k, v := range given {
			meta[k] = v
		}
	}
	if strings.HasPrefix(apiVersion, "gateway") && m.chance(50) {
		meta["creationTimestamp"] = fmt.Sprintf("2024-01-0%dT00:00:00Z", 1+m.IntN(3))
	}
	content["apiVersion"], content["kind"], content["metadata"] = apiVersion, kind, meta
	m.list = append(m.list, content)
}

const gatewayAPI = "gateway.networking.k8s.io/v1"

func (m *maker) gateway() {
	spec := object{"gatewayClassName": "gatewright", "listeners": m.listeners()}
	var list []any
	for _, i := range m.Perm(len(addresses))[:1+m.IntN(2)] {
		list = append(list, object{"type": "IPAddress", "value": addresses[i]})
	}
	spec["addresses"] = list
	if m.odd() {
		spec["addresses"] = append(list, object{"type": "Hostname", "value": "a.example.com"})
	}
	if m.chance(15) {
		spec["infrastructure"] = object{"labels": object{"a/b": "c"}, "annotations": object{"a": m.value()}}
	}
	if m.chance(60) {
		spec["allowedListeners"] = m.allowedListeners()
	}
	if m.odd() {
		spec["tls"] = object{"frontend": object{"default": object{}, "perPort": []any{object{"port": 18443, "tls": object{
			"validation": object{"caCertificateRefs": []any{object{"group": "", "kind": "ConfigMap", "name": m.value()}}}}}}}}
	}
	if m.chance(10) {
		spec["tls"] = object{"backend": object{"clientCertificateRef": object{"name": clip(m.value(), 253)}}}
	}
	m.add(gatewayAPI, "Gateway", pick(m.random, namespaces), pick(m.random, routeNames), object{"spec": spec})
}

func (m *maker) listeners() []any {
	var list []any
	seen := map[string]bool{}
	for i := range 1 + m.size(5, 63) {
		port := pick(m.random, ports)
		l := object{"name": fmt.Sprintf("l%d", i), "port": port, "protocol": "HTTP", "allowedRoutes": m.allowedRoutes()}
		if m.chance(10) {
			l["name"] = strings.Repeat("l.", 124) + fmt.Sprintf("l%d", i)
		}
		if m.odd() {
			l["protocol"] = pick(m.random, []string{"UDP", "TCP", "example.com/x"})
		}
		if port == 18443 {
			l["protocol"] = "HTTPS"
			var refs []any
			for range 1 + m.IntN(3) {
				refs = append(refs, m.reference("Secret", secretNames))
			}
			l["tls"] = object{"certificateRefs": refs}
			if m.odd() {
				l["tls"] = object{"certificateRefs": refs, "options": object{"a.b/c": m.value()}}
			}
		}
		host := ""
		if m.chance(70) && (l["protocol"] == "HTTP" || l["protocol"] == "HTTPS") {
			host = m.hostname()
			l["hostname"] = host
		}
		if id := fmt.Sprint(port, l["protocol"], host); seen[id] {
			continue
		} else {
			seen[id] = true
		}
		list = append(list, l)
	}
	return list
}

func (m *maker) allowedRoutes() object {
	a := object{"namespaces": object{"from": "All"}}
	if !m.odd() {
		return a
	}
	switch m.IntN(4) {
	case 0:
		a["namespaces"] = object{"from": "Same"}
	case 1:
		a["namespaces"] = object{"from": "Selector", "selector": object{"matchLabels": object{"kubernetes.io/metadata.name": "a"}}}
	case 2:
		a["namespaces"] = object{"from": "Selector", "selector": object{"matchExpressions": []any{object{"key": "x/y/z", "operator": "Within",
			"values": []any{m.value()}}}}}
	case 3:
		a["kinds"] = []any{object{"kind": "TCPRoute"}, object{"kind": "GRPCRoute"}, object{"group": "example.com", "kind": "GRPCRoute"}}
	}
	return a
}

// reference names an object, in the same namespace or another.
func (m *maker) reference(kind string, names []string) object {
	ref := object{"name": pick(m.random, names)}
	if m.chance(50) {
		ref["namespace"] = pick(m.random, namespaces)
	}
	if m.chance(10) {
		ref["kind"] = kind
	}
	switch {
	case m.odd():
		ref["name"] = clip(m.value(), 253)
	case m.odd():
		ref["group"], ref["kind"] = "example.com", strings.Repeat("K", 63)
	}
	return ref
}

func clip(text string, most int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), most)])
}

func (m *maker) route() {
	spec := object{"parentRefs": m.parents()}
	if n := m.size(2, 16); n > 0 && m.chance(60) {
		var hosts []any
		for range n {
			hosts = append(hosts, m.hostname())
		}
		spec["hostnames"] = hosts
	}
	var rules []any
	matches := 0
	for i := range 1 + m.size(4, 15) {
		rule := object{}
		if m.chance(30) {
			rule["name"] = fmt.Sprintf("rule-%d", i)
		}
		if list := m.matches(min(64, 128-matches)); len(list) > 0 {
			matches += len(list)
			rule["matches"] = list
		}
		if list := m.filters(); len(list) > 0 {
			rule["filters"] = list
		}
		if list := m.backendRefs(); len(list) > 0 {
			rule["backendRefs"] = list
		}
		rules = append(rules, rule)
	}
	spec["rules"] = rules
	kind, name := "GRPCRoute", pick(m.random, routeNames)
	if m.odd() {
		kind = "HTTPRoute"
		spec["rules"] = []any{object{"matches": []any{object{"path": object{"type": "Exact", "value": "/a.B/Get"}}}}}
	}
	m.add(gatewayAPI, kind, pick(m.random, namespaces), name, object{"spec": spec})
}

// parents refer to every Gateway and ListenerSet that there may be.
func (m *maker) parents() []any {
	var list []any
	for _, o := range m.list {
		kind := o["kind"]
		if kind != "Gateway" && kind != "ListenerSet" {
			continue
		}
		meta := o["metadata"].(object)
		ref := object{"name": meta["name"], "namespace": meta["namespace"], "kind": kind}
		switch m.IntN(8) {
		case 0:
			ref["sectionName"] = fmt.Sprintf("l%d", m.IntN(2))
		case 1:
			ref["port"] = pick(m.random, ports)
		}
		switch {
		case m.odd():
			ref["sectionName"], ref["port"] = "missing", 9
		case m.odd():
			ref["name"] = clip(m.value(), 253)
		}
		list = append(list, ref)
	}
	return list
}

func (m *maker) matches(most int) []any {
	var list []any
	for range min(most, m.size(4, 64)) {
		match := object{}
		if m.chance(70) {
			match["method"] = m.method()
		}
		var headers []any
		seen := map[string]bool{}
		for range m.size(3, 16) {
			name := m.matchedName()
			if seen[name] {
				continue
			}
			seen[name] = true
			h := object{"name": name, "value": m.value()}
			if m.chance(40) {
				h["type"], h["value"] = "RegularExpression", m.expression(4096)
			}
			headers = append(headers, h)
		}
		if len(headers) > 0 {
			match["headers"] = headers
		}
		list = append(list, match)
	}
	return list
}

func (m *maker) method() object {
	method := object{}
	regex := m.chance(30)
	if regex {
		method["type"] = "RegularExpression"
	}
	service, name := m.chance(75), m.chance(75)
	if service || !name {
		if method["service"] = m.serviceName(); regex {
			method["service"] = m.expression(1024)
		}
	}
	if name {
		if method["method"] = m.methodName(); regex {
			method["method"] = m.expression(1024)
		}
	}
	return method
}

func (m *maker) backendRefs() []any {
	var list []any
	for range m.size(3, 16) {
		ref := m.reference("Service", serviceNames)
		ref["port"] = 80
		if m.odd() {
			ref["port"] = pick(m.random, []int{81, 65535})
		}
		if m.chance(50) {
			ref["weight"] = pick(m.random, []int{0, 1, 2, 3, 999, 1000000})
		}
		if m.chance(30) {
			if list := m.filters(); len(list) > 0 {
				ref["filters"] = list
			}
		}
		list = append(list, ref)
	}
	return list
}

func (m *maker) filters() []any {
	var list []any
	for _, kind := range []string{"Request", "Response"} {
		if m.chance(40) {
			list = append(list, object{"type": kind + "HeaderModifier", strings.ToLower(kind) + "HeaderModifier": m.modifier()})
		}
	}
	if !m.odd() {
		return list
	}
	switch m.IntN(2) {
	case 0:
		list = append(list, object{"type": "RequestMirror",
			"requestMirror": object{"backendRef": object{"name": clip(m.value(), 253), "port": 80}, "percent": 50}})
	case 1:
		list = append(list, object{"type": "ExtensionRef",
			"extensionRef": object{"group": "example.com", "kind": "X", "name": clip(m.value(), 253)}})
	}
	return list
}

func (m *maker) modifier() object {
	modifier := object{}
	taken := map[string]bool{}
	fresh := func() (string, bool) {
		name := m.headerName()
		if m.chance(60) {
			name = fmt.Sprintf("x-%d", m.IntN(40))
		}
		lower := strings.ToLower(name)
		// What is changed twice is refused: mostly leave it out.
		if taken[lower] && !m.odd() {
			return "", false
		}
		taken[lower] = true
		return name, true
	}
	for _, action := range []string{"set", "add"} {
		var list []any
		own := map[string]bool{}
		for range m.size(3, 16) {
			if name, ok := fresh(); ok && !own[name] {
				own[name] = true
				list = append(list, object{"name": name, "value": m.setValue()})
			}
		}
		if len(list) > 0 {
			modifier[action] = list
		}
	}
	var removed []any
	own := map[string]bool{}
	for range m.size(2, 16) {
		if name, ok := fresh(); ok && !own[name] {
			own[name] = true
			removed = append(removed, name)
		}
	}
	if m.odd() {
		removed = append(removed, pick(m.random, brokenRemoved))
	}
	if len(removed) > 0 {
		modifier["remove"] = removed
	}
	return modifier
}
