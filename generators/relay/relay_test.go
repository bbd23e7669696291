package relay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

func rules() []*model.Rule {
	mirrored := &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "r"}, Matches: []model.Match{{}},
		Backends: []model.Backend{{Weight: 1, Cluster: "a", Handling: model.Handling{Mirrors: []model.Mirror{{Cluster: "m", Numerator: 1,
			Denominator: 4}}}}, {Weight: 1, Cluster: "b"}}}
	policy := &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "r", Rule: 1}, Matches: []model.Match{{}},
		Backends: []model.Backend{{Weight: 1, Cluster: "b", Handling: model.Handling{Calls: &model.CallPolicy{Timeout: time.Second,
			Retry: &model.CallRetry{Retries: 2, On: []string{"internal"}, Percent: 5, PerSecond: 6}}}}}}
	return []*model.Rule{mirrored, policy, {Source: model.Source{Name: "plain"}, Backends: []model.Backend{{Weight: 1, Cluster: "c"}}}}
}

// TestOf: calls with a policy have an action, and nothing else has.
func TestOf(t *testing.T) {
	scopes := []model.Scope{{Rules: rules()}}
	listeners := []model.Listener{{Scopes: scopes}, {Scopes: scopes}}
	m := model.Gateways{Gateways: []model.Gateway{{Listeners: listeners}}, Clusters: []model.Cluster{
		{Name: "a", Namespace: "ns", Service: "a", Port: 80, Protocol: model.BackendHTTP1,
			Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: 80}, {Address: "a.example", Port: 80}}},
		{Name: "b"}, {Name: "c"}, {Name: "m", Endpoints: []model.Endpoint{{Address: "2001:db8::1", Port: 1}}}}}
	c := Of(m, "")
	if len(c.Actions) != 2 || len(c.Upstreams) != 3 {
		t.Fatalf("actions %v, upstreams %v", c.Actions, c.Upstreams)
	}
	for _, r := range rules() {
		for _, share := range r.Shares() {
			id := ID(r, &share, nil)
			a, ok := c.Actions[id]
			switch {
			case ok != (id != ""):
				t.Errorf("%s: no action %q", r.Source, id)
			case !ok:
			case a.Upstream != share.Cluster || a.Source != r.Source.String():
				t.Errorf("%s: %+v", r.Source, a)
			case a.Upstream == "a" && !slices.Equal(a.Mirrors, []string{"m"}):
				t.Errorf("mirrors %v", a.Mirrors)
			case a.Upstream == "b" && (a.Timeout != Duration(time.Second) || a.Retry.Retries != 2 || a.Retry.Budget.PerSecond != 6):
				t.Errorf("%+v", a)
			}
		}
	}
	if u := c.Upstreams["a"]; u.Protocol != HTTP1 || len(u.Endpoints) != 1 || u.Source != "Service ns/a port 80" {
		t.Errorf("upstream %+v", u)
	}
	text, err := c.Text()
	if err != nil || !strings.Contains(string(text), `"[2001:db8::1]:1"`) || strings.Contains(string(text), `"tls"`) {
		t.Errorf("%s %v", text, err)
	}
}

// TestID: an id changes with everything that its action says.
func TestID(t *testing.T) {
	seen := map[string]bool{"": true}
	for _, change := range []func(*model.Rule, *model.Backend){
		func(*model.Rule, *model.Backend) {},
		func(r *model.Rule, _ *model.Backend) { r.Source.Rule = 7 },
		func(_ *model.Rule, b *model.Backend) { b.Cluster = "other" },
		func(_ *model.Rule, b *model.Backend) { b.Mirrors = append(b.Mirrors, model.Mirror{Cluster: "n"}) },
		func(_ *model.Rule, b *model.Backend) { b.Calls = &model.CallPolicy{Timeout: time.Second} },
		func(_ *model.Rule, b *model.Backend) { b.Calls = &model.CallPolicy{Timeout: time.Minute} },
	} {
		r := rules()[0]
		change(r, &r.Backends[0])
		id := ID(r, &r.Backends[0], nil)
		if seen[id] || ID(r, &r.Backends[0], nil) != id {
			t.Errorf("the id %q is another one's, or another one the next time", id)
		}
		seen[id] = true
	}
}

func TestDuration(t *testing.T) {
	var d Duration
	for text, good := range map[string]bool{"": true, "300ms": true, "-1s": false, "x": false} {
		if err := d.UnmarshalText([]byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
