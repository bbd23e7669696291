package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// list is several objects of a kind.
type list[T any, P interface {
	*T
	DeepCopyInto(*T)
}] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []T `json:"items"`
}

// DeepCopyObject shares nothing with the list.
func (l *list[T, P]) DeepCopyObject() runtime.Object {
	out := &list[T, P]{TypeMeta: l.TypeMeta, Items: make([]T, len(l.Items))}
	l.ListMeta.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		P(&l.Items[i]).DeepCopyInto(&out.Items[i])
	}
	return out
}

// DeepCopyInto makes out what p is and shares nothing with it.
func (p *GRPCTimeoutPolicy) DeepCopyInto(out *GRPCTimeoutPolicy) {
	*out = *p
	p.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	p.Status.DeepCopyInto(&out.Status)
}

// DeepCopyObject shares nothing with the policy.
func (p *GRPCTimeoutPolicy) DeepCopyObject() runtime.Object {
	out := &GRPCTimeoutPolicy{}
	p.DeepCopyInto(out)
	return out
}

// DeepCopyInto makes out what p is and shares nothing with it.
func (p *GRPCRetryPolicy) DeepCopyInto(out *GRPCRetryPolicy) {
	*out = *p
	p.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.RetryOn = append([]Condition(nil), p.Spec.RetryOn...)
	out.Spec.PerTryTimeout = copied(p.Spec.PerTryTimeout)
	out.Spec.Backoff = copied(p.Spec.Backoff)
	out.Spec.RequestBytes = copied(p.Spec.RequestBytes)
	out.Spec.Budget = copied(p.Spec.Budget)
	p.Status.DeepCopyInto(&out.Status)
}

// DeepCopyObject shares nothing with the policy.
func (p *GRPCRetryPolicy) DeepCopyObject() runtime.Object {
	out := &GRPCRetryPolicy{}
	p.DeepCopyInto(out)
	return out
}

// DeepCopyInto makes out what p is and shares nothing with it.
func (p *BackendPolicy) DeepCopyInto(out *BackendPolicy) {
	*out = *p
	p.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.TargetRefs = nil
	for i := range p.Spec.TargetRefs {
		out.Spec.TargetRefs = append(out.Spec.TargetRefs, *p.Spec.TargetRefs[i].DeepCopy())
	}
	out.Spec.SessionPersistence = p.Spec.SessionPersistence.DeepCopy()
	if h := p.Spec.HealthCheck; h != nil {
		out.Spec.HealthCheck = &HealthCheck{h.Service, copied(h.Interval), copied(h.Timeout), copied(h.UnhealthyThreshold),
			copied(h.HealthyThreshold)}
	}
	if o := p.Spec.OutlierDetection; o != nil {
		out.Spec.OutlierDetection = &OutlierDetection{o.ConsecutiveFailures, copied(o.EjectionTime)}
	}
	out.Spec.MaxRequestBytes = copied(p.Spec.MaxRequestBytes)
	p.Status.DeepCopyInto(&out.Status)
}

// DeepCopyObject shares nothing with the policy.
func (p *BackendPolicy) DeepCopyObject() runtime.Object {
	out := &BackendPolicy{}
	p.DeepCopyInto(out)
	return out
}

// copied is a pointer to the same value elsewhere.
func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
