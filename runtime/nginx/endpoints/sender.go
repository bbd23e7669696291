package endpoints

import (
	"net/netip"
	"sync"
	"time"
)

// nginx reads answers into a buffer of the system's default size, about 200 KB, and doesn't read while it asks:
// after a start it asks for all upstreams in one go. An answer that finds the buffer full is lost, and nginx
// repeats the question only five seconds later. So many answers are sent in batches, each when nginx has read
// most of the one before.
const (
	// batch is how much of the buffer a batch may take, in bytes. As much may be unread when the next one goes.
	batch = 64 << 10
	// overhead is what a packet takes of the buffer besides its content.
	overhead = 1 << 10
	// pause is between looks at what nginx has read.
	pause = 500 * time.Microsecond
	// pauseMax is how long nginx may take to read.
	pauseMax = 500 * time.Millisecond
	// blind is how long to wait where it can't be told what nginx has read.
	blind = 5 * time.Millisecond
)

// sender sends answers: urgent ones first, and otherwise in the order that they are added.
type sender struct {
	write func(data []byte, to netip.AddrPort)
	// unread is how many bytes nginx has not read yet, if that can be told.
	unread func() (int, bool)

	mu sync.Mutex
	// queues are the urgent answers and the others.
	queues [2][]packet
	busy   bool
	wake   chan struct{}
}

type packet struct {
	data []byte
	to   netip.AddrPort
}

func newSender(write func([]byte, netip.AddrPort), unread func() (int, bool)) *sender {
	return &sender{write: write, unread: unread, wake: make(chan struct{}, 1)}
}

// add queues an answer.
func (s *sender) add(data []byte, to netip.AddrPort, urgent bool) {
	queue := 1
	if urgent {
		queue = 0
	}
	s.mu.Lock()
	s.queues[queue] = append(s.queues[queue], packet{data, to})
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
	return len(s.queues[0]) == 0 && len(s.queues[1]) == 0 && !s.busy
}

// next takes an answer out.
func (s *sender) next() (p packet, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.queues {
		if q := s.queues[i]; len(q) > 0 {
			s.queues[i] = q[1:]
			s.busy = true
			return q[0], true
		}
		s.queues[i] = nil
	}
	s.busy = false
	return packet{}, false
}

// run sends until closed.
func (s *sender) run(closed <-chan struct{}) {
	sent := 0
	for {
		p, ok := s.next()
		if !ok {
			select {
			case <-s.wake:
			case <-closed:
				return
			}
			continue
		}
		size := len(p.data) + overhead
		if sent+size > batch {
			s.settle()
			sent = 0
		}
		sent += size
		s.write(p.data, p.to)
	}
}

// settle waits until nginx has read most of what was sent.
func (s *sender) settle() {
	for start := time.Now(); time.Since(start) < pauseMax; time.Sleep(pause) {
		n, ok := s.unread()
		if !ok {
			time.Sleep(blind)
			return
		}
		if n <= batch {
			return
		}
	}
}
