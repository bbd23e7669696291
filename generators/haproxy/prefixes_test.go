package haproxy_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

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

// TestNestedPrefixesOfTwo: of two routes whose prefixes are too many together, rules of the younger one are refused, whichever
// the alphabet of prefixes comes to last.
func TestNestedPrefixesOfTwo(t *testing.T) {
	for _, test := range []struct{ wide, narrow, prefix string }{{"old", "young", "/p"}, {"young", "old", "/p"}, {"young", "old", "/z"}} {
		w := &world.World{}
		w.Model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw"}}
		var rules []*model.Rule
		add := func(name string, path model.Path, i int) {
			r := w.Rule(model.Match{Path: path, Headers: []model.ValueMatch{{Name: "x-a", Value: fmt.Sprint(i)}}})
			r.Source.Kind, r.Source.Name, r.Source.Created = model.HTTPRoute, name, time.Unix(int64(len(name)), 0)
			rules = append(rules, r)
		}
		for i := range 1000 {
			add(test.wide, model.Path{}, i)
		}
		for i := range 205 {
			add(test.narrow, model.Path{Kind: model.PrefixPath, Value: fmt.Sprintf("%s%03d", test.prefix, i)}, -1)
		}
		add("old", model.Path{Kind: model.PrefixPath, Value: "/q"}, -1)
		w.Listener(model.Listener{Name: "l", Port: 80, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}})
		_, err := haproxy.New(generators.Options{}).Render(w.Model, haproxy.CapabilitiesOf(model.Version{Major: 3}))
		var refused generators.Refusals
		if !errors.As(err, &refused) {
			t.Errorf("wide ones of %s and narrow ones of %s: %v", test.wide, test.narrow, err)
		}
		for _, r := range refused {
			if r.Rule.Name != "young" {
				t.Errorf("wide ones of %s and narrow ones of %s: %s is refused", test.wide, test.narrow, r.Rule)
			}
		}
	}
}
