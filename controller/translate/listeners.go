package translate

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// protocolNeeds are the protocols of R1 with what the proxy must have for them (R2).
var protocolNeeds = map[gatewayv1.ProtocolType][]model.Feature{
	gatewayv1.HTTPProtocolType:  {model.FeatureHTTP2, model.FeatureH2C, model.FeatureGRPC},
	gatewayv1.HTTPSProtocolType: {model.FeatureHTTP2, model.FeatureTLS, model.FeatureGRPC},
}

// checkListeners looks at each listener by itself.
func (g *graph) checkListeners() {
	for _, gw := range g.gateways {
		for _, l := range gw.all {
			g.checkProtocol(l)
			l.checkTLS()
			l.checkFilters()
			g.checkKinds(l)
			l.checkNamespaces()
		}
	}
}

func (g *graph) checkProtocol(l *listener) {
	needs, ok := protocolNeeds[l.spec.Protocol]
	if !ok {
		l.refuse(gatewayv1.ListenerReasonUnsupportedProtocol,
			fmt.Sprintf("%s.protocol: %s isn't supported; use HTTP or HTTPS", l.field, l.spec.Protocol))
		return
	}
	for _, f := range needs {
		if why, missing := g.caps.Missing[f]; missing {
			l.refuse(gatewayv1.ListenerReasonUnsupportedProtocol,
				fmt.Sprintf("%s.protocol: %s needs %s: %s", l.field, l.spec.Protocol, f, why))
			return
		}
	}
}

// checkTLS refuses TLS settings that would otherwise be left out without a word.
func (l *listener) checkTLS() {
	t := l.spec.TLS
	if l.spec.Protocol != gatewayv1.HTTPSProtocolType {
		if t != nil && l.spec.Protocol == gatewayv1.HTTPProtocolType {
			l.refuse(gatewayv1.ListenerReasonUnsupportedValue, l.field+".tls: a listener of protocol HTTP has no TLS; use HTTPS")
		}
		return
	}
	if t == nil {
		return
	}
	if m := deref(t.Mode, gatewayv1.TLSModeTerminate); m != gatewayv1.TLSModeTerminate {
		l.refuse(gatewayv1.ListenerReasonUnsupportedValue,
			fmt.Sprintf("%s.tls.mode: %s isn't supported; use Terminate", l.field, m))
	}
	if len(t.Options) > 0 {
		keys := make([]string, 0, len(t.Options))
		for k := range t.Options {
			keys = append(keys, string(k))
		}
		slices.Sort(keys)
		l.refuse(gatewayv1.ListenerReasonUnsupportedValue,
			fmt.Sprintf("%s.tls.options: %s: no option is supported", l.field, strings.Join(keys, ", ")))
	}
}

// checkFilters refuses filters that run before a route is chosen: a listener without one of them would let through what
// the filter is to stop.
func (l *listener) checkFilters() {
	if l.spec.Filters == nil {
		return
	}
	for i, f := range l.spec.Filters.Requests {
		l.refuse(gatewayv1.ListenerReasonUnsupportedValue,
			fmt.Sprintf("%s.filters.requests[%d].type: %s isn't supported yet; remove the filter", l.field, i, f.Type))
	}
}

// kindNeeds are the kinds of routes with what the proxy must have for them.
var kindNeeds = []kindNeed{{model.GRPCRoute, model.FeatureGRPC}, {model.HTTPRoute, model.FeatureHTTP}}

type kindNeed struct {
	kind  model.RouteKind
	needs model.Feature
}

