package run

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// TestMetrics: what is refused is counted until it is healed, and it is told when certificates end and which proxy serves.
func TestMetrics(t *testing.T) {
	pair := harness.Certificate(t, "h.test")
	block, _ := pem.Decode(pair.Certificate)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(g *gateway) {
		value := func(name, want string) {
			g.Helper()
			g.until("have "+name, func() error {
				if got := g.metric(name); got != want {
					return fmt.Errorf("%q", got)
				}
				return nil
			})
		}
		value(fmt.Sprintf("gatewright_proxy_info{proxy=%q,version=%q}", g.proxy.Name, g.proxy.Capabilities.Version.String()), "1")
		const refused = `gatewright_refused{condition="ResolvedRefs",kind="GRPCRoute",name="bad",namespace="default",reason="BackendNotFound"}`
		g.route("bad", "bad.Service", backend{"missing", 1})
		value(refused, "1")
		g.service("missing")
		value(refused, "")
		g.write("secret", harness.Secret("default", "pair", pair))
		g.write("gateway", g.gatewayManifest("web")+tlsListener("h", "pair"))
		const ends = `gatewright_certificate_not_after_timestamp_seconds{name="pair",namespace="default"}`
		g.until("tell when the certificate ends", func() error {
			got, err := strconv.ParseFloat(g.metric(ends), 64)
			if err == nil && int64(got) != leaf.NotAfter.Unix() {
				err = fmt.Errorf("%v, want %d", got, leaf.NotAfter.Unix())
			}
			return err
		})
		_, text, err := g.get("/metrics")
		if err != nil || !strings.Contains(text, "gatewright_build_info{goversion=\"go") {
			g.Errorf("nothing tells which gatewright runs: %v", err)
		}
		check := exec.Command("promtool", "check", "metrics")
		check.Stdin = strings.NewReader(text)
		if out, err := check.CombinedOutput(); err != nil {
			g.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	})
}
