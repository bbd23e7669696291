package nginx

import (
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// TestPace: reloads wait for each other where old workers pile up, and where each costs requests of HTTP/1.1.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		piles int
		costs bool
		since time.Duration
		waits bool
	}{
		{0, false, 0, false},
		{freePiles, false, 0, false},
		{freePiles + 1, false, pacePile / 2, true},
		{freePiles + 1, false, pacePile, false},
		{1000, false, paceMax - 1, true},
		{1000, false, paceMax, false},
		{0, true, paceHTTP - 1, true},
		{0, true, paceHTTP, false},
		{1000, true, paceHTTP, true},
	} {
		if got := pace(c.piles, c.costs, c.since); got > 0 != c.waits {
			t.Errorf("%+v: it waits %s", c, got)
		}
	}
	of := func(kind model.RouteKind) model.Gateways {
		rules := []*model.Rule{{Source: model.Source{Kind: kind}}}
		return model.Gateways{Gateways: []model.Gateway{{Listeners: []model.Listener{{}, {Scopes: []model.Scope{{Rules: rules}}}}}}}
	}
	if servesHTTP(of(model.GRPCRoute)) || !servesHTTP(of(model.HTTPRoute)) {
		t.Error("HTTPRoutes aren't told from GRPCRoutes")
	}
}
