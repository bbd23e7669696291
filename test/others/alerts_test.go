package others

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// TestAlerts: Prometheus takes the alerts, each has a case of when it fires and when it doesn't, and a section that its annotation leads
// to; and they stand on metrics that there are.
func TestAlerts(t *testing.T) {
	_, _, promtool := programs(t)
	root := harness.Root(t)
	dir := filepath.Join(root, "deploy", "observability")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts.test.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	read := func(name ...string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(append([]string{root}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	all := func(pattern, text string) (out []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	alerts, cases := read("deploy", "observability", "alerts.yaml"), read("deploy", "observability", "alerts.test.yaml")
	names := all(`(?m)^  - alert: (\w+)$`, alerts)
	if sections := all(`(?m)^## (\w+)$`, read("docs", "alerts.md")); len(names) == 0 || !slices.Equal(names, sections) {
		t.Errorf("there are alerts %v and sections %v", names, sections)
	}
	var anchors []string
	for _, name := range names {
		anchors = append(anchors, strings.ToLower(name))
	}
	slices.Sort(anchors)
	if led := all(`docs/alerts\.md#(\w+)`, alerts); !slices.Equal(led, anchors) {
		t.Errorf("annotations lead to %v", led)
	}
	if tried := all(`alertname: (\w+)`, cases); !slices.Equal(tried, slices.Sorted(slices.Values(append(slices.Clone(names), names...)))) {
		t.Errorf("the cases are of %v, want each alert twice", tried)
	}
	page := read("docs", "metrics.md")
	for _, metric := range all(`(gatewright_\w+)`, alerts) {
		if !strings.Contains(page, "| `"+strings.TrimSuffix(metric, "_bucket")+"` |") {
			t.Errorf("there is no metric %s", metric)
		}
	}
}
