package endpoints

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/gatewright/gatewright/generators/model"
)

// Server answers nginx's questions for endpoints. It is silent until the first Set, unless ListenStable knows what was
// told last, so that an nginx that runs already keeps the endpoints it knows; questions that came before are answered
// then.
type Server struct {
	log     *slog.Logger
	address string
	udp     *net.UDPConn
	tcp     *dns.Server
	sender  *sender
	// held keep the address from others while nobody here answers.
	held []*os.File
	// moved says that the address isn't that of an earlier run.
	moved bool
	// learnt is the file where Proxy notes which master has learnt endpoints; "" for none.
	learnt string

	mu   sync.Mutex
	book *book
	// lists are what was set last, and set says that they are new.
	lists   map[string]*list
	set     chan struct{}
	changed chan struct{}
	closed  chan struct{}
	running sync.WaitGroup
}

// Listen answers at a loopback address and port, by UDP and TCP; port 0 takes a free one. It stops by Close.
func Listen(address netip.AddrPort, log *slog.Logger) (*Server, error) {
	udp, listener, err := bind(address)
	if err != nil {
		return nil, fmt.Errorf("answer nginx's questions for endpoints: %w", err)
	}
	held, err := holders(udp.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		log.Warn("while gatewright is away, another user may answer nginx's questions for endpoints", "address", udp.LocalAddr().String(),
			"error", err)
	}
	s := &Server{
		log: log, address: udp.LocalAddr().String(), udp: udp, held: held,
		book: newBook(func() time.Duration { return rand.N(hold / 4) }),
		set:  make(chan struct{}, 1), changed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	s.tcp = &dns.Server{Listener: listener, Handler: dns.HandlerFunc(s.serveTCP)}
	own := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	s.sender = newSender(s.write, func() (int, bool) { return unread(netip.AddrPortFrom(own.Addr().Unmap(), own.Port())) })
	s.running.Go(s.serveUDP)
	s.running.Go(func() { s.sender.run(s.closed) })
	s.running.Go(s.keepTime)
	s.running.Go(func() {
		if err := s.tcp.ActivateAndServe(); err != nil && !s.ended() {
			s.log.Error("nginx can't ask for long lists of endpoints", "address", s.address, "error", err)
		}
	})
	return s, nil
}

// bind takes the same port for both protocols.
func bind(address netip.AddrPort) (*net.UDPConn, net.Listener, error) {
	const attempts = 20
	var problems error
	for range attempts {
		listener, err := listenConfig.Listen(context.Background(), "tcp", address.String())
		if err != nil {
			return nil, nil, err
		}
		own := netip.AddrPortFrom(address.Addr(), listener.Addr().(*net.TCPAddr).AddrPort().Port())
		udp, err := listenConfig.ListenPacket(context.Background(), "udp", own.String())
		if err == nil && !shared(own) {
			growBuffer(udp.(*net.UDPConn))
			return udp.(*net.UDPConn), listener, nil
		}
		if err == nil {
			err = errors.Join(fmt.Errorf("%s: another gatewright answers there", own), udp.Close())
		}
		problems = errors.Join(err, listener.Close())
		if address.Port() != 0 {
			break
		}
	}
	return nil, nil, problems
}

// receiveBuffer is the size of the UDP socket's buffer in bytes: an nginx with thousands of upstreams asks for
// all of them at once.
const receiveBuffer = 8 << 20

// growBuffer makes room for a burst of questions: as much as the system allows.
func growBuffer(udp *net.UDPConn) {
	// A smaller buffer costs a repeated question, nothing else.
	_ = udp.SetReadBuffer(receiveBuffer)
	if raw, err := udp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { forceBuffer(fd, receiveBuffer) })
	}
}

// Address is the IP address and port to ask at: generators.Options.Resolver.
func (s *Server) Address() string { return s.address }

// Held are sockets that an nginx which is started should have open. They take nothing, but for as long as somebody has them
// no other user can answer at the address while gatewright is away (R44); this user's next gatewright can.
func (s *Server) Held() []*os.File { return s.held }

// Close ends the answers. nginx keeps the endpoints that it knows.
func (s *Server) Close() error {
	close(s.closed)
	// Shutdown refuses a server that hasn't begun yet; without its listener that ends at once too.
	_ = s.tcp.Shutdown()
	err := s.udp.Close()
	if closed := s.tcp.Listener.Close(); err == nil && !errors.Is(closed, net.ErrClosed) {
		err = closed
	}
	for _, f := range s.held {
		err = errors.Join(err, f.Close())
	}
	s.running.Wait()
	return err
}

