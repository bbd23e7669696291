package translate

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/resources"
)

// index finds the objects that others refer to by name. It is built once.
type index struct {
	services   map[name]*corev1.Service
	slices     map[name][]*discoveryv1.EndpointSlice
	secrets    map[name]*corev1.Secret
	unreadable map[name]string // Secrets
	configMaps map[name]*corev1.ConfigMap
	// unreadableMaps are ConfigMaps.
	unreadableMaps map[name]string
	namespaces     map[string]labels.Set
	grants         grants
	policies       map[name][]*policy // by the Service that they target, the oldest first
	winners        map[policyTarget]*policy
	policyList     []*policy
	// callPolicies are those that rules refer to.
	callPolicies map[policyKey]*callPolicy
	// parameters are those of Gateways and their classes.
	parameters map[name]*parameters
}

func newIndex(s *resources.Snapshot) index {
	x := index{
		configMaps: make(map[name]*corev1.ConfigMap, len(s.ConfigMaps)),
		services:   make(map[name]*corev1.Service, len(s.Services)),
		slices:     make(map[name][]*discoveryv1.EndpointSlice, len(s.EndpointSlices)),
		secrets:    make(map[name]*corev1.Secret, len(s.Secrets)),
		unreadable: make(map[name]string, len(s.UnreadableSecrets)),
		namespaces: make(map[string]labels.Set, len(s.Namespaces)),
		grants:     newGrants(s.ReferenceGrants),
		policies:   map[name][]*policy{},
		winners:    map[policyTarget]*policy{},

		unreadableMaps: make(map[name]string, len(s.UnreadableConfigMaps)),
		callPolicies:   newCallPolicies(s),
		parameters:     newParameters(s),
	}
	for _, o := range s.Services {
		x.services[nameOf(o)] = o
	}
	for _, o := range s.EndpointSlices {
		if service := referent.SliceService(o); service.Name != "" {
			n := name{service.Namespace, service.Name}
			x.slices[n] = append(x.slices[n], o)
		}
	}
	for _, o := range s.Secrets {
		x.secrets[nameOf(o)] = o
	}
	for _, u := range s.UnreadableSecrets {
		x.unreadable[name{u.Namespace, u.Name}] = u.Why
	}
	for _, o := range s.ConfigMaps {
		x.configMaps[nameOf(o)] = o
	}
	for _, u := range s.UnreadableConfigMaps {
		x.unreadableMaps[name{u.Namespace, u.Name}] = u.Why
	}
	for _, o := range s.Namespaces {
		x.namespaces[o.Name] = labels.Set(o.Labels)
	}
	x.addPolicies(s)
	return x
}

// labelsOf returns the labels of a namespace. One that isn't known has the label that every namespace has.
func (x *index) labelsOf(namespace string) labels.Set {
	if set, ok := x.namespaces[namespace]; ok {
		return set
	}
	return labels.Set{corev1.LabelMetadataName: namespace}
}
