package status

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Marshal writes reports as one YAML document: a list of objects with apiVersion, kind, metadata and status.
// There is no lastTransitionTime in it: a file has no history. The bytes depend on the reports only. It is
// written out by hand because a general encoder takes longer for the statuses of thousands of routes than
// everything else that `generate` does. An error means that a report has no status.
func Marshal(reports []Report) ([]byte, error) {
	if len(reports) == 0 {
		return []byte("[]\n"), nil
	}
	var w writer
	for i := range reports {
		if err := w.report(&reports[i]); err != nil {
			return nil, err
		}
	}
	return w.out.Bytes(), nil
}

type writer struct{ out bytes.Buffer }

func (w *writer) report(r *Report) error {
	w.text("- apiVersion", r.APIVersion)
	w.text("  kind", r.Kind)
	w.line("  metadata:")
	w.text("    name", r.Name)
	if r.Namespace != "" {
		w.text("    namespace", r.Namespace)
	}
	w.line("  status:")
	switch {
	case r.GatewayClass != nil:
		w.class(r.GatewayClass)
	case r.Gateway != nil:
		w.gateway(r.Gateway)
	case r.ListenerSet != nil:
		w.listenerSet(r.ListenerSet)
	case r.Route != nil:
		w.route(r.Route)
	case r.Policy != nil:
		w.policy(r.Policy)
	default:
		return fmt.Errorf("%s: the report has no status", r.Object())
	}
	return nil
}

func (w *writer) class(s *gatewayv1.GatewayClassStatus) {
	w.conditions("    ", s.Conditions)
	if len(s.SupportedFeatures) > 0 {
		w.line("    supportedFeatures:")
		for _, f := range s.SupportedFeatures {
			w.text("    - name", string(f.Name))
		}
	}
}

func (w *writer) gateway(s *gatewayv1.GatewayStatus) {
	if len(s.Addresses) > 0 {
		w.line("    addresses:")
		for _, a := range s.Addresses {
			key := "    - "
			if a.Type != nil {
				w.text(key+"type", string(*a.Type))
				key = "      "
			}
			w.text(key+"value", a.Value)
		}
	}
	if s.AttachedListenerSets != nil {
		w.number("    attachedListenerSets", int64(*s.AttachedListenerSets))
	}
	w.conditions("    ", s.Conditions)
	if len(s.Listeners) > 0 {
		w.line("    listeners:")
		for _, l := range s.Listeners {
			w.text("    - name", string(l.Name))
			w.number("      attachedRoutes", int64(l.AttachedRoutes))
			w.kinds(l.SupportedKinds)
			w.conditions("      ", l.Conditions)
		}
	}
}

func (w *writer) listenerSet(s *gatewayv1.ListenerSetStatus) {
	w.conditions("    ", s.Conditions)
	if len(s.Listeners) > 0 {
		w.line("    listeners:")
		for _, l := range s.Listeners {
			w.text("    - name", string(l.Name))
			w.number("      attachedRoutes", int64(l.AttachedRoutes))
			w.kinds(l.SupportedKinds)
			w.conditions("      ", l.Conditions)
		}
	}
}

func (w *writer) kinds(kinds []gatewayv1.RouteGroupKind) {
	if kinds == nil {
		return
	}
	if len(kinds) == 0 {
		w.line("      supportedKinds: []")
		return
	}
	w.line("      supportedKinds:")
	for _, k := range kinds {
		key := "      - "
		if k.Group != nil {
			w.text(key+"group", string(*k.Group))
			key = "        "
		}
		w.text(key+"kind", string(k.Kind))
	}
}

func (w *writer) route(s *gatewayv1.RouteStatus) {
	if len(s.Parents) == 0 {
		w.line("    parents: []")
		return
	}
	w.line("    parents:")
	for i := range s.Parents {
		p := &s.Parents[i]
		w.parent("parentRef", &p.ParentRef, p.ControllerName, p.Conditions)
	}
}

func (w *writer) policy(s *gatewayv1.PolicyStatus) {
	if len(s.Ancestors) == 0 {
		w.line("    ancestors: []")
		return
	}
	w.line("    ancestors:")
	for i := range s.Ancestors {
		a := &s.Ancestors[i]
		w.parent("ancestorRef", &a.AncestorRef, a.ControllerName, a.Conditions)
	}
}

func (w *writer) parent(key string, ref *gatewayv1.ParentReference, controller gatewayv1.GatewayController, conditions []metav1.Condition) {
	w.line("    - " + key + ":")
	optional(w, "        group", ref.Group)
	optional(w, "        kind", ref.Kind)
	w.text("        name", string(ref.Name))
	optional(w, "        namespace", ref.Namespace)
	optional(w, "        sectionName", ref.SectionName)
	if ref.Port != nil {
		w.number("        port", int64(*ref.Port))
	}
	w.text("      controllerName", string(controller))
	w.conditions("      ", conditions)
}

func (w *writer) conditions(indent string, conditions []metav1.Condition) {
	if len(conditions) == 0 {
		return
	}
	w.line(indent + "conditions:")
	for i := range conditions {
		c := &conditions[i]
		w.text(indent+"- type", c.Type)
		w.text(indent+"  status", string(c.Status))
		w.text(indent+"  reason", c.Reason)
		w.text(indent+"  message", c.Message)
		if c.ObservedGeneration != 0 {
			w.number(indent+"  observedGeneration", c.ObservedGeneration)
		}
	}
}

func optional[T ~string](w *writer, key string, value *T) {
	if value != nil {
		w.text(key, string(*value))
	}
}

func (w *writer) line(s string) {
	w.out.WriteString(s)
	w.out.WriteByte('\n')
}

func (w *writer) number(key string, n int64) {
	w.out.WriteString(key)
	w.out.WriteString(": ")
	w.line(strconv.FormatInt(n, 10))
}

func (w *writer) text(key, value string) {
	w.out.WriteString(key)
	w.out.WriteString(": ")
	if plain(value) {
		w.line(value)
		return
	}
	// Every escape that Go writes in a quoted string means the same in YAML.
	w.out.Write(strconv.AppendQuote(w.out.AvailableBuffer(), value))
	w.out.WriteByte('\n')
}

// plain says whether a text means itself in YAML without quotes: it starts with a letter, has no character
// that YAML gives a meaning to, and isn't a word that YAML reads as something else.
func plain(s string) bool {
	if s == "" || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || strings.IndexByte(" ./_-", c) >= 0)) {
			return false
		}
	}
	if len(s) > 5 {
		return true
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}
