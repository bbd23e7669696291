package hostile

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/test/harness"
)

var legalRoutes = flag.Uint64("hostile.routes", 80, "how many legal routes of sizes near the API's largest to try")

// perModel is how many of them are served together.
const perModel = 20

// TestLegalRoutes takes routes as the API allows them, with sizes near its largest: all that a proxy can't be told is
// refused by translation, in the status of the route that asks for it, and a plain route beside them is always served.
func TestLegalRoutes(t *testing.T) {
	proxies := harness.Newest(harness.Proxies(t))
	for from := *first; from < *first+*legalRoutes; from += perModel {
		t.Run(fmt.Sprintf("from %d", from), func(t *testing.T) {
			t.Parallel()
			r := runner{proxies: proxies, dir: harness.TempDir(t), reader: resources.NewReader()}
			s, err := r.load(largeRoutes(from, perModel))
			if err != nil {
				t.Fatal(err)
			}
			if r.refused > 0 {
				t.Errorf("the CRDs refuse %d of %d objects, the last: %s", r.refused, r.loaded, r.last)
			}
			for _, p := range proxies {
				if f := r.runLegal(p, s); f != nil {
					t.Errorf("%s: %s", f.what, f.text)
				}
			}
		})
	}
}

func (r *runner) runLegal(p harness.Proxy, s *resources.Snapshot) *failure {
	result := translate.Translate(s, p.Capabilities, translate.Options{})
	if f := checkStatuses(s, result); f != nil {
		return f
	}
	g := p.Generator(generators.Options{Marker: r.dir + "/marker"})
	files, served, leftOut, err := apply.Render(g.Render, result.Gateways, p.Capabilities)
	if err != nil {
		return &failure{"render " + p.Name, err.Error()}
	}
	for _, c := range leftOut {
		return &failure{"left out by " + p.Name, fmt.Sprintf("%d parts, which translation should have refused: %s: %.500s", len(leftOut),
			c.Part, c.Message)}
	}
	if servedRules(served)["GRPCRoute default/plain"][0] == nil {
		return &failure{"plain", "the plain route isn't served"}
	}
	return r.ask(p, files)
}

// largeRoutes are a Gateway, a plain route and n large ones.
func largeRoutes(seed uint64, n int) []object {
	m := &maker{random: newRandom(seed), names: map[string]bool{}}
	m.wild = 0
	all := object{"namespaces": object{"from": "All"}}
	m.add(gatewayAPI, "Gateway", "default", "gw", object{"spec": object{
		"gatewayClassName": "gatewright", "addresses": []any{object{"type": "IPAddress", "value": "127.77.0.9"}},
		"listeners": []any{
			object{"name": "all", "port": 18080, "protocol": "HTTP", "allowedRoutes": all},
			object{"name": "wild", "port": 18080, "protocol": "HTTP", "hostname": "*.example.com", "allowedRoutes": all},
		},
	}})
	parents := []any{object{"name": "gw", "namespace": "default"}}
	for _, namespace := range namespaces {
		for _, name := range serviceNames {
			m.service(namespace, name)
		}
	}
	plain := object{"matches": []any{object{"method": object{"service": "plain.Service"}}},
		"backendRefs": []any{object{"name": "s", "port": 80}}}
	m.add(gatewayAPI, "GRPCRoute", "default", "plain", object{"spec": object{"parentRefs": parents, "rules": []any{plain}}})
	for i := range n {
		m.largeRoute(fmt.Sprintf("r%d-%s", i, strings.Repeat("n", 1+m.IntN(240))), pick(m.random, shapes), parents)
	}
	return m.list
}

// most are how large the parts of a large route are: a route that is large in all of them is none, for an object has a
// megabyte at most.
type most struct{ rules, matches, headers, name, value, filters, backends, hosts int }

