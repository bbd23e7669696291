package translate

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// ruleSpec is a rule of a route of any kind, as all of translation but the kind's own file sees it. Field paths follow
// from the places of its parts: all kinds name them alike.
type ruleSpec struct {
	name     string
	matches  []matchSpec
	filters  []filterSpec
	backends []backendSpec
	timeouts *gatewayv1.HTTPRouteTimeouts
	retry    *gatewayv1.HTTPRouteRetry
	// persistence keeps sessions at one endpoint.
	persistence *gatewayv1.SessionPersistence
}

// matchSpec is one match of a rule.
type matchSpec struct {
	// path reads what is asked of the path, pathField is where that stands below the match: "method". A nil path asks
	// for nothing.
	path      func(g *graph) (model.Path, error)
	pathField string
	// method is the HTTP method, "" for any.
	method  string
	headers []valueSpec
	query   []valueSpec
}

// valueSpec is one header or query parameter to match.
type valueSpec struct{ kind, name, value string }

// How the value of a valueSpec is compared: the API's words for it, which all kinds of routes share.
const (
	exactValue = "Exact"
	regexValue = "RegularExpression"
)

// filterSpec is one filter: its type, and the field of that type, nil where it isn't given.
type filterSpec struct {
	kind string
	spec any
}

// backendSpec is one backendRef with its own filters.
type backendSpec struct {
	ref     *gatewayv1.BackendRef
	filters []filterSpec
}

// given is a filter's field where it is set.
func given[T any](field *T) any {
	if field == nil {
		return nil
	}
	return field
}
