package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/gatewright/gatewright/test/harness"
)

const (
	folder = "../../deploy/observability"
	// patience is how long anything may take.
	patience = 30 * time.Second
)

// rule is an alert, or an expression of a panel.
type rule struct {
	Alert       string            `json:"alert,omitempty"`
	Record      string            `json:"record,omitempty"`
	Expr        string            `json:"expr"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type group struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

type rules struct {
	Groups []group `json:"groups"`
}

func promtool(t *testing.T, in string, args ...string) string {
	t.Helper()
	list := exec.Command("sh", filepath.Join(harness.Root(t), "test", "others.sh"), "--list")
	list.Stderr = os.Stderr
	out, err := list.Output()
	all := strings.Fields(string(out))
	if err != nil || len(all) != 3 {
		t.Fatalf("test/others.sh --list: %v: %q", err, all)
	}
	cmd := exec.Command(all[2], args...)
	cmd.Dir, cmd.Stdin = folder, strings.NewReader(in)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var r rules
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(folder, "alerts.yaml"))), &r); err != nil || len(r.Groups) != 1 {
		t.Fatalf("alerts.yaml: %v, %d groups", err, len(r.Groups))
	}
	return r.Groups[0].Rules
}

// panels are the expressions of the dashboard.
func panels(t *testing.T) []rule {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(folder, "dashboard.json"))), &dashboard); err != nil {
		t.Fatal(err)
	}
	var out []rule
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			out = append(out, rule{Record: fmt.Sprintf("panel:%d", len(out)), Expr: target.Expr})
		}
	}
	if len(out) == 0 {
		t.Fatal("the dashboard asks for nothing")
	}
	return out
}

// TestAlerts: promtool takes the rules, and each alert has a unit test that has it fire, and a section of the runbooks.
func TestAlerts(t *testing.T) {
	promtool(t, "", "check", "rules", "alerts.yaml")
	promtool(t, "", "test", "rules", "alerts_test.yaml")
	tests, runbooks := read(t, filepath.Join(folder, "alerts_test.yaml")), read(t, "../../docs/runbooks.md")
	for _, r := range alerts(t) {
		if !strings.Contains(tests, "alertname: "+r.Alert+"\n    exp_alerts:") {
			t.Errorf("alerts_test.yaml never has %s fire", r.Alert)
		}
		if !strings.Contains(runbooks, "\n## "+r.Alert+"\n") {
			t.Errorf("docs/runbooks.md has no section %s", r.Alert)
		}
		if url := r.Annotations["runbook_url"]; !strings.HasSuffix(url, "/docs/runbooks.md#"+strings.ToLower(r.Alert)) {
			t.Errorf("%s leads to %q", r.Alert, url)
		}
	}
}

// TestDashboard: every panel is an expression that Prometheus reads.
func TestDashboard(t *testing.T) {
	text, err := yaml.Marshal(rules{Groups: []group{{Name: "panels", Rules: panels(t)}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}

// metricName finds metrics in expressions. The series of a histogram have its name and an ending.
var metricName = regexp.MustCompile(`gatewright_[a-z_]+`)

// refused has a route that is refused, and a listener with a certificate.
const refused = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: more, namespace: shop}
spec:
  gatewayClassName: gatewright
  addresses: [{value: 127.92.7.2}]
  listeners: [{name: tls, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: pair}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: bad, namespace: shop}
spec:
  parentRefs: [{name: more}]
  rules: [{backendRefs: [{name: missing, port: 50051}]}]
---
`

// TestMetrics: a gatewright that runs has every metric that an alert or a panel asks for, and promtool finds no fault in how they are written.
func TestMetrics(t *testing.T) {
	for _, p := range harness.Newest(harness.Proxies(t)) {
		t.Run(p.String(), func(t *testing.T) {
			dir := harness.TempDir(t)
			health := harness.Health(filepath.Join(dir, "http.sock"))
			more := filepath.Join(dir, "more.yaml")
			write := func(text string) {
				if err := os.WriteFile(more, []byte(text+harness.Secret("shop", "pair", harness.Certificate(t, "a.test"))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(refused)
			process := harness.Start(t, harness.Program(t), "run", "-f", "../../deploy/examples/mirror/manifests.yaml", "-f", more, "--proxy", p.Name,
				"--proxy-binary", p.Binary, "--state-dir", filepath.Join(dir, "state"), "--listen", "unix:"+string(health), "--drain", "1s",
				"--access-log", filepath.Join(dir, "access.log"))
			harness.Until(t, "become ready", patience, health.Ready, process.Log)
			write(strings.Replace(refused, "port: 8443", "port: 8444", 1)) // What was never changed has no count of changes.
			// No server is behind it: a call that fails is counted too.
			client := harness.NewClient(t)
			client.Do(harness.Call{Address: "127.92.7.1:8080", Authority: "shop.example.com", Path: "/shop.v1.Cart/Add"})
			var text string
			harness.Until(t, "tell all metrics that are asked for", patience, func() error {
				_, body, err := health.Get("/metrics")
				text = body
				if err != nil {
					return err
				}
				return missing(body, append(alerts(t), panels(t)...))
			}, process.Log)
			var ours bytes.Buffer
			for line := range strings.Lines(text) {
				if strings.Contains(line, "gatewright_") {
					ours.WriteString(line)
				}
			}
			promtool(t, ours.String(), "check", "metrics")
			want := fmt.Sprintf("gatewright_proxy_info{proxy=%q,version=%q} 1\n", p.Name, p.Capabilities.Version.String())
			if !strings.Contains(text, want) {
				t.Errorf("no %s", want)
			}
		})
	}
}

// missing names a metric that rules ask for and nobody tells.
func missing(metrics string, all []rule) error {
	for _, r := range all {
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			if !strings.Contains(metrics, "\n"+name+"{") && !strings.Contains(metrics, "\n"+name+" ") {
				return fmt.Errorf("%s is in %q and not in /metrics", name, r.Expr)
			}
		}
	}
	return nil
}
