package bridge

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// TestGoneActions: what the proxy's old workers still ask for goes on for a while, and goes to the endpoints that there are now.
func TestGoneActions(t *testing.T) {
	first, second := serve(t, echo), serve(t, echo)
	b := start(t, with(t, Action{}, refusing(t)))
	next := with(t, Action{Source: "another"}, first.address)
	next.Actions = map[string]Action{"b": next.Actions["a"]}
	b.configure(next)
	if _, err := unary(background(t), b.clientFor("a"), []byte("x")); err != nil {
		t.Errorf("an action that is gone, to an upstream that is there: %v", err)
	}
	next.Upstreams = map[string]Upstream{"v": upstreamOf(t, second.address)}
	next.Actions = map[string]Action{"c": {Upstream: "v"}}
	b.configure(next)
	for _, id := range []string{"a", "b", "c"} {
		if _, err := unary(background(t), b.clientFor(id), []byte("x")); err != nil {
			t.Errorf("action %s: %v", id, err)
		}
	}
}

func TestKeepGone(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	old := &table{config: Config{Actions: map[string]Action{}, Upstreams: map[string]Upstream{"u": {Source: "old"}, "m": {}}},
		gone: map[string]time.Time{"late": now.Add(-goneTime), "soon": now.Add(-goneTime + time.Second)}}
	for _, id := range []string{"late", "soon", "fresh", "stays"} {
		old.config.Actions[id] = Action{Upstream: "u", Mirrors: []string{"m"}}
	}
	c := Config{Actions: map[string]Action{"stays": {Upstream: "u"}}, Upstreams: map[string]Upstream{"u": {Source: "new"}}}
	given := c
	gone := keepGone(&c, old, now)
	if got := slices.Sorted(maps.Keys(c.Actions)); !slices.Equal(got, []string{"fresh", "soon", "stays"}) {
		t.Errorf("actions %v", got)
	}
	if len(given.Actions) != 1 || len(given.Upstreams) != 1 {
		t.Errorf("what was given has changed: %v", given)
	}
	if c.Upstreams["u"].Source != "new" || len(c.Upstreams) != 2 || !gone["fresh"].Equal(now) || gone["soon"].Equal(now) || len(gone) != 2 {
		t.Errorf("upstreams %v, gone %v", c.Upstreams, gone)
	}
	if err := check(c); err != nil {
		t.Error(err)
	}
	for i := range goneMost + 10 {
		old.config.Actions[fmt.Sprint(i)] = Action{Upstream: "u"}
	}
	c = given
	if gone := keepGone(&c, old, now); len(gone) != goneMost || gone["soon"].Equal(now) {
		t.Errorf("%d are kept", len(gone))
	}
}

func TestRarely(t *testing.T) {
	n := 0
	do := rarely(time.Hour, func() { n++ })
	do()
	do()
	if n != 1 {
		t.Errorf("done %d times", n)
	}
}
