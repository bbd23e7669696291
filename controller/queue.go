package controller

import (
	"time"

	"k8s.io/client-go/util/workqueue"
)

// newQueue is a queue of objects whose status may have to be written. Those of which there are few come first: a Gateway
// that counts a thousand routes doesn't wait for the statuses of all of them.
func newQueue() workqueue.TypedRateLimitingInterface[object] {
	return workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[object](20*time.Millisecond, 30*time.Second),
		workqueue.TypedRateLimitingQueueConfig[object]{
			DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[object]{
				Queue: workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[object]{
					Queue: &ordered{first: workqueue.DefaultQueue[object](), rest: workqueue.DefaultQueue[object]()},
				}),
			}),
		})
}

// ordered is a workqueue.Queue that gives objects of kinds that one controller alone writes before all others.
type ordered struct{ first, rest workqueue.Queue[object] }

func (q *ordered) of(o object) workqueue.Queue[object] {
	if k := statusKinds[o.kind]; k != nil && !k.entries {
		return q.first
	}
	return q.rest
}

// Push adds an object.
func (q *ordered) Push(o object) { q.of(o).Push(o) }

// Touch is for an object that is added again.
func (q *ordered) Touch(o object) { q.of(o).Touch(o) }

// Len is how many objects there are.
func (q *ordered) Len() int { return q.first.Len() + q.rest.Len() }

// Pop takes the next object.
func (q *ordered) Pop() object {
	if q.first.Len() > 0 {
		return q.first.Pop()
	}
	return q.rest.Pop()
}
