package endpoints

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// nginx reads answers into a buffer of the system's default size, about 200 KB, and doesn't read while it asks:
// after a start it asks for all upstreams in one go. An answer that finds the buffer full is lost, and nginx
// repeats the question only five seconds later. So many answers are sent in batches, each when nginx has stopped
// asking.
const (
	// batch is how much of the buffer a batch may take, in bytes.
	batch = 96 << 10
	// overhead is what a packet takes of the buffer besides its content.
	overhead = 1 << 10
	// quiet is how long no question must have come before the next batch.
	quiet = time.Millisecond
	// quietMax is how long to wait for that.
	quietMax = 50 * time.Millisecond
)

// sender sends answers in the order that they are added.
type sender struct {
	write func(data []byte, to netip.AddrPort)
	// asked is when the last question came, as Unix time in nanoseconds.
	asked atomic.Int64

	mu    sync.Mutex
	queue []packet
	busy  bool
	wake  chan struct{}
}

type packet struct {
	data []byte
	to   netip.AddrPort
}

func newSender(write func([]byte, netip.AddrPort)) *sender {
	return &sender{write: write, wake: make(chan struct{}, 1)}
}

// add queues an answer.
func (s *sender) add(data []byte, to netip.AddrPort) {
	s.mu.Lock()
	s.queue = append(s.queue, packet{data, to})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// idle says whether everything was sent.
func (s *sender) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) == 0 && !s.busy
}

// take returns what is to be sent.
func (s *sender) take() []packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.queue
	s.queue, s.busy = nil, len(all) > 0
	return all
}

// run sends until closed.
func (s *sender) run(closed <-chan struct{}) {
	var sent int
	var last time.Time
	for {
		packets := s.take()
		if len(packets) == 0 {
			select {
			case <-s.wake:
				continue
			case <-closed:
				return
			}
		}
		for _, p := range packets {
			now := time.Now()
			if now.Sub(last) > quietMax {
				sent = 0
			}
			size := len(p.data) + overhead
			if sent+size > batch {
				s.settle()
				sent = 0
			}
			sent += size
			last = now
			s.write(p.data, p.to)
		}
	}
}

// settle waits until nginx has stopped asking.
func (s *sender) settle() {
	for start := time.Now(); time.Since(start) < quietMax; {
		time.Sleep(quiet)
		if time.Since(time.Unix(0, s.asked.Load())) > quiet {
			return
		}
	}
}