// checkKinds works out the kinds of routes that may attach. One that the proxy doesn't have may attach by default, for
// it competes with the other one for hosts (R25).
func (g *graph) checkKinds(l *listener) {
	group := gatewayv1.Group(groupGateway)
	l.kinds = []gatewayv1.RouteGroupKind{}
	if protocolNeeds[l.spec.Protocol] == nil {
		return
	}
	l.allowed = map[model.RouteKind]bool{}
	if l.spec.AllowedRoutes == nil || len(l.spec.AllowedRoutes.Kinds) == 0 {
		for _, k := range kindNeeds {
			if l.allowed[k.kind] = true; g.caps.Has(k.needs) {
				l.kinds = append(l.kinds, gatewayv1.RouteGroupKind{Group: &group, Kind: gatewayv1.Kind(k.kind)})
			}
		}
		return
	}
	for i, k := range l.spec.AllowedRoutes.Kinds {
		at := -1
		if deref(k.Group, group) == group {
			at = slices.IndexFunc(kindNeeds, func(known kindNeed) bool { return gatewayv1.Kind(known.kind) == k.Kind })
		}
		if at >= 0 && g.caps.Has(kindNeeds[at].needs) {
			if kind := kindNeeds[at].kind; !l.allowed[kind] {
				l.kinds, l.allowed[kind] = append(l.kinds, gatewayv1.RouteGroupKind{Group: &group, Kind: k.Kind}), true
			}
			continue
		}
		if at >= 0 {
			l.allowed[kindNeeds[at].kind] = true
		}
		l.refs = append(l.refs, problem{
			string(gatewayv1.ListenerReasonInvalidRouteKinds),
			fmt.Sprintf("%s.allowedRoutes.kinds[%d]: %s isn't supported; use %s", l.field, i, k.Kind, g.kindNames()),
		})
	}
}

// kindNames are the kinds that the proxy has, for a message.
func (g *graph) kindNames() string {
	var names []string
	for _, k := range kindNeeds {
		if g.caps.Has(k.needs) {
			names = append(names, string(k.kind))
		}
	}
	return strings.Join(names, " or ")
}

// namespaceRule says from which namespaces routes, or ListenerSets, may attach.
type namespaceRule struct {
	all      bool
	same     string          // only this namespace, unless ""
	selector labels.Selector // nil for none
}

func (l *listener) checkNamespaces() {
	own := l.namespace()
	l.namespaces.same = own
	if l.spec.AllowedRoutes == nil || l.spec.AllowedRoutes.Namespaces == nil {
		return
	}
	rule := l.spec.AllowedRoutes.Namespaces
	var wrong string
	l.namespaces, wrong = readNamespaces(deref(rule.From, gatewayv1.NamespacesFromSame), rule.Selector, own)
	if wrong != "" {
		l.refuse(gatewayv1.ListenerReasonUnsupportedValue, l.field+".allowedRoutes.namespaces"+wrong)
	}
}

// readNamespaces reads a field that says which namespaces something may come from; own is that of the object with the field. wrong
// is the end of a message about what can't be read, which allows none.
func readNamespaces(from gatewayv1.FromNamespaces, selector *metav1.LabelSelector, own string) (rule namespaceRule, wrong string) {
	switch from {
	case gatewayv1.NamespacesFromSame:
		return namespaceRule{same: own}, ""
	case gatewayv1.NamespacesFromAll:
		return namespaceRule{all: true}, ""
	case gatewayv1.NamespacesFromNone:
		return namespaceRule{}, ""
	case gatewayv1.NamespacesFromSelector:
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return namespaceRule{}, fmt.Sprintf(".selector: %v", err)
		}
		return namespaceRule{selector: s}, ""
	}
	return namespaceRule{}, fmt.Sprintf(".from: %s isn't supported; use Same, All or Selector", from)
}

// allows says whether objects of a namespace may attach.
func (r namespaceRule) allows(namespace string, labelsOf func(namespace string) labels.Set) bool {
	switch {
	case r.all:
		return true
	case r.selector != nil:
		return r.selector.Matches(labelsOf(namespace))
	}
	return r.same != "" && r.same == namespace
}

func (l *listener) refuse(reason gatewayv1.ListenerConditionReason, message string) {
	l.refused = join(l.refused, string(reason), message)
}

// served says whether the listener gets into the model.
func (l *listener) served() bool {
	return l.gateway.refused == nil && !l.gateway.unserved && l.refused == nil && l.conflict == nil &&
		(l.spec.Protocol != gatewayv1.HTTPSProtocolType || len(l.keyPairs) > 0)
}
