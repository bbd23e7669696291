package generators_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// TestHostileValues matches and sets every hostile value, as it is and as a regular expression for itself, with
// a running proxy, all in one configuration.
func TestHostileValues(t *testing.T) {
	eachProxy(t, func(t *testing.T, _ subject, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("one", 1)
		values := world.Values(p.Capabilities.Limits.MatchValue)
		w.Serve(model.Scope{Rules: valueRules(t, w, values)})
		w.Start(p)
		client := harness.NewClient(t)
		for i, v := range values {
			if strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				// grpc-go doesn't send such values; that the proxy reads them is all there is to see.
				continue
			}
			calls := []string{"/h.H/M"}
			if len(v) < 300 {
				calls = append(calls, "/h.H/R")
			}
			for _, path := range calls {
				call := w.Call(path)
				call.Metadata = metadata.MD{"x-v": {v}}
				r := client.Do(call)
				if r.Code != codes.OK {
					t.Errorf("%s %.40q: %v %s", path, v, r.Code, r.Message)
					continue
				}
				world.Same(t, "x-number for "+v, r.Echo.Metadata["x-number"], strconv.Itoa(i))
				world.Same(t, "x-set", r.Echo.Metadata["x-set"], v)
				world.Same(t, "r-set", r.Headers["r-set"], v)
			}
		}
	})
}

// valueRules are rules for values; each puts its value's number, and the value, into headers.
func valueRules(t *testing.T, w *world.World, values []string) []*model.Rule {
	var rules []*model.Rule
	for i, v := range values {
		backend := world.To("one")
		backend.RequestHeaders = []model.HeaderChange{{Name: "x-number", Values: []string{strconv.Itoa(i)}}, {Name: "x-set", Values: []string{v}}}
		backend.ResponseHeaders = []model.HeaderChange{{Name: "r-set", Values: []string{v}}}
		exact := model.ValueMatch{Name: "x-v", Value: v}
		rules = append(rules, w.Rule(model.Match{Path: world.Path("h.H", "M"), Headers: []model.ValueMatch{exact}}, backend))
		if len(v) < 300 && strings.IndexFunc(v, func(r rune) bool { return r > '~' }) < 0 {
			exact.Regex = world.Regex(t, regexp.QuoteMeta(v))
			rules = append(rules, w.Rule(model.Match{Path: world.Path("h.H", "R"), Headers: []model.ValueMatch{exact}}, backend))
		}
	}
	return rules
}
