package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMetricsTold: docs/metrics.md has a line for each metric that the code registers, and for no other.
func TestMetricsTold(t *testing.T) {
	registered := regexp.MustCompile(`"(gatewright_[a-z_]+[a-z])"`)
	ofBridge := regexp.MustCompile(`\b(?:counter|vector|gauge)\("([a-z_]+)"`)
	var have []string
	for _, root := range []string{"../runtime", "../controller"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range registered.FindAllSubmatch(text, -1) {
				have = append(have, string(m[1]))
			}
			if strings.Contains(string(text), `metricPrefix = "gatewright_bridge_"`) {
				for _, m := range ofBridge.FindAllSubmatch(text, -1) {
					have = append(have, "gatewright_bridge_"+string(m[1]))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(gatewright_[a-z_]+)` \\|").FindAllSubmatch(page, -1) {
		told = append(told, string(m[1]))
	}
	slices.Sort(have)
	slices.Sort(told)
	if have = slices.Compact(have); !slices.Equal(have, told) {
		t.Errorf("the code has\n%s\nand the page\n%s", strings.Join(have, "\n"), strings.Join(told, "\n"))
	}
}
