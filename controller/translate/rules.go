package translate

import (
	"fmt"
	"strconv"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// translateRules turns the rules of every route that is served into the model's, once: the listeners of a route share
// them.
func (g *graph) translateRules() {
	var fresh []*route
	total := 0
	for _, r := range g.routes {
		switch {
		case r.unserved != "":
			r.routeRules = &noRules
		case !g.reuse(r):
			fresh = append(fresh, r)
			total += len(r.specs)
		}
	}
	g.ruleSlab = make([]model.Rule, 0, total)
	for _, r := range fresh {
		r.routeRules = &routeRules{rules: make([]*model.Rule, 0, len(r.specs))}
		g.refuseWeb(r)
		for i := range r.specs {
			g.tryRule(r, i)
		}
	}
}

// tryRule translates one rule of a route. A panic is a fault of this program, and costs no more than the rule that sets
// it off (R42).
func (g *graph) tryRule(r *route, i int) {
	rules, sends := len(r.rules), len(r.sends)
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		bad := &problem{string(gatewayv1.RouteReasonUnsupportedValue), fmt.Sprintf("%s: %v", ruleField(i), fault{v})}
		if r.drop(i, bad); len(r.rules) > rules {
			answer(r.rules[rules], model.Internal, r.object()+": "+bad.message)
		}
		r.sends = r.sends[:sends]
	}()
	g.translateRule(r, i)
}

// fault is the error of a panic.
type fault struct{ value any }

func (f fault) Error() string {
	return fmt.Sprintf("gatewright has a fault that this sets off: %v: please report it with the manifests", f.value)
}

// noRules are those of every route of a kind that isn't served: they aren't looked at.
var noRules routeRules

// translateRule adds one rule of a route. A rule that can't be matched is dropped (R9, R31); one that can be
// matched and not served as written answers an error, for its calls must neither skip what it asks for nor
// fall to a wider rule (R22).
func (g *graph) translateRule(r *route, i int) {
	spec := &r.specs[i]
	matches, bad, fatal := g.matches(spec.matches, i)
	if fatal && r.fatal == nil {
		r.fatal = bad
	}
	if bad == nil {
		bad = r.ask(matches, i)
	}
	if bad != nil {
		r.drop(i, bad)
		return
	}
	g.ruleSlab = append(g.ruleSlab, model.Rule{
		Source: model.Source{
			Kind: r.kind, Namespace: r.name.namespace, Name: r.name.name, Rule: i,
			RuleName: spec.name, Created: r.created,
		},
		Matches: matches,
		Web:     r.web,
	})
	rule := &g.ruleSlab[len(g.ruleSlab)-1]
	r.rules = append(r.rules, rule)

	scope := filterScope{graph: g, route: r, rule: i, prefix: onlyPrefix(matches)}
	others := len(r.sends)
	h, bad, unresolved := scope.filters(spec.filters, func() string { return ruleField(i) + ".filters" })
	h.Web = r.web != nil
	if bad == nil {
		bad, fatal = g.limits(r.routeRules, &h.Handling, spec, i)
	}
	if fatal && r.fatal == nil {
		r.fatal = bad
	}
	if bad == nil && spec.persistence != nil {
		bad = g.ruleSessions(&h.Handling, spec.persistence, rule)
	}
	g.backends(r, rule, spec.backends, &scope, &h)
	switch {
	case bad != nil:
		r.drop(i, bad)
	case unresolved != nil:
		r.refs = append(r.refs, *unresolved)
		r.unresolved = append(r.unresolved, dropped{i, *unresolved})
		r.valid++
		bad = unresolved
	default:
		r.valid++
		return
	}
	answer(rule, model.Internal, r.object()+": "+bad.message)
	r.sends = r.sends[:others] // the rule sends nothing to its own
}

// onlyPrefix is the prefix of the path that the only match of a rule asks for, "" for any path; nil where there is no such.
func onlyPrefix(matches []model.Match) *string {
	if len(matches) != 1 || matches[0].Path.Kind != model.PrefixPath && matches[0].Path.Kind != model.AnyPath {
		return nil
	}
	return &matches[0].Path.Value
}

// answer makes the proxy answer every call of a rule.
func answer(rule *model.Rule, code model.Code, message string) {
	rule.Backends, rule.Status = nil, newStatus(code, message)
}

// maxStatus is how many bytes of a message go to clients: it travels in one header, percent-encoded.
const maxStatus = 512

func newStatus(code model.Code, message string) *model.Status {
	if len(message) > maxStatus {
		message = strings.ToValidUTF8(message[:maxStatus-3], "") + "..."
	}
	return &model.Status{Code: code, Message: message}
}

// drop notes a rule that isn't served as written.
func (r *routeRules) drop(rule int, p *problem) {
	r.dropped = append(r.dropped, dropped{rule, *p})
}

// dropMessage names the rules that aren't served as written: "Rule 1: …; Rule 4: …".
func (r *routeRules) dropMessage() string {
	list := make([]problem, len(r.dropped))
	for i, d := range r.dropped {
		list[i] = problem{d.reason, fmt.Sprintf("Rule %d: %s", d.rule, d.message)}
	}
	return messages(list, "; ")
}

// invalid says why no parent can accept the route: a value that refuses all of it, or no rule that is valid.
func (r *routeRules) invalid() *problem {
	switch {
	case r.fatal != nil:
		return r.fatal
	case r.valid == 0 && len(r.dropped) > 0:
		return &problem{r.dropped[0].reason, "no rule is valid: " + r.dropMessage()}
	}
	return nil
}

// maxNamed is how many problems one message names: a condition's message has room for 32,768 bytes.
const maxNamed = 16

// messages joins the messages of problems.
func messages(list []problem, separator string) string {
	var b strings.Builder
	for i, p := range list {
		if i == maxNamed {
			fmt.Fprintf(&b, "%sand %d more", separator, len(list)-i)
			break
		}
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(p.message)
	}
	return b.String()
}

func ruleField(i int) string { return "spec.rules[" + strconv.Itoa(i) + "]" }
