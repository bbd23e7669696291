package nginx_test

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
	"github.com/gatewright/gatewright/test/harness"
)

func itoa(n int) string { return strconv.Itoa(n) }

// world is a model under construction, with servers behind it.
type world struct {
	t        *testing.T
	backends *harness.Backends
	address  string
	model    model.Gateways
	rules    int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, backends: harness.NewBackends(t), address: harness.Address(t)}
	w.model.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw", Addresses: []string{w.address}}}
	return w
}

// listener adds a listener.
func (w *world) listener(l model.Listener) {
	g := &w.model.Gateways[0]
	g.Listeners = append(g.Listeners, l)
}

// cluster adds a Service with as many endpoints as given.
func (w *world) cluster(name string, endpoints int) {
	c := model.Cluster{Name: "ns/" + name + ":80", Namespace: "ns", Service: name, Port: 80}
	for i := range endpoints {
		a := w.backends.Address(name, i)
		w.backends.Listen("ns/"+name+":80", a, 8080)
		c.Endpoints = append(c.Endpoints, model.Endpoint{Address: a, Port: 8080})
	}
	w.model.Clusters = append(w.model.Clusters, c)
}

// rule is a rule with one match and some backends; each has the index of its creation as its rule number.
func (w *world) rule(m model.Match, backends ...model.Backend) *model.Rule {
	r := &model.Rule{Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: "route", Rule: w.rules}, Matches: []model.Match{m},
		Backends: backends}
	w.rules++
	return r
}

func to(name string) model.Backend { return model.Backend{Weight: 1, Cluster: "ns/" + name + ":80"} }

func path(service, method string) model.Path {
	return model.Path{Kind: model.ExactPath, Value: "/" + service + "/" + method, Service: service, Method: method}
}

func regex(t *testing.T, text string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) call(p string, md ...string) harness.Call {
	return harness.Call{Address: w.address + ":8080", Authority: "a.example.com", Path: p, Metadata: metadata.Pairs(md...),
		Message: []byte("hello")}
}

func TestCalls(t *testing.T) { eachNginx(t, testCalls) }

