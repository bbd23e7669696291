package status

import (
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
)

// entry is what one controller says of an object for one parent or ancestor.
type entry struct {
	ref        *gatewayv1.ParentReference
	controller gatewayv1.GatewayController
	conditions []metav1.Condition
	// whole is the entry as the API has it, of those that are wanted.
	whole any
}

// entries are a list of them that several controllers write to.
type entries struct {
	path       string
	types      []string
	room       int
	word       string
	have, want []entry
}

// entries writes our entries of a list: those of others keep their place and content (R26).
func (p *Patch) entries(l entries, controller gatewayv1.GatewayController, owned Owned) {
	if len(l.have) == 0 {
		if len(l.want) > 0 {
			p.add("/status", map[string]any{l.path[len("/status/"):]: []any{}})
		}
	}
	namespace := p.report.Namespace
	ours := func(e entry) bool { return e.controller == controller }
	kept := map[int]bool{}
	var added []entry
	for _, w := range l.want {
		i := slices.IndexFunc(l.have, func(h entry) bool { return ours(h) && sameRef(h.ref, w.ref, namespace) })
		if i < 0 {
			added = append(added, w)
			continue
		}
		if kept[i] {
			continue
		}
		kept[i] = true
		p.conditions(l.word+parentName(*w.ref, namespace), l.path+"/"+strconv.Itoa(i)+"/conditions", l.types, l.have[i].conditions, w.conditions)
	}
	room := l.room
	var stale []int
	for i, h := range l.have {
		switch {
		case !ours(h) || kept[i]:
			room--
		case owned(*h.ref):
			stale = append(stale, i)
		default:
			room--
		}
	}
	for _, i := range slices.Backward(stale) {
		p.remove(l.path + "/" + strconv.Itoa(i))
	}
	for _, w := range added[:min(len(added), max(room, 0))] {
		p.add(l.path+"/-", p.freshEntry(l.word+parentName(*w.ref, namespace), w))
	}
}

// freshEntry is a new entry with the time of now.
func (p *Patch) freshEntry(where string, e entry) any {
	conditions := p.fresh(where, e.conditions)
	switch whole := e.whole.(type) {
	case *gatewayv1.RouteParentStatus:
		out := *whole
		out.Conditions = conditions
		return out
	case *gatewayv1.PolicyAncestorStatus:
		out := *whole
		out.Conditions = conditions
		return out
	}
	return e.whole
}

// sameRef says whether two references of an object name the same parent, with what may be left out filled in.
func sameRef(a, b *gatewayv1.ParentReference, namespace string) bool {
	return referent.Parent(a, namespace) == referent.Parent(b, namespace) &&
		value(a.SectionName, "") == value(b.SectionName, "") && value(a.Port, 0) == value(b.Port, 0)
}

func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// conditions writes conditions of the given types. where names the part of the object, for Events.
func (p *Patch) conditions(where, path string, types []string, have, want []metav1.Condition) {
	if len(have) == 0 {
		if len(want) > 0 {
			p.add(path, p.fresh(where, want))
		}
		return
	}
	var added []metav1.Condition
	for _, w := range want {
		i := slices.IndexFunc(have, func(h metav1.Condition) bool { return h.Type == w.Type })
		if i < 0 {
			added = append(added, w)
			continue
		}
		h := have[i]
		if sameCondition(h, w) || h.ObservedGeneration > w.ObservedGeneration {
			continue
		}
		if !tells(h) || h.Reason != w.Reason || h.Message != w.Message {
			p.turn(where, w)
		}
		if w.LastTransitionTime = p.now; h.Status == w.Status && !h.LastTransitionTime.IsZero() {
			w.LastTransitionTime = h.LastTransitionTime
		}
		p.Operations = append(p.Operations, Operation{"replace", path + "/" + strconv.Itoa(i), w})
	}
	for i, h := range slices.Backward(have) {
		if slices.Contains(types, h.Type) && !slices.ContainsFunc(want, func(w metav1.Condition) bool { return w.Type == h.Type }) {
			p.remove(path + "/" + strconv.Itoa(i))
		}
	}
	for _, w := range p.fresh(where, added) {
		p.add(path+"/-", w)
	}
}

// fresh are conditions that turn now.
func (p *Patch) fresh(where string, conditions []metav1.Condition) []metav1.Condition {
	out := slices.Clone(conditions)
	for i := range out {
		out[i].LastTransitionTime = p.now
		p.turn(where, out[i])
	}
	return out
}

// turn notes a condition that refuses something, or warns.
func (p *Patch) turn(where string, c metav1.Condition) {
	if tells(c) {
		p.Turned = append(p.Turned, Refusal{p.report.Object(), where, c.Type, c.Reason, c.Message})
	}
}

func tells(c metav1.Condition) bool { return says(c, refusing) || says(c, warning) }

// says tells whether a condition has one of the statuses.
func says(c metav1.Condition, statuses map[string]metav1.ConditionStatus) bool {
	s, ok := statuses[c.Type]
	if !ok {
		s, ok = statuses[c.Type+" "+c.Reason]
	}
	return ok && s == c.Status
}

// sameCondition says whether two conditions differ in nothing but the time.
func sameCondition(a, b metav1.Condition) bool {
	a.LastTransitionTime, b.LastTransitionTime = metav1.Time{}, metav1.Time{}
	return a == b
}
