package hostile

import (
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators/model"
)

// checkStatuses holds the statuses against the model: what isn't served as written is named, and what is served
// isn't refused.
func checkStatuses(s *resources.Snapshot, result translate.Result) *failure {
	served := servedRules(result.Gateways)
	told := map[string]*status.Report{}
	reports := result.Reports()
	for i := range reports {
		r := &reports[i]
		told[r.Object()] = r
	}
	for _, route := range s.GRPCRoutes {
		id := "GRPCRoute " + route.Namespace + "/" + route.Name
		report := told[id]
		if report == nil {
			if len(served[id]) > 0 {
				return &failure{"status", id + " is served and has no status"}
			}
			continue
		}
		if f := checkRoute(route, report, served[id]); f != nil {
			f.text = id + ": " + f.text
			return f
		}
	}
	return checkListeners(result, told)
}

// servedRules are the rules in the model, by route and index.
func servedRules(m model.Gateways) map[string]map[int]*model.Rule {
	served := map[string]map[int]*model.Rule{}
	for _, g := range m.Gateways {
		for _, l := range g.Listeners {
			for _, scope := range l.Scopes {
				for _, r := range scope.Rules {
					id := fmt.Sprintf("%s %s/%s", r.Source.Kind, r.Source.Namespace, r.Source.Name)
					if served[id] == nil {
						served[id] = map[int]*model.Rule{}
					}
					served[id][r.Source.Rule] = r
				}
			}
		}
	}
	return served
}

// aFew is the end of a long list of problems.
var aFew = regexp.MustCompile(`and [0-9]+ more`)

// named says whether the messages name a rule.
func named(text string, rule int) bool {
	return strings.Contains(text, fmt.Sprintf("spec.rules[%d]", rule)) || strings.Contains(text, fmt.Sprintf("Rule %d:", rule)) ||
		aFew.MatchString(text)
}

func checkRoute(route *gatewayv1.GRPCRoute, report *status.Report, served map[int]*model.Rule) *failure {
	accepted, text := false, ""
	refused := false
	for _, p := range report.Route.Parents {
		for _, c := range p.Conditions {
			switch {
			case c.Type == string(gatewayv1.RouteConditionAccepted):
				accepted = accepted || c.Status == metav1.ConditionTrue
			case c.Type == string(status.ConditionEndpointsFound): // A rule is served whether or not its Services have endpoints.
			case (c.Status == metav1.ConditionFalse) != (c.Type == string(gatewayv1.RouteConditionPartiallyInvalid)):
				refused = true
				text += " " + c.Message
			}
			if len(c.Message) > 32768 || c.Message == "" || !metav1Reason(c.Reason) {
				return &failure{"condition", fmt.Sprintf("the API refuses the condition %+.500v", c)}
			}
		}
	}
	if !accepted {
		if len(served) > 0 {
			return &failure{"status", "no parent accepts it, and it is served"}
		}
		return nil
	}
	if len(served) == 0 {
		return nil // Its listeners aren't served, and say why.
	}
	partial := false
	for i := range route.Spec.Rules {
		rule, spec := served[i], &route.Spec.Rules[i]
		full := rule != nil && complete(rule, spec)
		partial = partial || !full
		if !full && !named(text, i) {
			return &failure{"status", fmt.Sprintf("rule %d isn't served as written, and nothing says so: %s", i, text)}
		}
	}
	if refused && !partial && !weightless(route) {
		return &failure{"status", "every rule is served, and a condition refuses something: " + text}
	}
	return nil
}

// weightless says whether a backendRef gets no calls: that it is invalid is said, and costs nothing.
func weightless(route *gatewayv1.GRPCRoute) bool {
	for _, rule := range route.Spec.Rules {
		for _, ref := range rule.BackendRefs {
			if ref.Weight != nil && *ref.Weight == 0 {
				return true
			}
		}
	}
	return false
}

// complete says whether a rule does all that its route asks for.
func complete(rule *model.Rule, spec *gatewayv1.GRPCRouteRule) bool {
	if rule.Status != nil {
		return rule.Status.Code != model.Internal
	}
	if max(1, len(spec.Matches)) != len(rule.Matches) {
		return false
	}
	for _, b := range rule.Backends {
		if b.Status != nil {
			return false
		}
	}
	return true
}

func metav1Reason(reason string) bool {
	return reason != "" && strings.Trim(reason, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// checkListeners holds the statuses of listeners against the model.
func checkListeners(result translate.Result, told map[string]*status.Report) *failure {
	served := map[string]bool{}
	for _, g := range result.Gateways.Gateways {
		for _, l := range g.Listeners {
			if namespace, set, name := model.CutListener(l.Name); set != "" {
				served["ListenerSet "+namespace+"/"+set+" "+name] = true
			} else {
				served["Gateway "+g.Namespace+"/"+g.Name+" "+name] = true
			}
		}
	}
	for id, r := range told {
		var listeners []gatewayv1.ListenerEntryStatus
		switch {
		case r.Gateway != nil:
			for _, l := range r.Gateway.Listeners {
				listeners = append(listeners, gatewayv1.ListenerEntryStatus(l))
			}
		case r.ListenerSet != nil:
			listeners = r.ListenerSet.Listeners
		}
		any := false
		for _, l := range listeners {
			name := id + " " + string(l.Name)
			any = any || served[name]
			if f := checkListener(name, l.Conditions, served[name]); f != nil {
				return f
			}
			delete(served, name)
		}
		if r.ListenerSet != nil {
			if f := checkListener(id, r.ListenerSet.Conditions, any); f != nil {
				return f
			}
		}
	}
	for name := range served {
		return &failure{"status", name + " is served, and has no status"}
	}
	return nil
}

// checkListener holds the conditions of a listener, or of a whole ListenerSet, against whether it is served.
func checkListener(name string, conditions []metav1.Condition, served bool) *failure {
	for _, c := range conditions {
		yes := c.Status == metav1.ConditionTrue
		if served && (c.Type == "Accepted" && !yes || c.Type == "Conflicted" && yes || c.Type == "Programmed" &&
			c.Status == metav1.ConditionFalse) {
			return &failure{"status", fmt.Sprintf("%s is served, and refused: %s", name, c.Message)}
		}
		if !served && c.Type == "Programmed" && c.Status != metav1.ConditionFalse {
			return &failure{"status", fmt.Sprintf("%s isn't served, and Programmed is %s", name, c.Status)}
		}
	}
	return nil
}
