package haproxy_test

import (
	"strconv"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// TestManyNames: HAProxy takes at most 2,047 names in a line of a crt-list.
func TestManyNames(t *testing.T) {
	world.Each(t, "haproxy", func(t *testing.T, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("one", 1)
		w.Pair("wide", "*.example.com")
		var scopes []model.Scope
		for i := range 3000 {
			scopes = append(scopes, model.Scope{Hostname: "a" + strconv.Itoa(i) + ".deep.example.com",
				Rules: []*model.Rule{w.Rule(model.Match{}, world.To("one"))}})
		}
		w.Listener(model.Listener{Name: "wide", Port: 8443, Protocol: model.HTTPS, Hostname: "*.example.com", KeyPairs: []string{"wide"},
			Scopes: scopes})
		w.Start(p)
	})
}
