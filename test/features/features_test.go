package features_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/features"
)

var update = flag.Bool("update", false, "rewrite docs/proxies.md")

// TestPage: the page in docs is the one that the capabilities and the translation give, and has every
// requirement.
func TestPage(t *testing.T) {
	const file = "../../docs/proxies.md"
	page := string(features.Page(t))
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Errorf("%s is stale: run go test ./test/features -update", file)
	}
	for n := range 34 {
		if !strings.Contains(page, fmt.Sprintf("\n| R%d |", n+1)) {
			t.Errorf("the page has no row for R%d", n+1)
		}
	}
}
