package matching_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/matching/reference"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

// world makes small models whose rules often compete, and calls that come near them.
type world struct{ *rand.Rand }

func (w world) pick(from ...string) string { return from[w.IntN(len(from))] }

func (w world) hostname() string {
	return w.pick("", "*.com", "*.example.com", "a.example.com", "*.b.example.com", "x.b.example.com", "example.com", "other.test")
}

func (w world) regex(from ...string) *pattern.Pattern {
	p, err := pattern.Parse(w.pick(from...))
	if err != nil {
		panic(err)
	}
	return p
}

func (w world) match(kind model.RouteKind) model.Match {
	var m model.Match
	if kind == model.GRPCRoute {
		service, method := w.pick("foo.Bar", "foo.bar", "x"), w.pick("Get", "get", "List")
		switch w.IntN(6) {
		case 0, 1:
			m.Path = model.Path{Kind: model.ExactPath, Value: "/" + service + "/" + method, Service: service, Method: method}
		case 2:
			m.Path = model.Path{Kind: model.ServicePath, Service: service}
		case 3:
			m.Path = model.Path{Kind: model.MethodPath, Method: method}
		case 4:
			m.Path.Kind = model.SegmentsPath
			n := w.IntN(3)
			if n != 0 {
				m.Path.ServiceRegex = w.regex("foo\\..*", "[a-z.]+", ".*", "(?i)FOO.bar")
			}
			if n != 1 {
				m.Path.MethodRegex = w.regex("G.*", ".*", "(get|Get)")
			}
		}
	} else {
		switch w.IntN(4) {
		case 0:
			m.Path = model.Path{Kind: model.ExactPath, Value: w.pick("/", "/foo.Bar", "/foo.Bar/Get", "/x/List/")}
		case 1:
			m.Path = model.Path{Kind: model.PrefixPath, Value: w.pick("", "/foo.Bar", "/x", "/x/List", "/foo.Bar/Get")}
		case 2:
			m.Path = model.Path{Kind: model.RegexPath, Regex: w.regex("/foo.*", "/[^/]+", ".*t")}
		}
		m.Method = w.pick("", "", "GET", "POST")
		if w.IntN(4) == 0 {
			m.Query = []model.ValueMatch{{Name: "q", Value: w.pick("1", "2")}}
		}
	}
	for _, name := range []string{"x-a", "x-b"} {
		switch w.IntN(6) {
		case 0:
			m.Headers = append(m.Headers, model.ValueMatch{Name: name, Value: w.pick("1", "2", "a, b")})
		case 1:
			m.Headers = append(m.Headers, model.ValueMatch{Name: name, Regex: w.regex("[12]", ".*", "a.*")})
		}
	}
	return m
}

