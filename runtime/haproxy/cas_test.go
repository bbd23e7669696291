package haproxy_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/test/harness"
)

// TestClientCAs changes whose clients are let in without a reload: for all names, and for one that came meanwhile.
func TestClientCAs(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		rules := []*model.Rule{rule(0, "base.Service", backendOf("first", 1))}
		cas := []*harness.ClientCA{harness.NewClientCA(s, "CA"), harness.NewClientCA(s, "CA"), harness.NewClientCA(s, "CA")}
		clients := make([]*harness.KeyPair, len(cas))
		for i, ca := range cas {
			clients[i] = ca.Client("client", time.Hour)
		}
		trust := func(trusted ...int) {
			v := &model.ClientValidation{}
			for _, i := range trusted {
				v.Certificates = append(v.Certificates, cas[i].PEM()...)
			}
			c.validation = v
			c.rules(rules...)
		}
		check := func(host string, trusted ...bool) {
			s.Helper()
			for i, let := range trusted {
				client := harness.NewClient(s)
				call := c.call("base.Service")
				call.Address, call.TLS, call.Authority, call.Client = net.JoinHostPort(c.address, strconv.Itoa(tlsPort)), true, host, clients[i]
				r := client.Do(call)
				if let && r.Backend() != "first" || !let && (r.Code != codes.Unavailable || r.FromServer()) {
					s.Errorf("a client of CA %d at %s: %s %q", i, host, r.Backend(), r.Message)
				}
				client.Close()
			}
		}
		trust(0)
		c.apply()
		check("h.test", true, false, false)
		trust(1)
		if out := c.apply(); out.Way != apply.Updated {
			s.Errorf("another CA: %s", out.Reason)
		}
		check("h.test", false, true, false)
		trust(1, 2)
		c.apply()
		check("h.test", false, true, true)
		c.certificate("new", harness.Certificate(s, "new.test"), "new.test")
		c.keyPairs = []string{"pair", "new"}
		c.rules(rules...)
		c.apply()
		check("new.test", false, true, true)
		trust(0, 2)
		out := c.apply()
		check("new.test", true, false, true)
		check("h.test", true, false, true)
		if c.ways[apply.Reloaded] != 1 {
			s.Errorf("%d reloads, want the first start only", c.ways[apply.Reloaded])
		}
		c.restart(out.Generation)
		check("h.test", true, false, true)
	})
}
