package resources

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
)

// mostOrphans is how many objects one note names.
const mostOrphans = 16

// noteOrphans names the routes and ListenerSets that want to be attached to something which isn't in the input: nothing of them is
// served, and no status says so. What names a parent of another kind too is somebody else's.
func noteOrphans(s *Snapshot) []Note {
	there := map[referent.Object]bool{}
	for _, g := range s.Gateways {
		there[referent.Parent(&gatewayv1.ParentReference{Name: gatewayv1.ObjectName(g.Name)}, g.Namespace)] = true
	}
	var sets, grpcRoutes, httpRoutes []string
	for _, l := range s.ListenerSets {
		if to := referent.SetParent(l); to.IsListenerSet() || to.IsGateway() && !there[to] {
			sets = append(sets, orphanName(l.Namespace, l.Name, to))
		}
	}
	kind := gatewayv1.Kind("ListenerSet")
	for _, l := range s.ListenerSets {
		there[referent.Parent(&gatewayv1.ParentReference{Kind: &kind, Name: gatewayv1.ObjectName(l.Name)}, l.Namespace)] = true
	}
	add := func(list *[]string, namespace, name string, refs []gatewayv1.ParentReference) {
		var missing []referent.Object
		for i := range refs {
			to := referent.Parent(&refs[i], namespace)
			if there[to] || !to.IsGateway() && !to.IsListenerSet() {
				return
			}
			missing = append(missing, to)
		}
		if len(missing) > 0 {
			*list = append(*list, orphanName(namespace, name, missing...))
		}
	}
	for _, r := range s.GRPCRoutes {
		add(&grpcRoutes, r.Namespace, r.Name, r.Spec.ParentRefs)
	}
	for _, r := range s.HTTPRoutes {
		add(&httpRoutes, r.Namespace, r.Name, r.Spec.ParentRefs)
	}
	return slices.Concat(orphanNote("ListenerSet", "Gateway", sets), orphanNote("GRPCRoute", "Gateway or ListenerSet", grpcRoutes),
		orphanNote("HTTPRoute", "Gateway or ListenerSet", httpRoutes))
}

// orphanName is an object with what it names.
func orphanName(namespace, name string, parents ...referent.Object) string {
	texts := make([]string, len(parents))
	for i, to := range parents {
		texts[i] = to.Kind + " " + to.String()
	}
	return fmt.Sprintf("%s/%s (%s)", namespace, name, strings.Join(texts, ", "))
}

func orphanNote(kind, parent string, names []string) []Note {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), mostOrphans)], ", ")
	if n := len(names) - mostOrphans; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return []Note{{Object: kind, Text: fmt.Sprintf("not served: their parentRefs name no %s of the input: %s", parent, text)}}
}
