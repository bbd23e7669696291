package controller

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gatewright/gatewright/generators/model"
)

// served is a model with a listener, a rule of each route, and Services with an endpoint.
func served(routes, services []string) model.Gateways {
	scope := model.Scope{}
	for _, r := range routes {
		scope.Rules = append(scope.Rules, &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: r}})
	}
	m := model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "gw",
		Listeners: []model.Listener{{Name: "web", Scopes: []model.Scope{scope}}}}}}
	for _, s := range services {
		m.Clusters = append(m.Clusters, model.Cluster{Namespace: "ns", Service: s, Port: 1, Endpoints: []model.Endpoint{{}}})
	}
	return m
}

// TestGuard: less than before is admitted of the same cluster only, also by a program that has been started again.
func TestGuard(t *testing.T) {
	const same, other = types.UID("a"), types.UID("b")
	full, less := served([]string{"r", "s"}, []string{"x"}), served([]string{"r"}, []string{"x"})
	unasked := func() (types.UID, error) { t.Error("nothing is gone, and the API server was asked"); return same, nil }
	is := func(id types.UID) func() (types.UID, error) { return func() (types.UID, error) { return id, nil } }
	for _, restart := range []bool{false, true} {
		for _, c := range []struct {
			name   string
			from   types.UID
			next   model.Gateways
			ask    func() (types.UID, error)
			accept bool
			want   string
		}{
			{"a route is deleted", same, less, is(same), false, ""},
			{"nothing changes", same, full, unasked, false, ""},
			{"another cluster has all of it", other, full, unasked, false, ""},
			{"another cluster has less", other, less, is(other), false,
				`GRPCRoute ns/s rule 0 on listener "web" of Gateway ns/gw is gone, and so is the Namespace kube-system`},
			{"the last endpoint is gone with the cluster", other, served([]string{"r", "s"}, nil), is(other), false,
				"the last endpoint of Service ns/x port 1 is gone, and so"},
			{"another cluster is meant", other, less, unasked, true, ""},
			{"it was replaced while it was read", same, less, is(other), false, errOtherCluster.Error()},
			{"it doesn't answer", same, less, func() (types.UID, error) { return "", errors.New("no route") }, false,
				"can't be asked whether it still has its data: no route"},
		} {
			g := newGuard()
			if err := g.admit(same, full, unasked); err != nil {
				t.Fatal(err)
			}
			if restart {
				data, err := g.recollect()
				if err != nil {
					t.Fatal(err)
				}
				g = newGuard()
				if err := g.recall(data); err != nil {
					t.Fatal(err)
				}
			}
			if c.accept {
				g.forget()
			}
			err := g.admit(c.from, c.next, c.ask)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s, started again %t: %v, want %q", c.name, restart, err, c.want)
			}
		}
	}
}

// TestRecallNothing: a guard that can't read what it knew admits whatever comes.
func TestRecallNothing(t *testing.T) {
	g := newGuard()
	if data, err := g.recollect(); data != nil || err != nil {
		t.Errorf("it remembers %q (%v) before anything was served", data, err)
	}
	if err := g.recall([]byte("{\"cluster\": \"a\", ")); err == nil {
		t.Error("half a file is taken for a whole one")
	}
	if err := g.admit("b", served(nil, nil), func() (types.UID, error) { return "b", nil }); err != nil {
		t.Error(err)
	}
}
