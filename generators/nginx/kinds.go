package nginx

import (
	"slices"
	"strconv"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// Of a request the host tells whether it is one of GRPCRoutes or of HTTPRoutes, and where that doesn't, its content type
// (matching.Class.Kind). Ids of scopes of HTTPRoutes begin with "h", so that the scope tells too.

// scopeID is the id of a scope in maps.
func (bs *blocks) scopeID(name string, kind model.RouteKind) string {
	id := bs.ids.Of("scope " + name)
	if kind == model.HTTPRoute {
		return "h" + id
	}
	return id
}

// ofHTTP is the expression for scopes of HTTPRoutes.
const ofHTTP = `"~^h"`

// scopeOf is the token of the scope that decides first for the hosts of a class.
func (s *servers) scopeOf(c *matching.Class) string {
	switch scopes := c.Scopes(); len(scopes) {
	case 0:
		return `""`
	case 1:
		return s.scopes[scopes[0]]
	}
	key, content := [2]int{c.GRPC, c.HTTP}, "$gw_content"
	if s.tables.TakesWeb(c) {
		content = "$" + webContent
	}
	if token, ok := s.shared[key]; ok {
		return token
	}
	b := s.blocks.add(Map{Comment: "A host of both kinds of routes: the content type tells.", Source: content,
		Name: "gw_shared_" + s.scopes[c.GRPC] + "_" + s.scopes[c.HTTP], Default: s.scopes[c.HTTP]})
	b.entry("grpc", s.scopes[c.GRPC], "")
	if s.shared == nil {
		s.shared = map[[2]int]string{}
	}
	s.shared[key] = "$" + b.Name
	return s.shared[key]
}

// portKind is the only kind of routes that a port has, or "".
func portKind(p *matching.Port) model.RouteKind {
	has := func(scope func(c *matching.Class) int) bool {
		return slices.ContainsFunc(p.Classes, func(c matching.Class) bool { return scope(&c) >= 0 })
	}
	grpc, http := has(func(c *matching.Class) int { return c.GRPC }), has(func(c *matching.Class) int { return c.HTTP })
	switch {
	case grpc && !http:
		return model.GRPCRoute
	case http && !grpc:
		return model.HTTPRoute
	}
	return ""
}

// kinds writes the maps that find the kind of a request. Nobody asks them before a call fails, but for hosts that no
// route has, and requests of HTTPRoutes.
func (s *servers) kinds() {
	content := s.blocks.add(Map{Comment: "What a request says that it is,", Source: "$http_content_type", Name: "gw_content", Default: "http"})
	content.entry(`"~*^application/grpc"`, "grpc", "")
	s.webContent()
	kind := s.blocks.add(Map{Comment: "and what it is: the scope tells,", Source: "$gw_scope", Name: "gw_kind", Default: "grpc"})
	kind.entry(`""`, "$gw_kind_unset", "")
	if s.tables.HasHTTP() {
		kind.entry(ofHTTP, "http", "")
	}
	unset := s.blocks.add(Map{Comment: "where none is, or not yet, the port and the host,", Source: "$server_port", Name: "gw_kind_unset",
		Default: "$gw_content"})
	hostless := map[model.RouteKind]string{"": "$gw_content"}
	for i, suffix := range s.suffixes {
		p := &s.tables.Ports[i]
		only := portKind(p)
		if suffix != strconv.Itoa(int(p.Port)) || only == "" && len(p.Classes) == 0 || s.repeated(p.Port) {
			continue
		}
		if hostless[only] == "" {
			hostless[only] = s.hostless(only)
		}
		b := s.blocks.add(Map{Comment: "by its scope again: a request that nginx can't read has no other yet.", Source: "$gw_host_" + suffix,
			Name: "gw_kind_" + suffix, Default: "grpc"})
		b.entry(`""`, hostless[only], "")
		if only != model.GRPCRoute {
			b.entry(ofHTTP, "http", "")
		}
		name := b.Name
		if only == "" {
			// What a client of gRPC makes of this is INTERNAL, so it is right for both.
			known := s.blocks.add(Map{Comment: "A request whose host nginx couldn't read is answered by an HTTP status.", Source: "$host",
				Name: "gw_kind_read_" + suffix, Default: "$" + b.Name})
			known.entry(`""`, "http", "")
			name = known.Name
		}
		unset.entry(suffix, "$"+name, "")
	}
}

// repeated says whether several Gateways have a port, each on addresses of its own: its number doesn't tell which.
func (s *servers) repeated(port int32) bool {
	n := 0
	for i := range s.tables.Ports {
		if s.tables.Ports[i].Port == port {
			n++
		}
	}
	return n > 1
}

// hostless tells the kind of requests whose host isn't known, on ports of one kind.
func (s *servers) hostless(only model.RouteKind) string {
	kind := "grpc"
	if only == model.HTTPRoute {
		kind = "http"
	}
	b := s.blocks.add(Map{Comment: "No host at all: what the port is for, if that is spoken. Another host: the content type.",
		Source: `"$server_protocol $host"`, Name: "gw_kind_only_" + kind, Default: "$gw_content"})
	b.entry(`"HTTP/2.0 "`, kind, "")
	return "$" + b.Name
}
