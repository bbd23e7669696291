package resources

import (
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gatewright/gatewright/controller/referent"
)

// noteLooseSlices names the EndpointSlices that belong to no Service of the input: their endpoints get no calls.
func noteLooseSlices(s *Snapshot) []Note {
	services := make(map[types.NamespacedName]bool, len(s.Services))
	for _, service := range s.Services {
		services[types.NamespacedName{Namespace: service.Namespace, Name: service.Name}] = true
	}
	var notes []Note
	for _, slice := range s.EndpointSlices {
		text := ""
		switch to := referent.SliceService(slice); {
		case to.Name == "":
			text = fmt.Sprintf("its endpoints get no calls, for it has no label %s: set it to the name of its Service", discoveryv1.LabelServiceName)
		case !services[to]:
			text = fmt.Sprintf("its endpoints get no calls, for its label %s names Service %s, which is not in the input",
				discoveryv1.LabelServiceName, to)
		default:
			continue
		}
		notes = append(notes, Note{Object: "EndpointSlice " + slice.Namespace + "/" + slice.Name, Text: text})
	}
	return notes
}
