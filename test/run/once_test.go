package run

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// TestCallOnceAdded: HAProxy is told of endpoints without a reload where each call has a connection, too.
func TestCallOnceAdded(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		if p.Name != "haproxy" || !p.Capabilities.Has(model.FeatureCallOnce) {
			continue
		}
		t.Run(p.String(), func(t *testing.T) {
			g := newGateway(t, p)
			g.args = []string{"--call-once"}
			g.start()
			g.ready()
			for i := 1; i <= 3; i++ {
				g.service("first", i)
				g.until("the new endpoint", func() error {
					r := g.call("base.Service")
					if want := g.backends.Address("first", i) + ":"; !strings.HasPrefix(r.Echo.Endpoint, want) {
						return fmt.Errorf("%s %s at %s", r.Code, r.Message, r.Echo.Endpoint)
					}
					return nil
				})
			}
			if reloads := g.metric(`gatewright_applies_total{result="ok",way="reload"}`); reloads != "1" {
				t.Errorf("%s reloads, want the first alone", reloads)
			}
		})
	}
}
