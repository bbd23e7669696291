package haproxy_test

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// services changes which Services there are: one comes with its route, and the one before the last goes.
func (c *changing) services(rules []*model.Rule) {
	c.Helper()
	var before []*model.Rule
	c.changes("Services", func(i int) {
		name := fmt.Sprintf("fresh%d", i)
		c.sees(c.call(name+".Service"), from("Unimplemented"))
		c.endpoints(name, 0)
		now := rule(10+i, name+".Service", backendOf(name, 1))
		if i%3 == 0 {
			now.Backends = append(now.Backends, backendOf("second", 0))
		}
		c.rules(slices.Concat(rules, before, []*model.Rule{now})...)
		c.apply()
		c.sees(c.call(name+".Service"), from(name), "Unimplemented")
		if before = []*model.Rule{now}; i > 0 {
			c.forget(fmt.Sprintf("fresh%d", i-1))
		}
	})
	c.forget(fmt.Sprintf("fresh%d", updates-1))
	c.rules(rules...)
	c.apply()
}

// names changes which server names there are, with certificates of their own that come and go.
func (c *changing) names(rules []*model.Rule) {
	c.Helper()
	c.changes("server names and their certificates", func(i int) {
		name, pair := fmt.Sprintf("new%d.test", i), fmt.Sprintf("pair%d", i)
		c.handshake(name, "named.Service", "Unimplemented")
		c.certificate(pair, harness.Certificate(c, name), name)
		if i > 0 {
			c.forget(fmt.Sprintf("pair%d", i-1))
		}
		// Every other time the one for all names is another one too.
		c.keyPairs = []string{"pair", pair}
		if i%2 == 1 {
			c.certificate("other", harness.Certificate(c, "*.test"), "*.test")
			c.keyPairs = []string{"other", pair}
		}
		c.scopes = []model.Scope{{Hostname: name, Rules: []*model.Rule{rule(100+i, "named.Service", backendOf("third", 1))}}}
		c.rules(rules...)
		c.apply()
		if got := c.handshake(name, "named.Service", "third"); !slices.Equal(got.DNSNames, []string{name}) {
			c.Fatalf("the certificate for %s is that of %s", name, got.DNSNames)
		}
		if got := c.handshake("h.test", "third.Service", "third"); !slices.Equal(got.DNSNames, []string{"*.test"}) {
			c.Fatalf("the certificate for h.test is that of %s", got.DNSNames)
		}
	})
}

// handshake calls on a connection of its own, and returns the certificate.
func (c *changing) handshake(host, service, want string) *x509.Certificate {
	c.Helper()
	client := harness.NewClient(c)
	defer client.Close()
	call := c.call(service)
	call.Address, call.TLS, call.Authority = net.JoinHostPort(c.address, fmt.Sprint(tlsPort)), true, host
	r := client.Do(call)
	if r.Backend() != want {
		c.Fatalf("%s of %s: %s (%s), want %s", service, host, r.Backend(), r.Message, want)
	}
	return r.Certificate
}
