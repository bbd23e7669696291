package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// BackendKind is the name of the kind.
const BackendKind = "BackendPolicy"

// BackendPolicy says how the endpoints of Services are used, whichever routes send to them.
type BackendPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   BackendPolicySpec      `json:"spec"`
	Status gatewayv1.PolicyStatus `json:"status,omitempty"`
}

// BackendPolicySpec is what it asks for. One that can't be kept as a whole isn't kept at all, and its status says why.
type BackendPolicySpec struct {
	// TargetRefs are Services of its namespace, or ports of them by their names. Of two policies for the same the oldest counts.
	TargetRefs []gatewayv1.LocalPolicyTargetReferenceWithSectionName `json:"targetRefs"`
	// SessionPersistence keeps calls of a session at one endpoint; a rule's own goes first.
	SessionPersistence *gatewayv1.SessionPersistence `json:"sessionPersistence,omitempty"`
	// HealthCheck leaves endpoints out that aren't well.
	HealthCheck *HealthCheck `json:"healthCheck,omitempty"`
	// OutlierDetection says when an endpoint that fails calls is left alone.
	OutlierDetection *OutlierDetection `json:"outlierDetection,omitempty"`
	// MaxRequestBytes is how long the body of a request may be; none is no limit.
	MaxRequestBytes *int64 `json:"maxRequestBytes,omitempty"`
}

// HealthCheck asks endpoints how they are, by grpc.health.v1.Health/Check.
type HealthCheck struct {
	// Service is the name that endpoints are asked for; "" is all of a server.
	Service string `json:"service,omitempty"`
	// Interval is how often, 5s unless set, and Timeout how long an answer may take, 1s unless set.
	Interval *gatewayv1.Duration `json:"interval,omitempty"`
	Timeout  *gatewayv1.Duration `json:"timeout,omitempty"`
	// UnhealthyThreshold is how many checks in a row have to fail until an endpoint is left out, 2 unless set, and HealthyThreshold
	// how many have to succeed until it is taken again, 1 unless set.
	UnhealthyThreshold *int32 `json:"unhealthyThreshold,omitempty"`
	HealthyThreshold   *int32 `json:"healthyThreshold,omitempty"`
}

// OutlierDetection leaves an endpoint alone that takes no connections, or breaks them.
type OutlierDetection struct {
	// ConsecutiveFailures is how many it takes.
	ConsecutiveFailures int32 `json:"consecutiveFailures"`
	// EjectionTime is how long the endpoint is left alone; 1s unless set.
	EjectionTime *gatewayv1.Duration `json:"ejectionTime,omitempty"`
}

// BackendPolicyList is what a cluster lists.
type BackendPolicyList = list[BackendPolicy, *BackendPolicy]
