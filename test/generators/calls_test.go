package generators_test

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// answered is a call and what becomes of it.
type answered struct {
	call   harness.Call
	want   string
	says   string
	extras func(*testing.T, harness.Reply)
}

const hostile = "a \"$b\" ${c} $1 ; {} # %[x] \\ \\n ~'*"

func TestCalls(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		w := world.New(t)
		for _, name := range []string{"one", "two", "three"} {
			w.Cluster(name, 2)
		}
		w.Cluster("empty", 0)
		w.Refusing("dead")
		w.Refusing("half", w.Model.Clusters[0].Endpoints[0])
		w.Serve(
			model.Scope{Rules: callRules(t, w)},
			model.Scope{Hostname: "*.wide.com", Rules: []*model.Rule{w.Rule(model.Match{Path: world.Path("a.B", "Get")}, world.To("three"))}},
			model.Scope{Hostname: "a.b.wide.com", Rules: []*model.Rule{w.Rule(model.Match{Path: world.Path("n.N", "None")}, world.To("two"))}},
		)
		w.Start(p)
		client := harness.NewClient(t)
		calls := append(matched(w), failed(w)...)
		calls = append(append(append(calls, s.calls(w)...), changed(w)...), hosts(w)...)
		for _, c := range calls {
			t.Run(c.call.Path, func(t *testing.T) {
				r := client.Do(c.call)
				if r.Backend() != c.want || c.says != "" && r.Message != c.says {
					t.Fatalf("got %s %q, want %s %q", r.Backend(), r.Message, c.want, c.says)
				}
				if c.extras != nil {
					c.extras(t, r)
				}
			})
		}
		testStreams(t, client, w)
	})
}

// callRules are the rules of TestCalls. Messages name them by their places in the list.
func callRules(t *testing.T, w *world.World) []*model.Rule {
	path, to, regex := world.Path, world.To, world.Regex
	headers := func(h model.ValueMatch) model.Match {
		return model.Match{Path: path("h.H", "M"), Headers: []model.ValueMatch{h}}
	}
	header := func(name, value string) model.Match { return headers(model.ValueMatch{Name: name, Value: value}) }
	changes := to("one")
	changes.RequestHeaders = []model.HeaderChange{
		{Name: "x-add", Keep: true, Values: []string{"v1", "v2"}},
		{Name: "x-long", Values: []string{strings.Repeat("$", 4096)}},
		{Name: "x-remove"}, {Name: "x-set", Values: []string{hostile}}, {Name: "x.!#$%&'*+^_`|~n", Values: []string{"tok"}},
	}
	changes.ResponseHeaders = []model.HeaderChange{
		{Name: "r-add", Keep: true, Values: []string{"v1"}}, {Name: "r-remove"}, {Name: "r-set", Values: []string{"cost $5"}},
	}
	return []*model.Rule{
		w.Rule(model.Match{Path: path("a.B", "Get")}, to("one")),
		w.Rule(model.Match{Path: path("a.b", "GET")}, to("two")),
		w.Rule(model.Match{Path: model.Path{Kind: model.ServicePath, Service: "s.S"}}, to("three")),
		w.Rule(model.Match{Path: model.Path{Kind: model.MethodPath, Method: "Only"}}, to("two")),
		w.Rule(model.Match{Path: model.Path{Kind: model.SegmentsPath, ServiceRegex: regex(t, `x\..*`)}}, to("one")),
		w.Rule(header("x-a", "1"), to("one")),
		w.Rule(header("x-b", "2"), to("two")),
		w.Rule(header("x-a", "3"), to("three")),
		w.Rule(header("x-h", hostile+"\x80\xff"), to("three")),
		w.Rule(header("x-l", strings.Repeat("$", 1000)), to("three")),
		w.Rule(headers(model.ValueMatch{Name: "x-r", Regex: regex(t, "v[0-9]+")}), to("two")),
		w.Rule(headers(model.ValueMatch{Name: "x-r", Regex: regex(t, "w"+strings.Repeat("(a|b)", 100))}), to("three")),
		w.Rule(model.Match{Path: path("f.F", "Empty")}, to("empty")),
		w.Rule(header("x-j", "1, 2, 3"), to("two")),
		w.Rule(model.Match{Path: path("f.F", "Dead")}, model.Backend{Weight: 1, Cluster: "dead"}),
		w.Rule(model.Match{Path: path("f.F", "Half")}, model.Backend{Weight: 1, Cluster: "half"}),
		w.Rule(model.Match{Path: path("f.F", "Other")}, to("one")),
		w.Rule(model.Match{Path: path("f.F", "None")}),
		w.Rule(model.Match{Path: path("f.F", "Invalid")},
			model.Backend{Weight: 1, Status: &model.Status{Code: model.Unavailable, Message: "Service ns/é $x 100% is \"gone\""}}),
		w.Rule(model.Match{Path: path("c.C", "Changes")}, changes),
		w.Rule(model.Match{Path: path("p.P", "a%2Fb//../%")}, to("one")),
	}
}

