package haproxy_test

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
)

// TestBalance: a version that breaks leastconn's lists, and only such a one, gets another way where servers are added
// while it runs, and capabilities say why.
func TestBalance(t *testing.T) {
	for _, c := range []struct {
		version string
		marker  string
		want    string
	}{
		{"3.2.5", "/run/m.sock", "leastconn"}, {"3.2.6", "/run/m.sock", "roundrobin"}, {"3.2.18", "/run/m.sock", "roundrobin"},
		{"3.2.19", "/run/m.sock", "leastconn"}, {"3.3.0", "/run/m.sock", "roundrobin"}, {"3.4.7", "/run/m.sock", "leastconn"},
		{"3.2.6", "", "leastconn"},
	} {
		v, err := model.ParseVersion(c.version)
		if err != nil {
			t.Fatal(err)
		}
		caps := haproxy.CapabilitiesOf(v)
		for _, f := range render(t, world.Small(t), caps, generators.Options{Marker: c.marker}) {
			if f.Path == "haproxy.cfg" && !strings.Contains(string(f.Data), "\n    balance "+c.want+"\n") {
				t.Errorf("HAProxy %s, marker %q: not %s", c.version, c.marker, c.want)
			}
		}
		named := false
		for _, f := range caps.Faults {
			named = named || strings.Contains(f.What, "leastconn")
		}
		if c.marker != "" && named != (c.want == "roundrobin") {
			t.Errorf("HAProxy %s: capabilities name the fault: %t", c.version, named)
		}
	}
}