func (w world) model() model.Gateways {
	// Most models have one kind; in the others, routes of both may share a host.
	kinds := w.pick("GRPCRoute", "HTTPRoute", "both")
	var routes [][]*model.Rule
	var hostnames [][]string
	for i := range 1 + w.IntN(8) {
		kind := model.RouteKind(kinds)
		if kinds == "both" {
			kind = model.RouteKind(w.pick("GRPCRoute", "HTTPRoute"))
		}
		source := model.Source{Kind: kind, Namespace: w.pick("a", "a-b"), Name: fmt.Sprintf("r%d", i)}
		if w.IntN(3) > 0 {
			source.Created = time.Unix(int64(w.IntN(3)), 0)
		}
		var rules []*model.Rule
		for j := range 1 + w.IntN(4) {
			source.Rule = j
			rule := &model.Rule{Source: source, Status: &model.Status{Code: model.Unavailable}}
			for range 1 + w.IntN(3) {
				rule.Matches = append(rule.Matches, w.match(kind))
			}
			rules = append(rules, rule)
		}
		routes = append(routes, rules)
		names := []string{}
		for range w.IntN(3) {
			names = append(names, w.hostname())
		}
		names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
		if len(names) == 0 {
			names = []string{""}
		}
		slices.Sort(names)
		hostnames = append(hostnames, slices.Compact(names))
	}
	g := model.Gateway{Namespace: "ns", Name: "gw"}
	used := map[string]bool{}
	for i := range 1 + w.IntN(5) {
		l := model.Listener{Name: fmt.Sprintf("l%d", i), Port: int32(80 + w.IntN(2)), Hostname: w.hostname()}
		l.Protocol = model.HTTP
		if l.Port == 81 {
			l.Protocol, l.KeyPairs = model.HTTPS, []string{"k"}
		}
		id := fmt.Sprint(l.Port, l.Hostname)
		if used[id] {
			continue
		}
		used[id] = true
		scopes := map[string][]*model.Rule{}
		for r := range routes {
			for _, h := range hostnames[r] {
				if _, ok := model.HostnameIntersection(h, l.Hostname); ok && w.IntN(5) > 0 {
					key := h + " " + string(routes[r][0].Source.Kind)
					scopes[key] = append(scopes[key], routes[r]...)
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(scopes)) {
			h, _, _ := strings.Cut(key, " ")
			l.Scopes = append(l.Scopes, model.Scope{Hostname: h, Rules: scopes[key]})
		}
		g.Listeners = append(g.Listeners, l)
	}
	return model.Gateways{Gateways: []model.Gateway{g}}
}

func (w world) call() model.Call {
	hosts := []string{"a.example.com", "A.Example.com:8080", "x.b.example.com", "y.x.b.example.com", "b.example.com", "example.com",
		"other.test.", "z.com", "nowhere"}
	c := model.Call{
		Port: int32(80 + w.IntN(2)), Authority: w.pick(hosts...), Method: w.pick("GET", "POST"),
		Path: w.pick("/foo.Bar/Get", "/foo.bar/get", "/x/List", "/x/List/", "/x/", "/x", "/", "/foo.Bar/Get/more", "//Get", "/FOO.BAR/G",
			"/x/../foo.Bar", "/x/%2e%2E/", "/%66oo.Bar/Get", "/x%2FList", "/x/List%0A", "*", "", "/x/List%7E", "/x/.;/List", "/x\\List",
			"/x/%zz", "/x%") +
			w.pick("", "", "?q=1", "?q=%31", "?q=2&q=1", "?q&q=1", "?Q=1&q=2", "?%71=1&q=2", "?q=1%0A", "?a?q=1", "?a;q=1&q=2", "?q=%zz"),
	}
	if w.IntN(2) == 0 {
		c.Headers = append(c.Headers, model.Header{Name: "Content-Type", Value: w.pick("application/grpc", "Application/gRPC+proto", "text/plain", "")})
	}
	c.SNI = c.Host()
	if w.IntN(4) == 0 {
		c.SNI = (model.Call{Authority: w.pick(hosts...)}).Host()
	}
	for _, name := range []string{"x-a", "X-B", "x-a"} {
		if w.IntN(3) == 0 {
			c.Headers = append(c.Headers, model.Header{Name: name, Value: w.pick("1", "2", "a", "b", "a, b", "")})
		}
	}
	return c
}

// TestWalkAgreesWithReference: tables decide as the plain reading of the rules does (R5 to R13).
func TestWalkAgreesWithReference(t *testing.T) {
	matched := 0
	for seed := range uint64(1500) {
		w := world{rand.New(rand.NewPCG(seed, 1))}
		m := w.model()
		tables := matching.Compile(m)
		for range 60 {
			call := w.call()
			got, want := tables.Walk(call), reference.Evaluate(m, call)
			verdict := reference.Verdict{
				NoPort:      got.Port == nil,
				Handshake:   got.Port != nil && got.Port.Protocol == model.HTTPS && got.Handshake == nil,
				Misdirected: got.Misdirected, Ambiguous: got.Ambiguous, Rule: got.Rule, Match: got.Match,
			}
			if !verdict.NoPort && !verdict.Handshake && !verdict.Misdirected {
				verdict.HTTP = got.Kind == model.HTTPRoute
			}
			if verdict != want {
				t.Fatalf("seed %d, call %+v:\n tables    %s\n reference %s", seed, call, describe(verdict), describe(want))
			}
			if got.Rule != nil {
				matched++
				if why := matching.Miss(&got.Rule.Matches[got.Match], call); why != "" {
					t.Fatalf("seed %d, call %+v: Miss says %q of the winner", seed, call, why)
				}
			}
			checkMisses(t, m, call)
		}
	}
	if matched < 10000 {
		t.Errorf("only %d calls found a rule: the calls don't come near the rules", matched)
	}
}

// checkMisses: Miss finds a reason exactly where a match, alone in the world, doesn't match.
func checkMisses(t *testing.T, m model.Gateways, call model.Call) {
	t.Helper()
	rule := m.Gateways[0].Listeners[0].Scopes
	if len(rule) == 0 {
		return
	}
	match := rule[0].Rules[0].Matches[0]
	alone := &model.Rule{Source: rule[0].Rules[0].Source, Matches: []model.Match{match}}
	world := model.Gateways{Gateways: []model.Gateway{{Listeners: []model.Listener{
		{Port: call.Port, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{alone}}}},
	}}}}
	if matching.Compile(world).Walk(call).Ambiguous {
		return
	}
	matches := reference.Evaluate(world, call).Rule != nil
	if why := matching.Miss(&match, call); (why == "") != matches {
		t.Fatalf("call %+v, match %+v: matches %t, and Miss says %q", call, match, matches, why)
	}
}

