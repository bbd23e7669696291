package nginx_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// TestWalk makes random calls at random rules: nginx decides each as matching.Walk does.
func TestWalk(t *testing.T) {
	eachNginx(t, func(t *testing.T, b binary) {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { walk(t, b, rand.New(rand.NewPCG(seed, 1))) })
		}
	})
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomMatch(t *testing.T, r *rand.Rand) model.Match {
	services, methods := []string{"a.B", "a.b", "c.D"}, []string{"Get", "get", "Put"}
	var m model.Match
	switch s, me := pick(r, services...), pick(r, methods...); r.IntN(7) {
	case 0, 1:
		m.Path = path(s, me)
	case 2:
		m.Path = model.Path{Kind: model.ServicePath, Service: s}
	case 3:
		m.Path = model.Path{Kind: model.MethodPath, Method: me}
	case 4:
		m.Path = model.Path{Kind: model.SegmentsPath, ServiceRegex: regex(t, pick(r, `a\..`, `.*`, `[ac].D?B?`)),
			MethodRegex: regex(t, pick(r, "G.*", "(?i)get", "P.t"))}
	case 5:
		m.Path = model.Path{Kind: model.SegmentsPath, MethodRegex: regex(t, pick(r, "G.*", "(?i)put"))}
	}
	for _, name := range []string{"x-a", "x-b", "x-c"} {
		switch r.IntN(6) {
		case 0, 1:
			m.Headers = append(m.Headers, model.ValueMatch{Name: name, Value: pick(r, "1", "2", "$a", "$A", `~"; {`)})
		case 2:
			m.Headers = append(m.Headers, model.ValueMatch{Name: name, Regex: regex(t, pick(r, "[0-9]", ".*", "^1$", `\$(a|b)`, `.*\b2`))})
		}
	}
	return m
}

func walk(t *testing.T, b binary, r *rand.Rand) {
	w := newWorld(t)
	w.cluster("one", 1)
	var scopes []model.Scope
	for _, hostname := range []string{"", "*.com", "*.x.com", "a.x.com", "b.org"} {
		s := model.Scope{Hostname: hostname}
		for range 1 + r.IntN(25) {
			backend := to("one")
			backend.RequestHeaders = []model.HeaderChange{{Name: "x-rule", Values: []string{itoa(w.rules)}}}
			rule := w.rule(randomMatch(t, r), backend)
			if r.IntN(3) == 0 {
				rule.Matches = append(rule.Matches, randomMatch(t, r))
			}
			s.Rules = append(s.Rules, rule)
		}
		scopes = append(scopes, s)
	}
	w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: scopes})
	start(t, b, w.model)
	tables := matching.Compile(w.model)
	client := harness.NewClient(t)
	served := 0
	for range 400 {
		c := w.call("/" + pick(r, "a.B", "a.b", "c.D", "e.E") + "/" + pick(r, "Get", "get", "Put", "Else"))
		c.Authority = pick(r, "a.x.com", "A.X.COM:1", "q.x.com", "y.com", "b.org", "other.net")
		c.Metadata = metadata.MD{}
		for _, name := range []string{"x-a", "x-b", "x-c"} {
			if r.IntN(3) > 0 {
				c.Metadata.Set(name, pick(r, "1", "2", "$a", "$A", `~"; {`, "1 2", "9"))
			}
		}
		call := model.Call{Authority: c.Authority, Path: c.Path, Method: "POST"}
		for name, values := range c.Metadata {
			call.Headers = append(call.Headers, model.Header{Name: name, Value: values[0]})
		}
		want := "none"
		if trace := tables.Walk(call); trace.Rule != nil {
			want = itoa(trace.Rule.Source.Rule)
			served++
		}
		reply, got := client.Do(c), "none"
		if rules := reply.Echo.Metadata["x-rule"]; len(rules) == 1 {
			got = rules[0]
		}
		if got != want {
			t.Fatalf("%+v: nginx takes rule %s (%s %s), want %s", call, got, reply.Backend(), reply.Message, want)
		}
	}
	if served < 100 {
		t.Errorf("only %d of the calls had a rule", served)
	}
}
