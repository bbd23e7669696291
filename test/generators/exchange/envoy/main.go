// Command envoy is an example of a generator that is a program of its own (docs/exec-generators.md): it writes envoy.json for
// GRPCRoutes with services, methods, headers and weights, in cleartext, and refuses all else by name. It needs nothing of
// gatewright but the protocol.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

type object = map[string]any

type request struct {
	Kind  string
	Model struct {
		Gateways []struct {
			Namespace, Name string
			Addresses       []string
			Listeners       []listener
		}
		// Clusters and Backends keep their keys, so that one that came later is refused and not ignored.
		Clusters []map[string]json.RawMessage
	}
}

type listener struct {
	Name, Hostname string
	Port           int
	Scopes         []struct {
		Hostname string
		Rules    []rule
	}
}

type rule struct {
	Source struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		Rule      int    `json:"rule"`
		Created   string `json:"created,omitempty"`
	}
	Matches  []match
	Backends []map[string]json.RawMessage
	Status   *struct{ Code int }
}

type match struct {
	Path struct {
		Kind, Value, Service, Method string
	}
	Headers []struct {
		Name, Value string
		Regex       *string
	}
}

// refused are the parts that can't be written.
var refused []object

func main() {
	var r request
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answer := object{"apiVersion": "gatewright.io/generator/v1alpha1", "kind": r.Kind}
	if r.Kind == "Capabilities" {
		no := "the example generator for Envoy doesn't serve it"
		answer["capabilities"] = object{"proxy": "envoy", "version": "1.34.0", "limits": object{
			"matchHeaderName": "!#$%&'*+-.^_`|~", "addHeaderName": "", "requestValueList": false,
		}, "missing": object{"TLS": no, "HTTP": no, "BackendTLS": no, "BodyLimit": no, "Resolve": no}}
	} else if config := envoy(&r); len(refused) > 0 {
		answer["refused"] = refused
	} else {
		text, _ := json.MarshalIndent(config, "", "  ")
		answer["files"] = []object{{"path": "envoy.json", "text": string(text) + "\n"}}
	}
	_ = json.NewEncoder(os.Stdout).Encode(answer)
}

func envoy(r *request) object {
	var listeners, clusters []object
	for _, g := range r.Model.Gateways {
		if len(g.Addresses) == 0 {
			g.Addresses = []string{"0.0.0.0"}
		}
		for _, l := range g.Listeners {
			for _, address := range g.Addresses {
				listeners = append(listeners, l.envoy(g.Namespace+"/"+g.Name, address))
			}
		}
	}
	for _, c := range r.Model.Clusters {
		clusters = append(clusters, cluster(c))
	}
	// Envoy answers calls to a cluster without endpoints with UNAVAILABLE.
	clusters = append(clusters, object{"name": "unavailable", "type": "STATIC"})
	return object{"static_resources": object{"listeners": listeners, "clusters": clusters}}
}