func testCalls(t *testing.T, b binary) {
	w := newWorld(t)
	for _, name := range []string{"one", "two", "three"} {
		w.cluster(name, 2)
	}
	w.cluster("empty", 0)
	w.model.Clusters = append(w.model.Clusters, model.Cluster{Name: "dead", Namespace: "ns", Service: "dead", Port: 1,
		Endpoints: []model.Endpoint{{Address: harness.Address(t), Port: 1}}})
	// One of two endpoints refuses.
	w.model.Clusters = append(w.model.Clusters, model.Cluster{Name: "half", Namespace: "ns", Service: "half", Port: 1,
		Endpoints: []model.Endpoint{{Address: harness.Address(t), Port: 1}, w.model.Clusters[0].Endpoints[0]}})
	hostile := "a \"$b\" ${c} $1 ; {} # %[x] \\ \\n ~'*" + "\x80\xff"
	changes := to("one")
	changes.RequestHeaders = []model.HeaderChange{
		{Name: "x-add", Keep: true, Values: []string{"v1", "v2"}},
		{Name: "x-long", Values: []string{strings.Repeat("$", 4096)}},
		{Name: "x-remove"}, {Name: "x-set", Values: []string{hostile[:len(hostile)-2]}}, {Name: "x.!#$%&'*+^_`|~n", Values: []string{"tok"}},
	}
	changes.ResponseHeaders = []model.HeaderChange{
		{Name: "r-add", Keep: true, Values: []string{"v1"}}, {Name: "r-remove"}, {Name: "r-set", Values: []string{"cost $5"}},
	}
	header := func(name, value string) model.Match {
		return model.Match{Path: path("h.H", "M"), Headers: []model.ValueMatch{{Name: name, Value: value}}}
	}
	rules := []*model.Rule{
		w.rule(model.Match{Path: path("a.B", "Get")}, to("one")),
		w.rule(model.Match{Path: path("a.b", "GET")}, to("two")),
		w.rule(model.Match{Path: model.Path{Kind: model.ServicePath, Service: "s.S"}}, to("three")),
		w.rule(model.Match{Path: model.Path{Kind: model.MethodPath, Method: "Only"}}, to("two")),
		w.rule(model.Match{Path: model.Path{Kind: model.SegmentsPath, ServiceRegex: regex(t, `x\..*`)}}, to("one")),
		w.rule(header("x-a", "1"), to("one")),
		w.rule(header("x-b", "2"), to("two")),
		w.rule(header("x-a", "3"), to("three")),
		w.rule(header("x-h", hostile), to("three")),
		w.rule(header("x-l", strings.Repeat("$", 1000)), to("three")),
		w.rule(model.Match{Path: path("h.H", "M"), Headers: []model.ValueMatch{{Name: "x-r", Regex: regex(t, "v[0-9]+")}}}, to("two")),
		w.rule(model.Match{Path: path("h.H", "M"), Headers: []model.ValueMatch{{Name: "x-r",
			Regex: regex(t, "w"+strings.Repeat("(a|b)", 100))}}}, to("three")),
		w.rule(model.Match{Path: path("f.F", "Empty")}, to("empty")),
		w.rule(model.Match{Path: path("f.F", "Dead")}, model.Backend{Weight: 1, Cluster: "dead"}),
		w.rule(model.Match{Path: path("f.F", "Half")}, model.Backend{Weight: 1, Cluster: "half"}),
		w.rule(model.Match{Path: path("f.F", "None")}),
		w.rule(model.Match{Path: path("f.F", "Invalid")},
			model.Backend{Weight: 1, Status: &model.Status{Code: model.Unavailable, Message: "Service ns/é $x 100% is \"gone\""}}),
		w.rule(model.Match{Path: path("c.C", "Changes")}, changes),
		w.rule(model.Match{Path: path("p.P", "a%2Fb//../%")}, to("one")),
	}
	w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{
		{Rules: rules},
		{Hostname: "*.wide.com", Rules: []*model.Rule{w.rule(model.Match{Path: path("a.B", "Get")}, to("three"))}},
		{Hostname: "a.b.wide.com", Rules: []*model.Rule{w.rule(model.Match{Path: path("n.N", "None")}, to("two"))}},
	}})
	start(t, b, w.model)
	client := harness.NewClient(t)

	for _, c := range []struct {
		call   harness.Call
		want   string
		says   string
		extras func(*testing.T, harness.Reply)
	}{
		{call: w.call("/a.B/Get"), want: "ns/one"},
		{call: w.call("/a.b/GET"), want: "ns/two"},
		{call: w.call("/a.B/get"), want: "Unimplemented", says: "no GRPCRoute rule matches"},
		{call: w.call("/s.S/Any"), want: "ns/three"},
		{call: w.call("/any/Only"), want: "ns/two"},
		{call: w.call("/x.y/Z"), want: "ns/one"},
		{call: w.call("/h.H/M", "x-a", "1", "x-b", "2"), want: "ns/one"},
		{call: w.call("/h.H/M", "x-a", "3", "x-b", "2"), want: "ns/two"},
		{call: w.call("/h.H/M", "x-a", "3"), want: "ns/three"},
		{call: w.call("/h.H/M", "x-a", "4"), want: "Unimplemented"},
		{call: w.call("/h.H/M", "x-l", strings.Repeat("$", 1000)), want: "ns/three"},
		{call: w.call("/h.H/M", "x-r", "v12"), want: "ns/two"},
		{call: w.call("/h.H/M", "x-r", "v12x"), want: "Unimplemented"},
		{call: w.call("/h.H/M", "x-r", "w"+strings.Repeat("ab", 50)), want: "ns/three"},
		{call: w.call("/f.F/Empty"), want: "Unavailable", says: "GRPCRoute ns/route rule 12: Service ns/empty port 80 has no ready endpoints"},
		{call: w.call("/f.F/Dead"), want: "Unavailable", says: "GRPCRoute ns/route rule 13: no endpoint of Service ns/dead port 1 took the call"},
		{call: w.call("/f.F/Half"), want: "ns/one"},
		{call: w.call("/f.F/Half"), want: "ns/one"},
		{call: w.call("/f.F/None"), want: "Unimplemented", says: "GRPCRoute ns/route rule 15: the rule has no backendRefs"},
		{call: w.call("/f.F/Invalid"), want: "Unavailable", says: "GRPCRoute ns/route rule 16: Service ns/é $x 100% is \"gone\""},
		{call: w.call("/p.P/a%2Fb//../%"), want: "Internal", says: answers.Unreadable.Message},
		{call: w.call("/c.C/Changes", "x-add", "old", "x-remove", "gone", "x-set", "old", "my_own.key", "kept",
			harness.AskHeader, "r-add=old", harness.AskHeader, "r-remove=gone", harness.AskHeader, "r-set=old"), want: "ns/one",
			extras: func(t *testing.T, r harness.Reply) {
				in := r.Echo.Metadata
				same(t, "x-add", in["x-add"], "old", "v1", "v2")
				same(t, "x-remove", in["x-remove"])
				same(t, "x-set", in["x-set"], hostile[:len(hostile)-2])
				same(t, "x-long", in["x-long"], strings.Repeat("$", 4096))
				same(t, "odd name", in["x.!#$%&'*+^_`|~n"], "tok")
				same(t, "my_own.key", in["my_own.key"], "kept")
				same(t, "r-add", r.Headers["r-add"], "old", "v1")
				same(t, "r-remove", r.Headers["r-remove"])
				same(t, "r-set", r.Headers["r-set"], "cost $5")
				same(t, "authority", []string{r.Echo.Authority}, "a.example.com")
			}},
		{call: w.call("/c.C/Changes", harness.AskStatus, "5:nothing"), want: "NotFound", says: "nothing",
			extras: func(t *testing.T, r harness.Reply) {
				same(t, "r-set of a failed call", append(r.Headers["r-set"], r.Trailers["r-set"]...), "cost $5")
			}},
		{call: host(w.call("/a.B/Get"), "X.Wide.com:1234"), want: "ns/three", extras: func(t *testing.T, r harness.Reply) {
			same(t, "authority", []string{r.Echo.Authority}, "X.Wide.com:1234")
		}},
		{call: host(w.call("/n.N/None"), "a.b.wide.com"), want: "ns/two"},
		{call: host(w.call("/a.B/Get"), "a.b.wide.com"), want: "ns/three"},
		{call: host(w.call("/a.b/GET"), "a.b.wide.com"), want: "ns/two"},
		{call: host(w.call("/a.B/Get"), "wide.com"), want: "ns/one"},
	} {
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
}

