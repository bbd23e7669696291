package translate

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// addClasses takes the GatewayClasses that name this controller.
func (g *graph) addClasses() {
	for _, o := range g.in.GatewayClasses {
		if string(o.Spec.ControllerName) != g.options.Controller {
			continue
		}
		c := &class{object: o}
		g.classParameters(c)
		g.classes = append(g.classes, c)
		g.byClass[gatewayv1.ObjectName(o.Name)] = c
	}
	slices.SortFunc(g.classes, func(a, b *class) int { return older(&a.object.ObjectMeta, &b.object.ObjectMeta) })
}
