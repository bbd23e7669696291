package resources

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/referent"
)

// Values of Completion.Backends.
const (
	// BackendsEndpoints has a proxy send to the endpoints of EndpointSlices.
	BackendsEndpoints = "endpoints"
	// BackendsDNS has it look Services up by name.
	BackendsDNS = "dns"
)

// Completion says what a user without a cluster wants to have served.
type Completion struct {
	// GatewayClass names a class to take whatever its controllerName, and parametersRef to what isn't ours. Empty: those of Controller.
	GatewayClass string
	// Controller is our controllerName.
	Controller string
	// Backends is how a proxy finds endpoints: endpoints, dns or clusterip.
	Backends string
}

// Complete adds what manifests leave out because a cluster has it, and says so in notes: Namespaces, a GatewayClass
// and, with BackendsDNS, Services. The snapshot given and its objects aren't changed. The result depends on nothing
// but the arguments.
func Complete(s *Snapshot, c Completion) (*Snapshot, []Note) {
	completed := *s
	notes := completeClasses(&completed, c)
	switch c.Backends {
	case BackendsDNS:
		notes = append(notes, completeServices(&completed)...)
	case "", BackendsEndpoints:
		notes = append(notes, noteLooseSlices(s)...)
	}
	return &completed, append(notes, completeNamespaces(&completed)...)
}

// completeClasses takes the class that was asked for, or makes up all of them where the input has none.
func completeClasses(s *Snapshot, c Completion) []Note {
	used := map[string][]string{}
	for _, g := range s.Gateways {
		class := string(g.Spec.GatewayClassName)
		used[class] = append(used[class], g.Namespace+"/"+g.Name)
	}
	var notes []Note
	switch {
	case c.GatewayClass != "":
		notes = takeClass(s, c)
	case len(s.GatewayClasses) == 0 && len(used) > 0:
		names := sortedKeys(used)
		for _, name := range names {
			s.GatewayClasses = append(slices.Clip(s.GatewayClasses), newClass(name, c.Controller))
		}
		return []Note{{Object: "GatewayClass", Text: "the input has none, so every Gateway is taken; made up: " + strings.Join(names, ", ")}}
	}
	return append(notes, noteUnserved(s, c, used)...)
}

// noteUnserved names the Gateways, by their classes, that aren't ours.
func noteUnserved(s *Snapshot, c Completion, used map[string][]string) (notes []Note) {
	controllers := map[string]string{}
	for _, class := range s.GatewayClasses {
		controllers[class.Name] = string(class.Spec.ControllerName)
	}
	for _, class := range sortedKeys(used) {
		controller, there := controllers[class]
		text := fmt.Sprintf("not served: its GatewayClass %q is not in the input; add the class, or name it with --gateway-class", class)
		switch {
		case controller == c.Controller:
			continue
		case there && c.GatewayClass != "":
			text = fmt.Sprintf("not served: its GatewayClass %q has the controllerName %q, and --gateway-class takes %q alone", class, controller,
				c.GatewayClass)
		case there:
			text = fmt.Sprintf("not served: its GatewayClass %q has the controllerName %q, and ours is %q; to serve it all the same, "+
				"add --gateway-class %s, or change the controllerName", class, controller, c.Controller, class)
		}
		for _, gateway := range slices.Sorted(slices.Values(used[class])) {
			notes = append(notes, Note{Object: "Gateway " + gateway, Text: text})
		}
	}
	return notes
}

// takeClass makes the named class ours, in a copy.
func takeClass(s *Snapshot, c Completion) []Note {
	s.GatewayClasses = slices.Clone(s.GatewayClasses)
	i := slices.IndexFunc(s.GatewayClasses, func(class *gatewayv1.GatewayClass) bool { return class.Name == c.GatewayClass })
	if i < 0 {
		s.GatewayClasses = append(s.GatewayClasses, newClass(c.GatewayClass, c.Controller))
		return []Note{{Object: "GatewayClass " + c.GatewayClass, Text: "not in the input; made up"}}
	}
	var changes []string
	class := s.GatewayClasses[i].DeepCopy()
	if string(class.Spec.ControllerName) != c.Controller {
		changes = append(changes, fmt.Sprintf("its controllerName %q", class.Spec.ControllerName))
	}
	if ref := class.Spec.ParametersRef; ref != nil && (ref.Group != policy.Group || ref.Kind != policy.ParametersKind) {
		changes = append(changes, "its parametersRef")
		class.Spec.ParametersRef = nil
	}
	if len(changes) == 0 {
		return nil
	}
	class.Spec.ControllerName = gatewayv1.GatewayController(c.Controller)
	s.GatewayClasses[i] = class
	return []Note{{Object: "GatewayClass " + c.GatewayClass, Text: "taken as asked, without regard to " + strings.Join(changes, " and ")}}
}

