package haproxy_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
)

// TestNestedPrefixes: prefixes with conditions repeat those of shorter ones. So many that they would fill memory are refused by
// name, and the others are served.
func TestNestedPrefixes(t *testing.T) {
	for _, test := range []struct{ wide, narrow, refused int }{{300, 600, 0}, {1000, 210, 10}} {
		w := &world.World{}
		w.Model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw"}}
		var rules []*model.Rule
		add := func(path model.Path, i int) {
			r := w.Rule(model.Match{Path: path, Headers: []model.ValueMatch{{Name: "x-a", Value: fmt.Sprint(i)}}})
			r.Source.Kind = model.HTTPRoute
			rules = append(rules, r)
		}
		for i := range test.wide {
			add(model.Path{}, i)
		}
		for i := range test.narrow {
			add(model.Path{Kind: model.PrefixPath, Value: fmt.Sprintf("/p%03d", i)}, -1)
		}
		w.Listener(model.Listener{Name: "l", Port: 80, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}})
		_, err := haproxy.New(generators.Options{}).Render(w.Model, haproxy.CapabilitiesOf(model.Version{Major: 3}))
		var refused generators.Refusals
		if errors.As(err, &refused); len(refused) != test.refused || err != nil && refused == nil {
			t.Errorf("%d narrow rules beside %d: %d are refused, want %d: %v", test.narrow, test.wide, len(refused), test.refused, err)
		}
	}
}
