package features_test

import (
	"flag"
	"os"
	"testing"

	"github.com/gatewright/gatewright/test/features"
)

var update = flag.Bool("update", false, "rewrite docs/proxies.md")

// TestPage: the page in docs is the one that the capabilities give.
func TestPage(t *testing.T) {
	const file = "../../docs/proxies.md"
	if *update {
		if err := os.WriteFile(file, features.Page(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != string(features.Page()) {
		t.Errorf("%s is stale: run go test ./test/features -update", file)
	}
}
