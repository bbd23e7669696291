package endpoints

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/gatewright/gatewright/generators/model"
)

func TestMessages(t *testing.T) {
	l := newList([]model.Endpoint{at("10.0.0.1", 80), at("10.0.0.2", 80), at("fd00::1", 80), at("10.0.0.1", 81)})
	data, err := packed(services(7, "_grpc._TCP.x.", l))
	if err != nil {
		t.Fatal(err)
	}
	var m dns.Msg
	if err := m.Unpack(data); err != nil {
		t.Fatal(err)
	}
	if m.Id != 7 || !m.Response || m.Truncated || len(m.Answer) != 2 || m.Question[0].Name != "_grpc._TCP.x." {
		t.Errorf("the answer is\n%s", &m)
	}
	for i, port := range []uint16{80, 81} {
		r := m.Answer[i].(*dns.SRV)
		if r.Port != port || r.Hdr.Ttl != 0 || r.Weight != 1 || r.Priority != 0 || r.Target != l.records[i].target.name {
			t.Errorf("record %d is %s", i, r)
		}
	}
	for kind, want := range map[uint16]int{dns.TypeA: 2, dns.TypeAAAA: 1} {
		m := addresses(7, "x.", kind, l.records[0].target)
		if len(m.Answer) != want || m.Answer[0].Header().Ttl != forever || m.Answer[0].Header().Rrtype != kind {
			t.Errorf("kind %d:\n%s", kind, m)
		}
	}
}

func TestTruncated(t *testing.T) {
	var many []model.Endpoint
	for i := range 5000 {
		many = append(many, at(fmt.Sprintf("fd00::%x", i+1), 80))
	}
	for _, r := range newList(many).records {
		m := addresses(1, r.target.name, dns.TypeAAAA, r.target)
		if data, err := m.Pack(); err != nil || len(data) > 65535 {
			t.Errorf("by TCP: %d bytes, %v", len(data), err)
		}
		data, err := packed(m)
		if err != nil || len(data) > udpSize {
			t.Errorf("by UDP: %d bytes, %v", len(data), err)
		}
		if err := m.Unpack(data); err != nil || !m.Truncated || len(m.Answer) != 0 {
			t.Errorf("by UDP:\n%s", m)
		}
	}
}

func FuzzQuestion(f *testing.F) {
	l := newList([]model.Endpoint{at("10.0.0.1", 80), at("fd00::1", 81)})
	for _, kind := range []uint16{dns.TypeSRV, dns.TypeA, dns.TypeAAAA, dns.TypeTXT} {
		for _, name := range []string{name, "other.", l.records[0].target.name} {
			data, err := new(dns.Msg).SetQuestion(name, kind).Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("\x00\x01\x00\x00\x00\x01\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, ok := parse(data)
		if !ok {
			return
		}
		s := &Server{book: newBook(func() time.Duration { return 0 })}
		now := time.Unix(0, 0)
		s.book.set(now, map[string]*list{name: l})
		if m, _ := s.lookUp(q); m != nil {
			if _, err := packed(m); err != nil || m.Id != q.Id || !m.Response {
				t.Errorf("%v\n%s", err, m)
			}
		}
		asked := q.Question[0].Name
		a, ok := s.book.ask(now, srv{from: netip.AddrPortFrom(netip.IPv4Unspecified(), 1), id: q.Id, name: asked, key: key(asked)})
		if ok != (key(asked) == name) {
			t.Errorf("%q is answered: %v", asked, ok)
		}
		if ok {
			if _, err := packed(services(a.id, a.name, a.list)); err != nil {
				t.Errorf("%q: %v", asked, err)
			}
		}
	})
}