func host(c harness.Call, h string) harness.Call {
	c.Authority = h
	return c
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	// A list in one field and in several means the same.
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}

// testStreams proves that streams, large messages and trailers pass through named locations.
func testStreams(t *testing.T, client *harness.Client, w *world) {
	t.Helper()
	large := bytes.Repeat([]byte("0123456789abcdef"), 256<<10)
	call := w.call("/a.B/Get?q=1", harness.AskMode, harness.ModeSame, harness.AskTrailer, "x-trailer=end")
	call.Message = large
	r := client.Do(call)
	if r.Code != codes.OK || !bytes.Equal(r.Body, large) || strings.Join(r.Trailers["x-trailer"], "") != "end" {
		t.Fatalf("4 MiB: %v %q, %d bytes, trailers %v", r.Code, r.Message, len(r.Body), r.Trailers)
	}
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			if err := pingPong(client, w.call("/a.B/Get", harness.AskMode, harness.ModeSame), i); err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
		})
	}
	group.Wait()
}

func pingPong(client *harness.Client, call harness.Call, n int) error {
	s, err := client.Stream(call)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range 20 {
		want := fmt.Sprintf("%d.%d", n, i)
		if err := s.Send([]byte(want)); err != nil {
			return err
		}
		got, err := s.Receive()
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if _, err := s.Receive(); err != io.EOF {
		return fmt.Errorf("the end of the stream: %v", err)
	}
	return nil
}

func TestWeights(t *testing.T) { eachNginx(t, testWeights) }

func testWeights(t *testing.T, b binary) {
	w := newWorld(t)
	w.cluster("one", 1)
	w.cluster("two", 3)
	gone := model.Backend{Weight: 30, Status: &model.Status{Code: model.Unavailable, Message: "gone"}}
	one, two := to("one"), to("two")
	one.Weight, two.Weight = 60, 10
	w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{
		w.rule(model.Match{Path: path("w.W", "A")}, one, two, gone),
		w.rule(model.Match{Path: path("w.W", "B")}, two, one, gone),
	}}}})
	start(t, b, w.model)
	client := harness.NewClient(t)
	const n = 2000
	counts := map[string]int{}
	for range n {
		counts[client.Do(w.call("/w.W/A")).Backend()]++
	}
	for name, want := range map[string]float64{"ns/one": .6, "ns/two": .1, "Unavailable": .3} {
		// Five standard deviations of a share of n calls are less than 0.06.
		if got := float64(counts[name]) / n; got < want-.06 || got > want+.06 {
			t.Errorf("%s got %.3f of the calls, want %.1f", name, got, want)
		}
	}
}

func TestQuietStream(t *testing.T) {
	// What nginx would cut a stream by is in settings.conf; here a short one shows that headers come at once.
	eachNginx(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("one", 1)
		w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP,
			Scopes: []model.Scope{{Rules: []*model.Rule{w.rule(model.Match{}, to("one"))}}}})
		start(t, b, w.model)
		call := w.call("/q.Q/Quiet", harness.AskMode, harness.ModeQuiet)
		call.Timeout = 10 * time.Second
		s, err := harness.NewClient(t).Stream(call)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Header(); err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if e, err := s.ReceiveEcho(); err != nil || e.Backend != "ns/one:80" {
			t.Fatalf("got %+v, %v", e, err)
		}
	})
}
