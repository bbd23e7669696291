package model

import (
	"net/url"
	"strings"
)

// Call is one request as a proxy sees it, for explain and for tests.
type Call struct {
	// Gateway is "namespace/name" of the Gateway that the call arrives at; "" when the port tells.
	Gateway string
	Port    int32
	// SNI is the server name of the TLS handshake, for HTTPS listeners.
	SNI string
	// Authority is the host, with or without a port.
	Authority string
	// Path is what was asked for, query included. A gRPC call's is "/service/method".
	Path string
	// Method is the HTTP method; gRPC's is POST.
	Method string
	// Headers are those of the request, without pseudo-headers.
	Headers []Header
	// ContentType is the content type where Headers have none.
	ContentType string
}

// GRPCContentType is what the content type of a gRPC call begins with.
const GRPCContentType = "application/grpc"

// Header is one header line.
type Header struct{ Name, Value string }

// Host is the authority without port and trailing dot, in lower case (R5).
func (c Call) Host() string { return Hostname(c.Authority) }

// Hostname is a name as it is compared: without port and trailing dot, in lower case (R5).
func Hostname(authority string) string {
	host := authority
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.Contains(host[i:], "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// PathOnly is the path without its query.
func (c Call) PathOnly() string {
	path, _, _ := strings.Cut(c.Path, "?")
	return path
}

// Service is the first segment of the path, when it isn't empty and a slash follows it.
func (c Call) Service() (string, bool) {
	service, _, slash := strings.Cut(strings.TrimPrefix(c.PathOnly(), "/"), "/")
	return service, slash && service != "" && strings.HasPrefix(c.Path, "/")
}

// GRPCMethod is the second segment of the path, when it has two and neither is empty.
func (c Call) GRPCMethod() (string, bool) {
	service, ok := c.Service()
	if !ok {
		return "", false
	}
	method := c.PathOnly()[len("/")+len(service)+len("/"):]
	return method, method != "" && !strings.Contains(method, "/")
}

// Header returns the value of a header, compared without case. Several lines are one value, joined as
// RFC 9110 says. A header with an empty value counts as absent: nginx can't tell them apart, and both proxies
// are to decide alike.
func (c Call) Header(name string) (string, bool) {
	var values []string
	for _, h := range c.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	value := strings.Join(values, ", ")
	return value, value != ""
}

// GRPC says whether the request calls itself gRPC: where both kinds of routes have a host, GRPCRoutes get those, and
// HTTPRoutes all others (R25).
func (c Call) GRPC() bool {
	value, ok := c.Header("content-type")
	if !ok {
		value = c.ContentType
	}
	return strings.HasPrefix(strings.ToLower(value), GRPCContentType)
}

// QueryParameter returns the first value of a query parameter, decoded (R35). Its name is compared as it stands there. An
// empty value, one that can't be decoded and one with a control character count as absent.
func (c Call) QueryParameter(name string) (string, bool) {
	_, query, _ := strings.Cut(c.Path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, raw, _ := strings.Cut(pair, "=")
		if key != name {
			continue
		}
		value, err := url.QueryUnescape(raw)
		if err != nil || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", false
		}
		return value, value != ""
	}
	return "", false
}
