package haproxy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNoAlerts: HAProxy's log has no alert of what is changed while it runs, though an endpoint that has still a stream comes again, and
// others of its Service with a new route.
func TestNoAlerts(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		c.apply()
		call := c.call("third.Service")
		call.Timeout = time.Hour
		stream, err := c.client.Stream(call)
		if err == nil {
			err = stream.Send(nil)
		}
		if err == nil {
			_, err = stream.ReceiveEcho()
		}
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		c.endpoints("third", 2)
		c.apply()
		c.endpoints("third", 1, 2, 3)
		c.rules(rule(0, "base.Service", backendOf("first", 1), backendOf("second", 1)), rule(1, "third.Service", backendOf("third", 1)),
			rule(2, "fourth.Service", backendOf("third", 1)))
		c.apply()
		c.sees(c.call("fourth.Service"), from("third"), "Unimplemented")
		c.endpoints("third", 0, 1, 2, 3)
		c.apply()
		text, err := os.ReadFile(filepath.Join(c.state, "haproxy.log"))
		if err != nil || bytes.Contains(text, []byte("ALERT")) || bytes.Contains(text, []byte("Already exists")) {
			t.Errorf("%v, HAProxy's log:\n%s", err, text)
		}
	})
}
