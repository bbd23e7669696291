package endpoints

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/gatewright/gatewright/generators/model"
)

func serve(t *testing.T) *Server {
	t.Helper()
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

// TestServer asks over sockets: by UDP, and by TCP for what is too long.
func TestServer(t *testing.T) {
	s := serve(t)
	c := model.Cluster{Name: "a/b/1", Namespace: "a", Service: "b"}
	for i := range 600 {
		c.Endpoints = append(c.Endpoints, at(fmt.Sprintf("10.0.%d.%d", i/250, i%250), 80))
	}
	s.Set(model.Gateways{Clusters: []model.Cluster{c}})
	ask := func(client dns.Client, name string, kind uint16) *dns.Msg {
		t.Helper()
		m, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, kind), s.Address())
		if err != nil {
			t.Fatalf("%s by %q: %v", name, client.Net, err)
		}
		return m
	}
	udp, tcp := dns.Client{UDPSize: udpSize}, dns.Client{Net: "tcp"}
	for _, client := range []dns.Client{udp, tcp} {
		m := ask(client, question(&c), dns.TypeSRV)
		if len(m.Answer) != 1 {
			t.Fatalf("by %q:\n%s", client.Net, m)
		}
		target := m.Answer[0].(*dns.SRV).Target
		addresses := ask(client, target, dns.TypeA)
		if long := client.Net == ""; addresses.Truncated != long || !long && len(addresses.Answer) != 600 {
			t.Errorf("by %q: %d addresses, truncated: %v", client.Net, len(addresses.Answer), addresses.Truncated)
		}
		if m := ask(client, target, dns.TypeAAAA); m.Rcode != dns.RcodeSuccess || len(m.Answer) != 0 {
			t.Errorf("IPv6 addresses by %q:\n%s", client.Net, m)
		}
		if m := ask(client, "other.", dns.TypeA); m.Rcode != dns.RcodeServerFailure {
			t.Errorf("an unknown name by %q:\n%s", client.Net, m)
		}
	}
	if err := s.Wait(t.Context(), []model.Cluster{c}); err != nil {
		t.Errorf("after all questions: %v", err)
	}
}

// TestSender: nothing is lost, urgent answers go first, and a full buffer is waited for.
func TestSender(t *testing.T) {
	var sent []string
	room, looks := 0, 0
	done := make(chan struct{})
	s := newSender(func(data []byte, _ netip.AddrPort) {
		if room += len(data) + overhead; room > 2*batch {
			t.Errorf("%d bytes are sent and not read", room)
		}
		if sent = append(sent, strings.TrimSpace(string(data))); len(sent) == 400 {
			close(done)
		}
	}, func() (int, bool) {
		// nginx reads a little between two looks.
		looks++
		room = max(0, room-8<<10)
		return room, true
	})
	for i := range 400 {
		s.add(fmt.Appendf(nil, "%-500d", i), netip.AddrPort{}, i >= 300)
	}
	if s.idle() {
		t.Error("it is idle with 400 answers to send")
	}
	closed := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		s.run(closed)
		close(ended)
	}()
	<-done
	close(closed)
	<-ended
	for i, text := range sent {
		if want := fmt.Sprint((i + 300) % 400); text != want {
			t.Fatalf("answer %d is %s, want %s", i, text, want)
		}
	}
	if looks == 0 || !s.idle() {
		t.Errorf("%d looks at what was read; idle: %v", looks, s.idle())
	}
}

func TestListenStable(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	open := func() *Server {
		t.Helper()
		s, err := ListenStable(dir, log)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	shut := func(s *Server) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	first := open()
	shut(first)
	second := open()
	if second.Address() != first.Address() {
		t.Errorf("the address went from %s to %s", first.Address(), second.Address())
	}
	// Somebody else has it: another one is taken, and kept.
	third := open()
	if third.Address() == second.Address() {
		t.Errorf("two servers answer at %s", third.Address())
	}
	shut(second)
	shut(third)
	fourth := open()
	if fourth.Address() != third.Address() {
		t.Errorf("the address went from %s to %s", third.Address(), fourth.Address())
	}
	shut(fourth)
	for _, text := range []string{"", "x", "10.0.0.1:53", "127.0.0.1:0", "127.0.0.1:53\n127.0.0.1:54"} {
		if err := os.WriteFile(filepath.Join(dir, addressName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open()
		if a := netip.MustParseAddrPort(s.Address()); !a.Addr().IsLoopback() || a.Port() < 1024 {
			t.Errorf("%q: the server answers at %s", text, a)
		}
		shut(s)
	}
	if err := os.Remove(filepath.Join(dir, addressName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, addressName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenStable(dir, log); err == nil {
		t.Error("a folder is taken for the address")
	}
}
