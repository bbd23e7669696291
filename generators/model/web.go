package model

import "strings"

// headerWeb is what clients of gRPC-Web send with every call, so that a browser asks for it beforehand.
const headerWeb = "x-grpc-web"

// WebPreflight says whether a browser asks if a page may make a call of gRPC-Web: where GRPCRoutes that take those share a host with
// HTTPRoutes, it is theirs.
func (c Call) WebPreflight() bool {
	value, _ := c.Header("access-control-request-headers")
	return c.Method == "OPTIONS" && strings.Contains(strings.ToLower(value), headerWeb)
}

// TakesWeb says whether rules of the scope take calls of gRPC-Web.
func (s *Scope) TakesWeb() bool {
	for _, r := range s.Rules {
		if r.Web != nil {
			return true
		}
	}
	return false
}
