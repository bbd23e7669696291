package controller

import (
	"math/rand/v2"
	"time"
)

// pauses are those between tries: each is about twice as long as the one before, and no two replicas make the same ones.
type pauses struct {
	first, last time.Duration
	// next is the one to come; 0 is the first.
	next time.Duration
}

// take is the next pause: between its length and half as long again.
func (p *pauses) take() time.Duration {
	pause := max(p.first, p.next)
	p.next = min(2*pause, p.last)
	return spread(pause)
}

// reset begins anew with the first.
func (p *pauses) reset() { p.next = 0 }

// spread makes a pause up to half as long again, so that those who have failed at the same time don't try again at the same.
func spread(pause time.Duration) time.Duration {
	return pause + time.Duration(rand.Int64N(int64(pause/2)+1))
}