var shapes = []most{
	{16, 128, 2, 30, 20, 1, 1, 2}, {2, 6, 16, 256, 20, 1, 2, 1}, {1, 64, 16, 256, 10, 0, 1, 1}, {2, 2, 16, 40, 4096, 1, 1, 1},
	{1, 1, 16, 256, 4096, 1, 1, 1}, {16, 16, 1, 20, 60, 16, 16, 1}, {4, 8, 4, 250, 900, 2, 4, 16}, {3, 128, 16, 20, 100, 1, 1, 1},
	{1, 64, 1, 5, 8, 0, 1, 16},
}

// upTo is often the most, and else anything below it.
func (m *maker) upTo(most int) int {
	if m.chance(50) {
		return most
	}
	return m.IntN(most + 1)
}

func (m *maker) largeRoute(name string, s most, parents []any) {
	spec := object{"parentRefs": parents}
	var hosts []any
	for range m.upTo(s.hosts) {
		hosts = append(hosts, m.hostname())
	}
	if len(hosts) > 0 && m.chance(70) {
		spec["hostnames"] = hosts
	}
	var rules []any
	left := s.matches
	for range 1 + m.upTo(s.rules-1) {
		rule := object{}
		var matches []any
		for range min(left, 64, m.upTo(s.matches)) {
			matches = append(matches, m.largeMatch(s))
		}
		if left -= len(matches); len(matches) > 0 {
			rule["matches"] = matches
		}
		if s.filters > 0 && m.chance(70) {
			rule["filters"] = m.largeFilters(s)
		}
		var backends []any
		for range m.upTo(s.backends) {
			backends = append(backends, object{"name": pick(m.random, serviceNames), "port": 80, "weight": m.IntN(1000001)})
		}
		if len(backends) > 0 {
			rule["backendRefs"] = backends
		}
		rules = append(rules, rule)
	}
	spec["rules"] = rules
	m.add(gatewayAPI, "GRPCRoute", pick(m.random, namespaces), name, object{"spec": spec})
}

