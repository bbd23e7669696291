package serve

import "sync"

// Publisher makes statuses known beside everything else: those of thousands of objects take longer than most changes,
// and must not hold up the next one. The newest ones count.
type Publisher struct {
	mu     sync.Mutex
	newest func() // nil once it is done
	wake   chan struct{}
	// turn is held while statuses are made and published, so that older ones never replace newer ones.
	turn sync.Mutex
}

// NewPublisher returns a Publisher that publishes once it is started, or when it is asked to by Flush.
func NewPublisher() *Publisher { return &Publisher{wake: make(chan struct{}, 1)} }

// Put gives the way to make the newest statuses and publish them. It doesn't wait.
func (p *Publisher) Put(publish func()) {
	p.mu.Lock()
	p.newest = publish
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Flush publishes what isn't yet.
func (p *Publisher) Flush() {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	publish := p.newest
	p.newest = nil
	p.mu.Unlock()
	if publish != nil {
		publish()
	}
}

// Start publishes whatever comes; what it returns ends that, with all published.
func (p *Publisher) Start() (stop func()) {
	var task sync.WaitGroup
	end := make(chan struct{})
	task.Go(func() {
		for {
			select {
			case <-p.wake:
				p.Flush()
			case <-end:
				p.Flush()
				return
			}
		}
	})
	return func() {
		close(end)
		task.Wait()
	}
}