func newClass(name, controller string) *gatewayv1.GatewayClass {
	return &gatewayv1.GatewayClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "GatewayClass"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: gatewayv1.GatewayController(controller)},
	}
}

// completeServices makes up the Services that routes name and the input lacks, with the ports that are named.
func completeServices(s *Snapshot) []Note {
	named := NamedServices(s)
	for _, service := range s.Services {
		delete(named, types.NamespacedName{Namespace: service.Namespace, Name: service.Name})
	}
	if len(named) == 0 {
		return nil
	}
	var keys []types.NamespacedName
	for key := range named {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	s.Services = slices.Clone(s.Services)
	var names []string
	for _, key := range keys {
		s.Services = append(s.Services, newService(key, named[key]))
		names = append(names, key.String())
	}
	return []Note{{Object: "Service", Text: "not in the input, looked up by name in DNS: " + strings.Join(names, ", ")}}
}

// NamedServices are the Services that routes send or mirror calls to, with their ports.
func NamedServices(s *Snapshot) map[types.NamespacedName][]int32 {
	named := map[types.NamespacedName][]int32{}
	add := func(namespace string, ref gatewayv1.BackendObjectReference) {
		to := referent.Backend(&ref, namespace)
		if !to.IsService() || ref.Port == nil {
			return
		}
		if key := to.NamespacedName; !slices.Contains(named[key], *ref.Port) {
			named[key] = append(named[key], *ref.Port)
		}
	}
	mirror := func(namespace string, m *gatewayv1.HTTPRequestMirrorFilter) {
		if m != nil {
			add(namespace, m.BackendRef)
		}
	}
	for _, route := range s.GRPCRoutes {
		for _, rule := range route.Spec.Rules {
			for _, f := range rule.Filters {
				mirror(route.Namespace, f.RequestMirror)
			}
			for _, b := range rule.BackendRefs {
				add(route.Namespace, b.BackendObjectReference)
				for _, f := range b.Filters {
					mirror(route.Namespace, f.RequestMirror)
				}
			}
		}
	}
	for _, route := range s.HTTPRoutes {
		for _, rule := range route.Spec.Rules {
			for _, f := range rule.Filters {
				mirror(route.Namespace, f.RequestMirror)
			}
			for _, b := range rule.BackendRefs {
				add(route.Namespace, b.BackendObjectReference)
				for _, f := range b.Filters {
					mirror(route.Namespace, f.RequestMirror)
				}
			}
		}
	}
	return named
}

func newService(key types.NamespacedName, ports []int32) *corev1.Service {
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Generation: 1},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP},
	}
	for _, port := range slices.Sorted(slices.Values(ports)) {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("port-%d", port), Protocol: corev1.ProtocolTCP, Port: port, TargetPort: intstr.FromInt32(port),
		})
	}
	return service
}

// completeNamespaces makes up the Namespaces that objects stand in.
func completeNamespaces(s *Snapshot) []Note {
	missing := map[string]bool{}
	stand(missing, s.Gateways)
	stand(missing, s.ListenerSets)
	stand(missing, s.GRPCRoutes)
	stand(missing, s.HTTPRoutes)
	stand(missing, s.ReferenceGrants)
	stand(missing, s.BackendTLSPolicies)
	stand(missing, s.GRPCTimeoutPolicies)
	stand(missing, s.GRPCRetryPolicies)
	stand(missing, s.BackendPolicies)
	stand(missing, s.GatewayParameters)
	stand(missing, s.Services)
	stand(missing, s.EndpointSlices)
	stand(missing, s.Secrets)
	stand(missing, s.ConfigMaps)
	for _, n := range s.Namespaces {
		delete(missing, n.Name)
	}
	if len(missing) == 0 {
		return nil
	}
	names := sortedKeys(missing)
	s.Namespaces = slices.Clone(s.Namespaces)
	for _, name := range names {
		s.Namespaces = append(s.Namespaces, &corev1.Namespace{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Generation: 1, Labels: map[string]string{corev1.LabelMetadataName: name},
			},
		})
	}
	return []Note{{
		Object: "Namespace",
		Text:   "not in the input, made up with no labels but " + corev1.LabelMetadataName + ": " + strings.Join(names, ", "),
	}}
}

func stand[P metav1.Object](namespaces map[string]bool, objects []P) {
	for _, o := range objects {
		namespaces[o.GetNamespace()] = true
	}
}