func (s *Server) ended() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// Set makes the endpoints of a model's clusters the ones to answer, all at once, and tells those who wait.
func (s *Server) Set(m model.Gateways) {
	s.answer(lists(m))
	select {
	case s.set <- struct{}{}:
	default:
	}
}

// Wait returns when nginx has learnt the endpoints of clusters that were Set; those without a name to ask for
// count as learnt. The error says how many it hasn't asked for.
func (s *Server) Wait(ctx context.Context, clusters []model.Cluster) error {
	var left []string
	for name := range lists(model.Gateways{Clusters: clusters}) {
		left = append(left, name)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		now := time.Now()
		// What the book has answered isn't out before the sender is idle.
		if s.sender.idle() {
			left = slices.DeleteFunc(left, func(name string) bool { return s.book.taken(now, name) })
		}
		s.mu.Unlock()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("nginx hasn't asked %s for the endpoints of %d of its upstreams, such as %s: %w", s.address, len(left),
				slices.Min(left), ctx.Err())
		}
	}
}

// keepTime answers questions that have waited long enough, and forgets what is old.
func (s *Server) keepTime() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	forget := time.Now().Add(memory)
	for {
		select {
		case <-s.closed:
			return
		case <-timer.C:
		case <-s.changed:
		}
		now := time.Now()
		s.mu.Lock()
		out := s.book.due(now)
		if now.After(forget) {
			s.book.forget(now)
			forget = now.Add(memory)
		}
		// Questions that are due close to each other are answered together.
		next := s.book.next().Add(10 * time.Millisecond)
		s.mu.Unlock()
		s.send(out)
		if next.Before(now) {
			// There is none; the next one that waits says so.
			next = forget
		}
		timer.Reset(next.Sub(now))
	}
}

// wake makes keepTime look again.
func (s *Server) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *Server) serveUDP() {
	buffer := make([]byte, udpSize)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buffer)
		if s.ended() {
			return
		}
		if err != nil {
			// The kernel reports here that an answer reached nobody.
			s.log.Debug("read a question for endpoints", "error", err)
			continue
		}
		if q, ok := parse(buffer[:n]); ok {
			s.answerUDP(q, from)
		}
	}
}

// answerUDP answers one question now, or lets it wait.
func (s *Server) answerUDP(q *dns.Msg, from netip.AddrPort) {
	name := q.Question[0].Name
	if q.Question[0].Qtype != dns.TypeSRV {
		if m, first := s.lookUp(q); m != nil {
			s.queue(m, from, first)
		}
		return
	}
	s.mu.Lock()
	first := s.book.next()
	a, now := s.book.ask(time.Now(), srv{from: from, id: q.Id, name: name, key: key(name)})
	sooner := !s.book.next().Equal(first)
	s.mu.Unlock()
	if now {
		s.send([]answer{a})
	}
	if sooner {
		s.wake()
	}
}

// serveTCP answers one question at once: nginx asks by TCP for what was too long for UDP.
func (s *Server) serveTCP(w dns.ResponseWriter, q *dns.Msg) {
	if !valid(q) {
		return
	}
	if m, _ := s.lookUp(q); m != nil {
		if err := w.WriteMsg(m); err != nil {
			s.log.Debug("answer nginx by TCP", "error", err)
		}
	}
}

// lookUp answers what doesn't wait; nil for silence. first says that nobody has got this answer before.
func (s *Server) lookUp(q *dns.Msg) (m *dns.Msg, first bool) {
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case dns.TypeSRV:
		if e := s.book.names[key(name)]; e != nil && e.list != nil {
			return services(q.Id, name, e.list), false
		}
		return nil, false
	case dns.TypeA, dns.TypeAAAA:
		if t := s.book.targets[key(name)]; t != nil {
			return addresses(q.Id, name, kind, t.target), t.answered(kind == dns.TypeA)
		}
	}
	return failure(q), false
}

// send sends lists to those who asked for them.
func (s *Server) send(out []answer) {
	for _, a := range out {
		s.queue(services(a.id, a.name, a.list), a.from, a.first)
	}
}

// queue lets a message be sent. What nobody was told before is urgent: after a reload nginx asks for everything,
// but only of what is new it knows nothing.
func (s *Server) queue(m *dns.Msg, to netip.AddrPort, urgent bool) {
	data, err := packed(m)
	if err != nil {
		// The question was one, so its name can be packed; what isn't answered is asked again.
		s.log.Debug("answer nginx", "name", m.Question[0].Name, "error", err)
		return
	}
	s.sender.add(data, to, urgent)
}

func (s *Server) write(data []byte, to netip.AddrPort) {
	if _, err := s.udp.WriteToUDPAddrPort(data, to); err != nil && !s.ended() {
		s.log.Debug("answer nginx", "client", to.String(), "error", err)
	}
}
