package generators_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// walking says what TestWalk makes up.
type walking struct {
	// seeds is how many configurations, and calls how many calls at each.
	seeds uint64
	calls int
	// matched are values of headers in rules, and sent those in calls.
	matched, sent []string
	// ends are put behind paths, and paths are others; nil for none.
	ends, paths []string
	// lines sends several lines of a header.
	lines bool
}

// TestWalk makes random calls at random rules, each version of a proxy at rules of its own: the proxy decides each call as
// matching.Walk does.
func TestWalk(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		version := uint64(p.Capabilities.Version.Minor)
		for seed := range s.walk.seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { s.walk.test(t, p, rand.New(rand.NewPCG(seed, version))) })
		}
	})
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (k walking) match(t *testing.T, r *rand.Rand) model.Match {
	services, methods := []string{"a.B", "a.b", "c.D"}, []string{"Get", "get", "Put"}
	regex := func(texts ...string) model.ValueMatch {
		return model.ValueMatch{Regex: world.Regex(t, pick(r, texts...))}
	}
	var m model.Match
	switch s, me := pick(r, services...), pick(r, methods...); r.IntN(7) {
	case 0, 1:
		m.Path = world.Path(s, me)
	case 2:
		m.Path = model.Path{Kind: model.ServicePath, Service: s}
	case 3:
		m.Path = model.Path{Kind: model.MethodPath, Method: me}
	case 4:
		m.Path = model.Path{Kind: model.SegmentsPath, ServiceRegex: regex(`a\..`, `.*`, `[ac].D?B?`).Regex,
			MethodRegex: regex("G.*", "(?i)get", "P.t").Regex}
	case 5:
		m.Path = model.Path{Kind: model.SegmentsPath, MethodRegex: regex("G.*", "(?i)put").Regex}
	}
	for _, name := range []string{"x-a", "x-b", "x-c"} {
		switch r.IntN(6) {
		case 0, 1:
			m.Headers = append(m.Headers, model.ValueMatch{Name: name, Value: pick(r, k.matched...)})
		case 2:
			h := regex("[0-9]", ".*", "^1$", `\$(a|b)`, `.*\b2`)
			h.Name = name
			m.Headers = append(m.Headers, h)
		}
	}
	return m
}

// scopes are random rules that put their number into a header.
func (k walking) scopes(t *testing.T, w *world.World, r *rand.Rand) []model.Scope {
	var scopes []model.Scope
	for _, hostname := range []string{"", "*.com", "*.x.com", "a.x.com", "b.org"} {
		s := model.Scope{Hostname: hostname}
		for range 1 + r.IntN(25) {
			backend := world.To("one")
			backend.RequestHeaders = []model.HeaderChange{{Name: "x-rule", Values: []string{strconv.Itoa(w.Rules)}}}
			rule := w.Rule(k.match(t, r), backend)
			if r.IntN(3) == 0 {
				rule.Matches = append(rule.Matches, k.match(t, r))
			}
			s.Rules = append(s.Rules, rule)
		}
		scopes = append(scopes, s)
	}
	return scopes
}

// call is a random call, and the same in the model's words.
func (k walking) call(w *world.World, r *rand.Rand) (harness.Call, model.Call) {
	c := w.Call("/" + pick(r, "a.B", "a.b", "c.D", "e.E") + "/" + pick(r, "Get", "get", "Put", "Else"))
	if len(k.ends) > 0 {
		c.Path += pick(r, k.ends...)
	}
	if len(k.paths) > 0 && r.IntN(20) == 0 {
		c.Path = pick(r, k.paths...)
	}
	c.Authority = pick(r, "a.x.com", "A.X.COM:1", "q.x.com", "y.com", "b.org", "other.net")
	c.Metadata = metadata.MD{}
	for _, name := range []string{"x-a", "x-b", "x-c"} {
		switch {
		case k.lines:
			for r.IntN(2) > 0 {
				c.Metadata.Append(name, pick(r, k.sent...))
			}
		case r.IntN(3) > 0:
			c.Metadata.Set(name, pick(r, k.sent...))
		}
	}
	call := model.Call{Authority: c.Authority, Path: c.Path, Method: "POST"}
	for name, values := range c.Metadata {
		for _, v := range values {
			call.Headers = append(call.Headers, model.Header{Name: name, Value: v})
		}
	}
	return c, call
}

func (k walking) test(t *testing.T, p harness.Proxy, r *rand.Rand) {
	w := world.New(t)
	w.Cluster("one", 1)
	w.Serve(k.scopes(t, w, r)...)
	w.Start(p)
	tables := matching.Compile(w.Model)
	client := harness.NewClient(t)
	served := 0
	for range k.calls {
		c, call := k.call(w, r)
		want := "none"
		if trace := tables.Walk(call); trace.Rule != nil {
			want = strconv.Itoa(trace.Rule.Source.Rule)
			served++
		}
		reply, got := client.Do(c), "none"
		if rules := reply.Echo.Metadata["x-rule"]; len(rules) == 1 {
			got = rules[0]
		}
		if got != want {
			t.Fatalf("%+v: %s takes rule %s (%s %s), want %s", call, p, got, reply.Backend(), reply.Message, want)
		}
	}
	if served < 100 {
		t.Errorf("only %d of the calls had a rule", served)
	}
}
