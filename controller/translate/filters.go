package translate

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// filterScope is where filters stand: what they may do, and what some of them need to know.
type filterScope struct {
	*graph
	route *route
	// rule is the rule's index in the route.
	rule int
	// prefix is the prefix of the path that the rule's only match asks for; nil where it has other matches.
	prefix *string
	// backend says that they are a backendRef's own.
	backend bool
	// at names the filter that is looked at: "spec.rules[0].filters[1]".
	at func() string
}

// handled is what filters do: to what is passed on, or instead of that.
type handled struct {
	model.Handling
	redirect *model.Redirect
}

// filterKinds are the filters that are served, by their type: what each does.
var filterKinds = map[string]func(s *filterScope, spec any, h *handled) error{
	"RequestHeaderModifier": func(s *filterScope, spec any, h *handled) (err error) {
		h.RequestHeaders, err = s.modify(spec.(*gatewayv1.HTTPHeaderFilter), "requestHeaderModifier", s.caps.Limits.AddHeaderName)
		return err
	},
	"ResponseHeaderModifier": func(s *filterScope, spec any, h *handled) (err error) {
		h.ResponseHeaders, err = s.modify(spec.(*gatewayv1.HTTPHeaderFilter), responseModifier, model.TokenCharacters)
		return err
	},
	"RequestRedirect": func(s *filterScope, spec any, h *handled) (err error) {
		h.redirect, err = s.redirect(spec.(*gatewayv1.HTTPRequestRedirectFilter))
		return err
	},
	"URLRewrite": func(s *filterScope, spec any, h *handled) (err error) {
		h.Rewrite, err = s.rewrite(spec.(*gatewayv1.HTTPURLRewriteFilter))
		return err
	},
	"CORS": func(s *filterScope, spec any, h *handled) (err error) {
		h.CORS, err = cors(spec.(*gatewayv1.HTTPCORSFilter))
		return err
	},
	requestMirror: func(s *filterScope, spec any, h *handled) error {
		return s.mirror(spec.(*gatewayv1.HTTPRequestMirrorFilter), h)
	},
}

// requestMirror is the only filter that a list may have several of.
const requestMirror = string(gatewayv1.HTTPRouteFilterRequestMirror)

// filters translates a list of filters (R19). A bad one is a filter that can't be applied as written, an
// unresolved one refers to something that isn't there; neither may be skipped (R22).
func (s *filterScope) filters(specs []filterSpec, field func() string) (h handled, bad, unresolved *problem) {
	for i := range specs {
		f := &specs[i]
		at := func() string { return fmt.Sprintf("%s[%d]", field(), i) }
		s.at = at
		if ref, ok := f.spec.(*gatewayv1.LocalObjectReference); ok {
			var missing *problem
			if bad, missing = s.extension(ref, &h); bad != nil {
				return h, bad, unresolved
			}
			if missing != nil {
				unresolved = missing
				continue
			}
			if slices.ContainsFunc(specs[:i], func(before filterSpec) bool { return sameExtension(before.spec, ref) }) {
				return h, incompatible("%s: there is a %s before; refer to one", at(), ref.Kind), unresolved
			}
			continue
		}
		apply := filterKinds[f.kind]
		if apply == nil || f.spec == nil {
			return h, unsupported(at(), part("type", "%s isn't supported yet; remove the filter", f.kind)), unresolved
		}
		if err := apply(s, f.spec, &h); err != nil {
			return h, unsupported(at(), err), unresolved
		}
		if f.kind != requestMirror && slices.ContainsFunc(specs[:i], func(before filterSpec) bool { return before.kind == f.kind }) {
			return h, incompatible("%s: there is a %s before; put both into one", at(), f.kind), unresolved
		}
	}
	if h.redirect != nil && len(specs) > 1 {
		return h, incompatible("%s: a RequestRedirect answers by itself, and other filters beside it aren't supported; remove them", field()),
			unresolved
	}
	return h, nil, unresolved
}

// sameExtension says whether a filter refers to an object of the same kind.
func sameExtension(spec any, ref *gatewayv1.LocalObjectReference) bool {
	before, ok := spec.(*gatewayv1.LocalObjectReference)
	return ok && before.Group == ref.Group && before.Kind == ref.Kind
}

func incompatible(format string, args ...any) *problem {
	return &problem{string(gatewayv1.RouteReasonIncompatibleFilters), fmt.Sprintf(format, args...)}
}