func (m *maker) largeMatch(s most) object {
	match := object{}
	if m.chance(50) {
		match["method"] = m.method()
	}
	var headers []any
	seen := map[string]bool{}
	for range m.upTo(s.headers) {
		name := m.text("abcdefghijklmnopqrstuvwxyz0123456789-", s.name)
		if m.chance(20) {
			name = fmt.Sprintf("x-%d", m.IntN(9)) // One that others have too.
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		h := object{"name": name, "value": m.text(pick(m.random, []string{"vV", "abc %$\"{};\\'", printable(), " x"}), s.value)}
		if m.chance(30) {
			h["type"] = "RegularExpression"
			if h["value"] = m.text("ab.x", s.value); m.chance(50) {
				h["value"] = m.expression(max(41, s.value))
			}
		}
		headers = append(headers, h)
	}
	if len(headers) > 0 {
		match["headers"] = headers
	}
	return match
}

func (m *maker) largeFilters(s most) []any {
	var list []any
	for _, kind := range []string{"Request", "Response"} {
		var set, add, remove []any
		for i := range m.upTo(min(16, s.filters)) {
			set = append(set, object{"name": fmt.Sprintf("x-set-%d", i), "value": m.setValue()})
			add = append(add, object{"name": fmt.Sprintf("x-add-%d", i), "value": "a" + m.text("b$%\"", min(s.value, 4094)) + "c"})
			remove = append(remove, fmt.Sprintf("x-remove-%d", i))
		}
		if len(set) > 0 {
			list = append(list, object{"type": kind + "HeaderModifier",
				strings.ToLower(kind) + "HeaderModifier": object{"set": set, "add": add, "remove": remove}})
		}
	}
	return list
}

// text is up to so many of some characters, at least one.
func (m *maker) text(of string, most int) string {
	b := make([]byte, 1+m.upTo(most-1))
	for i := range b {
		b[i] = of[m.IntN(len(of))]
	}
	return string(b)
}

// crowds are matches of many tenants that all stand at one place: no path tells them apart, so whatever is worked out for
// one beside the others shows. Each is of a route and a match.
var crowds = map[string]func(route, match int) []model.ValueMatch{
	"names of their own": func(r, m int) []model.ValueMatch {
		return []model.ValueMatch{{Name: fmt.Sprintf("x-%d-%d", r, m), Value: "v"}, {Name: "x-all", Value: "v"}}
	},
	"values of their own": func(r, m int) []model.ValueMatch {
		return []model.ValueMatch{{Name: "x-all", Value: fmt.Sprintf("v-%d-%d", r, m)}}
	},
	"expressions for names of their own": func(r, m int) []model.ValueMatch {
		return []model.ValueMatch{{Name: fmt.Sprintf("x-%d-%d", r, m), Regex: anyDigits}, {Name: "x-all", Value: "v"}}
	},
}

var anyDigits, _ = pattern.Parse("[0-9]+")

// TestLinear: four times as many matches of other tenants at the same place take about four times as much memory to work
// out, and not sixteen times.
func TestLinear(t *testing.T) {
	const few, many, atMost = 10, 40, 6
	for _, p := range harness.Newest(harness.Proxies(t)) {
		for name, headers := range crowds {
			t.Run(p.String()+" "+name, func(t *testing.T) {
				took := map[int]uint64{}
				for _, n := range []int{few, many} {
					m := crowd(n, headers)
					took[n] = allocatedBy(func() {
						if _, err := p.Generator(generators.Options{}).Render(m, p.Capabilities); err != nil {
							t.Fatal(err)
						}
					})
				}
				ratio := float64(took[many]) / float64(took[few])
				t.Logf("%d routes take %d kB, %d take %d kB: %.1f times", few, took[few]>>10, many, took[many]>>10, ratio)
				if ratio > atMost {
					t.Errorf("%d routes take %.1f times of what %d take", many, ratio, few)
				}
			})
		}
	}
}

// crowd is n routes of 128 matches for any path.
func crowd(n int, headers func(route, match int) []model.ValueMatch) model.Gateways {
	var rules []*model.Rule
	for i := range n {
		r := &model.Rule{
			Source: model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: fmt.Sprint("r", i)},
			Status: &model.Status{Code: model.Unavailable, Message: "one of many"},
		}
		for j := range 128 {
			r.Matches = append(r.Matches, model.Match{Headers: headers(i, j)})
		}
		rules = append(rules, r)
	}
	return model.Gateways{Gateways: []model.Gateway{{Namespace: "ns", Name: "gw", Addresses: []string{"127.77.0.9"},
		Listeners: []model.Listener{
			{Name: "l", Port: 18080, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}}}}}}
}

func allocatedBy(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestCaseVariants: very many values that differ by case only, of one tenant, are no reason for nginx to refuse anybody.
func TestCaseVariants(t *testing.T) {
	const variants = 1500
	m := crowd(0, nil)
	rules := &m.Gateways[0].Listeners[0].Scopes[0].Rules
	for i := range variants {
		value := []byte("abcdefghijkl")
		for bit := range value {
			if i>>bit&1 == 1 {
				value[bit] -= 'a' - 'A'
			}
		}
		*rules = append(*rules, &model.Rule{
			Source:  model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: fmt.Sprint("r", i)},
			Matches: []model.Match{{Headers: []model.ValueMatch{{Name: "x-a", Value: string(value)}}}},
			Status:  &model.Status{Code: model.Unavailable, Message: "variant"},
		})
	}
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			r := runner{dir: harness.TempDir(t)}
			files, _, leftOut, err := apply.Render(p.Generator(generators.Options{}).Render, m, p.Capabilities)
			if err != nil || len(leftOut) > 0 {
				t.Fatalf("%v, %+.500v", err, leftOut)
			}
			if f := r.ask(p, files); f != nil {
				t.Errorf("%s: %s", f.what, f.text)
			}
		})
	}
}
