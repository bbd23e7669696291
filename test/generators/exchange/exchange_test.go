package exchange

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/exchange"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestNothingIsLost: from the decoded model both generators write the same bytes as from the model.
func TestNothingIsLost(t *testing.T) {
	options := generators.Options{Bridge: "/run/bridge.sock"}
	for name, kind := range map[string]struct {
		generator generators.Generator
		caps      model.Capabilities
	}{
		"nginx":   {nginx.New(options), nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3})},
		"haproxy": {haproxy.New(options), haproxy.CapabilitiesOf(model.Version{Major: 3, Minor: 2, Patch: 0})},
	} {
		for i, m := range model.Examples(true) {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				// Whether a running proxy knows a cluster is nothing that files are written from.
				for j := range m.Clusters {
					m.Clusters[j].Unlearnt = false
				}
				data, err := exchange.Encode(m, kind.caps)
				if err != nil {
					t.Fatal(err)
				}
				decoded, caps, err := exchange.Decode(data)
				if err != nil {
					t.Fatal(err)
				}
				want, err := kind.generator.Render(m, kind.caps)
				if err != nil {
					t.Fatal(err)
				}
				got, err := kind.generator.Render(decoded, caps)
				if err != nil {
					t.Fatal(err)
				}
				if len(want) == 0 || !reflect.DeepEqual(got, want) {
					t.Errorf("%d files differ from %d that the model gives", len(got), len(want))
				}
				again, err := exchange.Encode(decoded, caps)
				if err != nil || !bytes.Equal(again, data) {
					t.Errorf("encoded again it differs (%v)", err)
				}
			})
		}
	}
}

// TestContract: the names of the protocol stay as they are.
func TestContract(t *testing.T) {
	m := model.Examples(true)[4]
	// One scope of the deeply nested ones is enough to see.
	for i := range m.Gateways {
		for j := range m.Gateways[i].Listeners {
			if l := &m.Gateways[i].Listeners[j]; len(l.Scopes) > 2 {
				l.Scopes = l.Scopes[:2]
			}
		}
	}
	data, err := exchange.Encode(m, haproxy.CapabilitiesOf(model.Version{Major: 3, Minor: 2, Patch: 0}))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, data, "", " "); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/request.json", append(text.Bytes(), '\n'))
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is wanted: go test ./test/generators/exchange -update", path)
	}
}
