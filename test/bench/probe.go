package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// probe makes calls to a Gateway with a listener at port 8080.
type probe struct {
	t       harness.T
	address string
	client  *harness.Client
}

// newProbe is a probe of a Gateway that has yet to come, at an address that nothing else uses.
func newProbe(t harness.T) probe {
	return probe{t: t, address: harness.Address(t), client: harness.NewClient(t)}
}

func (p *probe) call(service string) harness.Call {
	return harness.Call{Address: p.address + ":8080", Authority: "h.test", Path: "/" + service + "/Method"}
}

// until calls until the reply is the one that is waited for, and says how long that took.
func (p *probe) until(service string, want func(harness.Reply) bool) time.Duration {
	p.t.Helper()
	start := time.Now()
	call := p.call(service)
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	var last harness.Reply
	for time.Since(start) < time.Minute {
		if last = p.client.Do(call); want(last) {
			took := time.Since(start)
			p.settle(call, want)
			return took
		}
		// A new connection each time: a worker of nginx that drains goes on answering on a busy one.
		p.client.Close()
		<-pause.C
	}
	p.t.Fatalf("%s: nothing came of a change; the last reply was %s %s", service, last.Code, strings.TrimSpace(last.Message))
	return 0
}

// settle returns when no old worker is left that answers: when many new connections in a row are answered
// as they should.
func (p *probe) settle(call harness.Call, want func(harness.Reply) bool) {
	for good := 0; good < 100; good++ {
		p.client.Close()
		if !want(p.client.Do(call)) {
			good = 0
		}
	}
}

// callerPause is how long each caller of the load rests between two calls.
const callerPause = 5 * time.Millisecond

// traffic is what became of the calls of a load.
type traffic struct {
	calls, failed int
	// replies are the failed ones, and how many of each.
	replies map[string]int
}

func (t traffic) String() string {
	return fmt.Sprintf("%d of %d calls failed: %v", t.failed, t.calls, t.replies)
}

// load makes calls until end is called, which says how they went.
func (p *probe) load(callers int, service string) (end func() traffic) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	sum := traffic{replies: map[string]int{}}
	for range callers {
		client := harness.NewClient(p.t)
		all.Go(func() {
			pause := time.NewTicker(callerPause)
			defer pause.Stop()
			for {
				select {
				case <-stop:
					return
				case <-pause.C:
				}
				r := client.Do(p.call(service))
				mu.Lock()
				sum.calls++
				if r.Code != codes.OK {
					sum.failed++
					sum.replies[r.Code.String()+": "+r.Message]++
				}
				mu.Unlock()
			}
		})
	}
	return func() traffic {
		close(stop)
		all.Wait()
		return sum
	}
}
