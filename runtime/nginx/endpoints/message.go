package endpoints

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

const (
	// udpSize is the most bytes of an answer by UDP that nginx reads.
	udpSize = 4096
	// forever is the TTL, in seconds, of what doesn't change.
	forever = 86400
)

// parse reads a question: one question of class IN. Others aren't nginx's, and get no answer.
func parse(data []byte) (*dns.Msg, bool) {
	q := new(dns.Msg)
	if err := q.Unpack(data); err != nil {
		return nil, false
	}
	return q, valid(q)
}

func valid(q *dns.Msg) bool {
	return !q.Response && q.Opcode == dns.OpcodeQuery && len(q.Question) == 1 && q.Question[0].Qclass == dns.ClassINET
}

// key is how names are compared.
func key(name string) string { return strings.ToLower(name) }

// services is the answer to a question for SRV records. They are not to be kept: TTL 0.
func services(id uint16, name string, l *list) *dns.Msg {
	m := reply(id, name, dns.TypeSRV)
	for _, r := range l.records {
		m.Answer = append(m.Answer, &dns.SRV{Hdr: header(name, dns.TypeSRV, 0), Weight: 1, Port: r.port, Target: r.target.name})
	}
	return m
}

// addresses is the answer to a question for the addresses of a target, of the question's kind.
func addresses(id uint16, name string, kind uint16, t *target) *dns.Msg {
	m := reply(id, name, kind)
	for _, a := range t.addresses {
		if a.Is4() == (kind == dns.TypeA) {
			m.Answer = append(m.Answer, addressRecord(name, a))
		}
	}
	return m
}

func addressRecord(name string, a netip.Addr) dns.RR {
	if a.Is4() {
		return &dns.A{Hdr: header(name, dns.TypeA, forever), A: a.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(name, dns.TypeAAAA, forever), AAAA: a.AsSlice()}
}

// failure says that there is no answer now: nginx keeps what it has.
func failure(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure) }

func reply(id uint16, name string, kind uint16) *dns.Msg {
	m := &dns.Msg{Compress: true}
	m.Id, m.Response, m.Authoritative = id, true, true
	m.Question = []dns.Question{{Name: name, Qtype: kind, Qclass: dns.ClassINET}}
	return m
}

func header(name string, kind uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}

// packed is a message as it is sent by UDP: without records, and marked so, when it is too long; nginx asks by
// TCP then.
func packed(m *dns.Msg) ([]byte, error) {
	data, err := m.Pack()
	if err == nil && len(data) > udpSize {
		m.Answer, m.Truncated = nil, true
		data, err = m.Pack()
	}
	return data, err
}
