package main

import (
	"sync"

	"github.com/gatewright/gatewright/controller/status"
)

// publisher makes statuses and publishes them beside everything else: those of thousands of objects take longer than
// most changes, and must not hold up the next one. The newest ones count.
type publisher struct {
	publish func([]status.Report)

	mu     sync.Mutex
	newest func() []status.Report // nil once it is published
	wake   chan struct{}
	// turn is held while statuses are made and published, so that older ones never replace newer ones.
	turn sync.Mutex
}

func newPublisher(publish func([]status.Report)) *publisher {
	return &publisher{publish: publish, wake: make(chan struct{}, 1)}
}

// put gives the way to make the newest statuses. It doesn't wait.
func (p *publisher) put(reports func() []status.Report) {
	p.mu.Lock()
	p.newest = reports
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// flush publishes what isn't yet.
func (p *publisher) flush() {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	reports := p.newest
	p.newest = nil
	p.mu.Unlock()
	if reports != nil {
		p.publish(reports())
	}
}

// start publishes whatever comes; what it returns ends that, with all published.
func (p *publisher) start() (stop func()) {
	var task sync.WaitGroup
	end := make(chan struct{})
	task.Go(func() {
		for {
			select {
			case <-p.wake:
				p.flush()
			case <-end:
				p.flush()
				return
			}
		}
	})
	return func() {
		close(end)
		task.Wait()
	}
}