func describe(v reference.Verdict) string {
	if v.Rule == nil {
		return fmt.Sprintf("%+v", v)
	}
	return fmt.Sprintf("%s match %d %+v", v.Rule.Source, v.Match, v.Rule.Matches[v.Match])
}

// TestCompileIgnoresOrder: the tables depend on what is in the model, not on the order of rules in a scope.
func TestCompileIgnoresOrder(t *testing.T) {
	for seed := range uint64(100) {
		m := world{rand.New(rand.NewPCG(seed, 2))}.model()
		want := matching.Compile(m)
		shuffle := rand.New(rand.NewPCG(seed, 3))
		for _, l := range m.Gateways[0].Listeners {
			for _, s := range l.Scopes {
				shuffle.Shuffle(len(s.Rules), func(i, j int) { s.Rules[i], s.Rules[j] = s.Rules[j], s.Rules[i] })
			}
		}
		if got := matching.Compile(m); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: other tables for another order", seed)
		}
	}
}

// TestTablesHoldWhatTheySay: what generators rely on without looking again.
func TestTablesHoldWhatTheySay(t *testing.T) {
	for seed := range uint64(200) {
		tables := matching.Compile(world{rand.New(rand.NewPCG(seed, 4))}.model())
		for i, s := range tables.Scopes {
			if s.Parent >= i {
				t.Fatalf("seed %d: scope %d stands before its parent %d", seed, i, s.Parent)
			}
			if s.Parent >= 0 && tables.Scopes[s.Parent].Level <= s.Level {
				t.Fatalf("seed %d: scope %d of level %d has a parent of level %d", seed, i, s.Level, tables.Scopes[s.Parent].Level)
			}
			for _, stage := range s.Stages {
				if len(stage.Entries) == 0 {
					t.Fatalf("seed %d: scope %d has an empty stage", seed, i)
				}
				if !slices.IsSortedFunc(stage.Entries, func(a, b matching.Entry) int { return strings.Compare(a.Value, b.Value) }) {
					t.Fatalf("seed %d: scope %d: entries of stage %q are not sorted", seed, i, stage.Key)
				}
				for _, e := range stage.Entries {
					for n, c := range e.Candidates {
						if len(c.Conditions) == 0 && n < len(e.Candidates)-1 {
							t.Fatalf("seed %d: scope %d, %q: a candidate stands behind one without conditions", seed, i, e.Value)
						}
					}
				}
			}
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		m := many(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				matching.Compile(m)
			}
		})
	}
}

// many is n rules on one listener: half of them for a header, half without conditions.
func many(n int) model.Gateways {
	l := model.Listener{Name: "l", Port: 80, Protocol: model.HTTP}
	scope := model.Scope{}
	for i := range n {
		service, method := fmt.Sprintf("org.team%d.v1.Service%d", i%97, i/20), fmt.Sprintf("Method%d", i/2%10)
		match := model.Match{Path: model.Path{Kind: model.ExactPath, Value: "/" + service + "/" + method, Service: service, Method: method}}
		if i%2 == 0 {
			match.Headers = []model.ValueMatch{{Name: "x-env", Value: "canary"}}
		}
		scope.Rules = append(scope.Rules, &model.Rule{
			Source:  model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: fmt.Sprintf("route-%05d", i/16), Rule: i % 16},
			Matches: []model.Match{match}, Status: &model.Status{Code: model.Unavailable},
		})
	}
	l.Scopes = []model.Scope{scope}
	return model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "gw", Listeners: []model.Listener{l}}}}
}
