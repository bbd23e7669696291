package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Group and Version are those of the resources, and the names of their kinds.
const (
	Group       = "gatewright.io"
	Version     = "v1alpha1"
	TimeoutKind = "GRPCTimeoutPolicy"
	RetryKind   = "GRPCRetryPolicy"
)

// OnBridgeFailure is what becomes of calls while there is no bridge to keep a policy.
type OnBridgeFailure string

// What may become of them.
const (
	// BridgeFail answers them UNAVAILABLE; it is the default.
	BridgeFail OnBridgeFailure = "Fail"
	// BridgeBypass sends them on without the policy.
	BridgeBypass OnBridgeFailure = "Bypass"
)

// GRPCTimeoutPolicy says how long whole calls may take.
type GRPCTimeoutPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   GRPCTimeoutPolicySpec  `json:"spec"`
	Status gatewayv1.PolicyStatus `json:"status,omitempty"`
}

// GRPCTimeoutPolicySpec is what it asks for.
type GRPCTimeoutPolicySpec struct {
	// Timeout is how long a call may take from its first header to its status; 0s is no limit. A client's own grpc-timeout that
	// is shorter counts.
	Timeout gatewayv1.Duration `json:"timeout"`
	// OnBridgeFailure is BridgeFail unless it is set.
	OnBridgeFailure OnBridgeFailure `json:"onBridgeFailure,omitempty"`
}

// GRPCRetryPolicy says when calls are sent again.
type GRPCRetryPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   GRPCRetryPolicySpec    `json:"spec"`
	Status gatewayv1.PolicyStatus `json:"status,omitempty"`
}

// GRPCRetryPolicySpec is what it asks for.
type GRPCRetryPolicySpec struct {
	// Retries is how often a call is sent again, beside the first time; 0 is never.
	Retries int32 `json:"retries"`
	// RetryOn are the conditions, by their names in gRPC, at least one unless Retries is 0. (A key "on" is a truth value to many
	// readers of YAML.)
	RetryOn []Condition `json:"retryOn,omitempty"`
	// PerTryTimeout is how long each try may take to answer; none or 0s is no limit. One that takes longer is a deadline-exceeded.
	PerTryTimeout *gatewayv1.Duration `json:"perTryTimeout,omitempty"`
	// Backoff is about how long the first retry waits; each further one waits twice as long.
	Backoff *gatewayv1.Duration `json:"backoff,omitempty"`
	// RequestBytes is how much of a request is kept to be sent again; larger ones aren't.
	RequestBytes *int32 `json:"requestBytes,omitempty"`
	// Budget bounds the retries of all calls of a rule together.
	Budget *RetryBudget `json:"budget,omitempty"`
	// OnBridgeFailure is BridgeFail unless it is set.
	OnBridgeFailure OnBridgeFailure `json:"onBridgeFailure,omitempty"`
}

// Condition is a reason to send a call again.
type Condition string

// The conditions.
const (
	ConnectFailure    Condition = "connect-failure"
	RefusedStream     Condition = "refused-stream"
	Cancelled         Condition = "cancelled"
	DeadlineExceeded  Condition = "deadline-exceeded"
	Internal          Condition = "internal"
	ResourceExhausted Condition = "resource-exhausted"
	Unavailable       Condition = "unavailable"
)

// RetryBudget keeps retries from making a bad thing worse.
type RetryBudget struct {
	// Percent is how many retries there may be for a hundred calls of the last ten seconds.
	Percent int32 `json:"percent"`
	// PerSecond is how many there may be in any case.
	PerSecond int32 `json:"perSecond"`
}

// DefaultBudget is the one that a policy without one has.
var DefaultBudget = RetryBudget{Percent: 20, PerSecond: 10}

// GRPCTimeoutPolicyList and GRPCRetryPolicyList are what a cluster lists.
type (
	GRPCTimeoutPolicyList = list[GRPCTimeoutPolicy, *GRPCTimeoutPolicy]
	GRPCRetryPolicyList   = list[GRPCRetryPolicy, *GRPCRetryPolicy]
)

// AddToScheme makes the kinds known.
func AddToScheme(s *runtime.Scheme) error {
	version := schema.GroupVersion{Group: Group, Version: Version}
	for kind, objects := range map[string][2]runtime.Object{
		TimeoutKind: {&GRPCTimeoutPolicy{}, &GRPCTimeoutPolicyList{}}, RetryKind: {&GRPCRetryPolicy{}, &GRPCRetryPolicyList{}},
		BackendKind: {&BackendPolicy{}, &BackendPolicyList{}}, ParametersKind: {&GatewayParameters{}, &GatewayParametersList{}},
	} {
		s.AddKnownTypeWithName(version.WithKind(kind), objects[0])
		s.AddKnownTypeWithName(version.WithKind(kind+"List"), objects[1])
	}
	metav1.AddToGroupVersion(s, version)
	return nil
}
