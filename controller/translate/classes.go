package translate

import (
	"fmt"
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
		if p := o.Spec.ParametersRef; p != nil {
			c.refused = fmt.Sprintf("spec.parametersRef: %s %q isn't supported, and this controller has no parameters; remove it", p.Kind, p.Name)
		}
		g.classes = append(g.classes, c)
		g.byClass[gatewayv1.ObjectName(o.Name)] = c
	}
	slices.SortFunc(g.classes, func(a, b *class) int { return older(&a.object.ObjectMeta, &b.object.ObjectMeta) })
}