// matched are calls that a path or headers decide.
func matched(w *world.World) []answered {
	return []answered{
		{call: w.Call("/a.B/Get"), want: "ns/one"},
		{call: w.Call("/a.b/GET"), want: "ns/two"},
		{call: w.Call("/a.B/get"), want: "Unimplemented", says: "no GRPCRoute rule matches"},
		{call: w.Call("/s.S/Any"), want: "ns/three"},
		{call: w.Call("/any/Only"), want: "ns/two"},
		{call: w.Call("/x.y/Z"), want: "ns/one"},
		{call: w.Call("/h.H/M", "x-a", "1", "x-b", "2"), want: "ns/one"},
		{call: w.Call("/h.H/M", "x-a", "3", "x-b", "2"), want: "ns/two"},
		{call: w.Call("/h.H/M", "x-a", "3"), want: "ns/three"},
		{call: w.Call("/h.H/M", "x-a", "4"), want: "Unimplemented"},
		{call: w.Call("/h.H/M", "x-l", strings.Repeat("$", 1000)), want: "ns/three"},
		{call: w.Call("/h.H/M", "x-r", "v12"), want: "ns/two"},
		{call: w.Call("/h.H/M", "x-r", "v12x"), want: "Unimplemented"},
		{call: w.Call("/h.H/M", "x-r", "w"+strings.Repeat("ab", 50)), want: "ns/three"},
	}
}

// failed are calls that no endpoint gets.
func failed(w *world.World) []answered {
	return []answered{
		{call: w.Call("/f.F/Empty"), want: "Unavailable", says: "GRPCRoute ns/route rule 12: Service ns/empty port 80 has no ready endpoints"},
		{call: w.Call("/f.F/Dead"), want: "Unavailable", says: "GRPCRoute ns/route rule 14: no endpoint of Service ns/dead port 1 took the call"},
		{call: w.Call("/f.F/None"), want: "Unimplemented", says: "GRPCRoute ns/route rule 17: the rule has no backendRefs"},
		{call: w.Call("/f.F/Invalid"), want: "Unavailable", says: "GRPCRoute ns/route rule 18: Service ns/é $x 100% is \"gone\""},
	}
}

// changed are calls whose headers are changed.
func changed(w *world.World) []answered {
	return []answered{
		{call: w.Call("/c.C/Changes", "x-add", "old", "x-remove", "gone", "x-set", "old", "my_own.key", "kept",
			harness.AskHeader, "r-add=old", harness.AskHeader, "r-remove=gone", harness.AskHeader, "r-set=old"), want: "ns/one",
			extras: func(t *testing.T, r harness.Reply) {
				in := r.Echo.Metadata
				world.Same(t, "x-add", in["x-add"], "old", "v1", "v2")
				world.Same(t, "x-remove", in["x-remove"])
				world.Same(t, "x-set", in["x-set"], hostile)
				world.Same(t, "x-long", in["x-long"], strings.Repeat("$", 4096))
				world.Same(t, "odd name", in["x.!#$%&'*+^_`|~n"], "tok")
				world.Same(t, "my_own.key", in["my_own.key"], "kept")
				world.Same(t, "r-add", r.Headers["r-add"], "old", "v1")
				world.Same(t, "r-remove", r.Headers["r-remove"])
				world.Same(t, "r-set", r.Headers["r-set"], "cost $5")
				world.Same(t, "authority", []string{r.Echo.Authority}, "a.example.com")
			}},
		{call: w.Call("/c.C/Changes", harness.AskStatus, "5:nothing"), want: "NotFound", says: "nothing",
			extras: func(t *testing.T, r harness.Reply) {
				world.Same(t, "r-set of a failed call", append(r.Headers["r-set"], r.Trailers["r-set"]...), "cost $5")
			}},
	}
}

// hosts are calls that the host decides.
func hosts(w *world.World) []answered {
	return []answered{
		{call: world.Host(w.Call("/a.B/Get"), "X.Wide.com:1234"), want: "ns/three", extras: func(t *testing.T, r harness.Reply) {
			world.Same(t, "authority", []string{r.Echo.Authority}, "X.Wide.com:1234")
		}},
		{call: world.Host(w.Call("/n.N/None"), "a.b.wide.com"), want: "ns/two"},
		{call: world.Host(w.Call("/a.B/Get"), "a.b.wide.com"), want: "ns/three"},
		{call: world.Host(w.Call("/a.b/GET"), "a.b.wide.com"), want: "ns/two"},
		{call: world.Host(w.Call("/a.B/Get"), "wide.com"), want: "ns/one"},
	}
}
