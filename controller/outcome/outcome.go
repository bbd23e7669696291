package outcome

import (
	"cmp"
	"slices"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
)

// Complete returns the reports of a translation with what became of its model (R28, R31): Programmed is true only
// for what a running proxy has confirmed, and what it refuses is on the object that it came from.
func Complete(reports []status.Report, translated model.Gateways, out apply.Outcome) []status.Report {
	return status.Confirm(reports, Applied(translated, out))
}

// Rendered returns the reports of a translation with what could not be rendered of its model. No proxy was asked, so
// Programmed stays unknown.
func Rendered(reports []status.Report, translated model.Gateways, leftOut []apply.Culprit) []status.Report {
	a := Applied(translated, apply.Outcome{LeftOut: leftOut})
	a.Rendered = true
	return status.Confirm(reports, a)
}

// Applied says of every part of a model what the proxy made of it.
func Applied(translated model.Gateways, out apply.Outcome) status.Applied {
	a := status.Applied{
		Served: map[status.ListenerName]bool{}, Routes: map[status.RouteName]bool{},
		Listeners: map[status.ListenerName]string{}, Reasons: map[status.ListenerName]string{}, Certificates: map[status.ListenerName]string{},
		Rules: map[status.RouteName][]status.RefusedRule{}, Backends: map[status.RouteName][]status.RefusedRule{},
		Gateways: map[status.GatewayName]bool{},
	}
	if out.Err != nil {
		a.Failure = out.Err.Error()
	}
	for i := range out.Served.Gateways {
		g := &out.Served.Gateways[i]
		for j := range g.Listeners {
			a.Served[listenerName(g.Namespace, g.Name, g.Listeners[j].Name)] = true
			a.Gateways[status.GatewayName{Namespace: g.Namespace, Name: g.Name}] = true
		}
	}
	messages := map[apply.Part]string{}
	for _, c := range out.LeftOut {
		messages[c.Part] = c.Message
		if c.Reason != "" {
			a.Reasons[listenerName(c.Namespace, c.Name, c.Listener)] = c.Reason
		}
	}
	if len(messages) > 0 {
		refuse(&a, translated, messages)
	}
	return a
}

// refuse tells what is left out to the objects that it belongs to.
func refuse(a *status.Applied, m model.Gateways, messages map[apply.Part]string) {
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			l := &g.Listeners[j]
			name := listenerName(g.Namespace, g.Name, l.Name)
			if message, ok := messages[apply.ListenerOf(g, l)]; ok {
				a.Listeners[name] = message
			}
			for _, pair := range l.KeyPairs {
				if message, ok := messages[apply.Part{Kind: apply.KeyPairPart, Name: pair}]; ok {
					a.Certificates[name] = message
				}
			}
			for _, s := range l.Scopes {
				for _, r := range s.Rules {
					refuseRule(a, r, messages)
				}
			}
		}
	}
}

func refuseRule(a *status.Applied, r *model.Rule, messages map[apply.Part]string) {
	if message, ok := messages[apply.RuleOf(r.Source)]; ok {
		add(a.Rules, r.Source, message)
	} else {
		a.Routes[routeName(r.Source)] = true
	}
	for _, name := range r.Clusters() {
		if message, ok := messages[apply.Part{Kind: apply.ClusterPart, Name: name}]; ok {
			add(a.Backends, r.Source, message)
		}
	}
}

// add notes a rule once, however many listeners it is on.
func add(rules map[status.RouteName][]status.RefusedRule, s model.Source, message string) {
	name, refused := routeName(s), status.RefusedRule{Rule: s.Rule, Message: message}
	if slices.Contains(rules[name], refused) {
		return
	}
	rules[name] = append(rules[name], refused)
	slices.SortFunc(rules[name], func(x, y status.RefusedRule) int { return cmp.Compare(x.Rule, y.Rule) })
}

// listenerName is the object that a listener of a Gateway in the model came from, with its name there.
func listenerName(namespace, gateway, listener string) status.ListenerName {
	if in, set, name := model.CutListener(listener); set != "" {
		return status.ListenerName{Kind: "ListenerSet", Namespace: in, Name: set, Listener: name}
	}
	return status.ListenerName{Kind: "Gateway", Namespace: namespace, Name: gateway, Listener: listener}
}

func routeName(s model.Source) status.RouteName {
	return status.RouteName{Kind: string(s.Kind), Namespace: s.Namespace, Name: s.Name}
}