func (l *listener) envoy(gateway, address string) object {
	var hosts []object
	for _, s := range l.Scopes {
		// A call that no rule of its hostname matches may be for one of a wider hostname.
		var routes []object
		wider := slices.Clone(l.Scopes)
		slices.SortStableFunc(wider, func(a, b struct {
			Hostname string
			Rules    []rule
		}) int {
			return cmp.Compare(len(b.Hostname), len(a.Hostname))
		})
		for _, w := range wider {
			if w.Hostname == "" || w.Hostname == s.Hostname || w.Hostname[0] == '*' && strings.HasSuffix(s.Hostname, w.Hostname[1:]) {
				routes = append(routes, l.routes(w.Rules)...)
			}
		}
		hosts = append(hosts, object{"name": cmp.Or(s.Hostname, "*"), "domains": []string{cmp.Or(s.Hostname, "*")}, "routes": routes})
	}
	manager := object{
		"@type":       "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": gateway + "/" + l.Name, "codec_type": "HTTP2", "strip_any_host_port": true,
		"route_config": object{"virtual_hosts": hosts},
		"http_filters": []object{{"name": "router", "typed_config": object{
			"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}},
	}
	return object{"name": gateway + "/" + l.Name + "/" + address, "address": socket(address, l.Port),
		"filter_chains": []object{{"filters": []object{{"name": "http", "typed_config": manager}}}}}
}

// routes are those of all matches, the one that counts first before the others: longer services, longer methods, more headers,
// older routes, names, the order in the route.
func (l *listener) routes(rules []rule) []object {
	type candidate struct {
		rule  rule
		match match
	}
	var all []candidate
	for _, r := range rules {
		for _, m := range r.Matches {
			all = append(all, candidate{r, m})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		x, y := a.rule.Source, b.rule.Source
		return cmp.Or(cmp.Compare(len(b.match.Path.Service), len(a.match.Path.Service)),
			cmp.Compare(len(b.match.Path.Method), len(a.match.Path.Method)), cmp.Compare(len(b.match.Headers), len(a.match.Headers)),
			cmp.Compare(cmp.Or(x.Created, "~"), cmp.Or(y.Created, "~")), cmp.Compare(x.Namespace+"/"+x.Name, y.Namespace+"/"+y.Name),
			cmp.Compare(x.Rule, y.Rule))
	})
	var routes []object
	for _, c := range all {
		if l.Hostname != "" {
			c.rule.refuse("the example serves listeners without a hostname only")
		}
		routes = append(routes, object{"match": c.rule.match(c.match), "route": c.rule.action()})
	}
	return routes
}

func (r *rule) refuse(message string) {
	refused = append(refused, object{"rule": r.Source, "message": message})
}

func (r *rule) match(m match) object {
	out, headers := object{}, []object{}
	switch m.Path.Kind {
	case "":
		out["prefix"] = "/"
	case "Exact":
		out["path"] = m.Path.Value
	case "Service":
		out["prefix"] = "/" + m.Path.Service + "/"
	default:
		r.refuse("the example matches services, alone or with a method; a match of kind " + m.Path.Kind + " has to be one of those")
	}
	for _, h := range m.Headers {
		if h.Regex != nil {
			r.refuse("header " + h.Name + ": the example knows no regular expressions; match an exact value")
		}
		headers = append(headers, object{"name": h.Name, "string_match": object{"exact": h.Value}})
	}
	out["headers"] = headers
	return out
}

func (r *rule) action() object {
	var shares []object
	for _, b := range r.Backends {
		name, weight := "unavailable", 0
		for key, value := range b {
			switch key {
			case "weight":
				_ = json.Unmarshal(value, &weight)
			case "cluster":
				_ = json.Unmarshal(value, &name)
			case "status":
			default:
				r.refuse("the example doesn't serve " + key + "; remove the filter or the policy that asks for it")
			}
		}
		shares = append(shares, object{"name": name, "weight": weight})
	}
	if len(shares) == 0 {
		return object{"cluster": "unavailable"}
	}
	return object{"weighted_clusters": object{"clusters": shares}, "timeout": "0s"}
}

func cluster(c map[string]json.RawMessage) object {
	var name string
	var endpoints []struct {
		Address string
		Port    int
	}
	_, _ = json.Unmarshal(c["name"], &name), json.Unmarshal(c["endpoints"], &endpoints)
	for key := range c {
		if !slices.Contains([]string{"name", "namespace", "service", "port", "endpoints"}, key) {
			refused = append(refused, object{"cluster": name, "message": "the example doesn't serve " + key + " of a Service"})
		}
	}
	hosts := []object{}
	for _, e := range endpoints {
		hosts = append(hosts, object{"endpoint": object{"address": socket(e.Address, e.Port)}})
	}
	return object{"name": name, "type": "STRICT_DNS",
		"load_assignment": object{"cluster_name": name, "endpoints": []object{{"lb_endpoints": hosts}}},
		"typed_extension_protocol_options": object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
			"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
			"explicit_http_config": object{"http2_protocol_options": object{}}}}}
}

func socket(address string, port int) object {
	return object{"socket_address": object{"address": address, "port_value": port}}
}
