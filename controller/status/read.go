package status

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// Read is Marshal the other way: the reports of a status.yaml, or of /status.
func Read(text []byte) ([]Report, error) {
	var list []struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
		Status any `json:"status"`
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("not the statuses that gatewright writes: %w", err)
	}
	out := make([]Report, 0, len(list))
	for _, o := range list {
		r := Report{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}
		var into any
		switch o.Kind {
		case "GatewayClass":
			r.GatewayClass = &gatewayv1.GatewayClassStatus{}
			into = r.GatewayClass
		case "Gateway":
			r.Gateway = &gatewayv1.GatewayStatus{}
			into = r.Gateway
		case "ListenerSet":
			r.ListenerSet = &gatewayv1.ListenerSetStatus{}
			into = r.ListenerSet
		case "GRPCRoute", "HTTPRoute":
			r.Route = &gatewayv1.RouteStatus{}
			into = r.Route
		default:
			r.Policy = &gatewayv1.PolicyStatus{}
			into = r.Policy
		}
		text, err := yaml.Marshal(o.Status)
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: its status isn't one: %w", r.Object(), err)
		}
		out = append(out, r)
	}
	return out, nil
}

// Part is an object, a listener or a parent of a route, with its conditions.
type Part struct {
	Object string `json:"object"`
	// Where is the part, "" for the object itself; see Refusal.
	Where string `json:"where,omitempty"`
	// State is refused, pending or ok: what the conditions come to.
	State string `json:"state"`
	// Refused are the conditions that refuse something.
	Refused []Why `json:"refused,omitempty"`
}

// Why is a condition that refuses something.
type Why struct {
	Condition string `json:"condition"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

// The states of a Part.
const (
	StateRefused = "refused"
	StatePending = "pending"
	StateOK      = "ok"
)

// Parts are all that reports tell of: what is refused first, then what waits for the proxy, then the rest, each in the order of the
// reports.
func Parts(reports []Report) []Part {
	byState := map[string][]Part{}
	for i := range reports {
		r := &reports[i]
		r.each(func(where string, conditions []metav1.Condition) {
			p := Part{Object: r.Object(), Where: where, State: StateOK}
			for _, c := range conditions {
				switch {
				case says(c, refusing):
					p.State = StateRefused
					p.Refused = append(p.Refused, Why{c.Type, c.Reason, c.Message})
				case c.Status == metav1.ConditionUnknown && p.State == StateOK:
					p.State = StatePending
				}
			}
			byState[p.State] = append(byState[p.State], p)
		})
	}
	return slices.Concat(byState[StateRefused], byState[StatePending], byState[StateOK])
}
