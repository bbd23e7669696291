package e2e

import (
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// TestHostnames is R5, R6 and R7.
func TestHostnames(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "hostnames.yaml"),
			services("everywhere", "wide", "b", "narrow", "by-port", "never")), harness.Options{})
		check(t, s, []call{
			{listener: "gw/all", authority: "example.com", path: "/s.A/Get", want: "everywhere"},
			{listener: "gw/all", authority: "elsewhere.org", path: "/s.A/Get", want: "everywhere"},
			{listener: "gw/all", authority: "w.elsewhere.org", path: "/s.A/Get", want: "everywhere"},
			{listener: "gw/all", authority: "xexample.com", path: "/s.A/Get", want: "everywhere"},
			{listener: "gw/all", authority: "127.0.0.1:80", path: "/s.A/Get", want: "everywhere"},
			{listener: "gw/all", authority: "w.example.com", path: "/s.A/Get", want: "wide"},
			{listener: "gw/all", authority: "W.EXAMPLE.COM:1234", path: "/s.A/Get", want: "wide"},
			{listener: "gw/all", authority: "v.w.example.com", path: "/s.A/Get", want: "wide"},
			// A host with no rule of its own for the call goes on to the wider hostname of its listener.
			{listener: "gw/all", authority: "b.example.com", path: "/s.B/Get", want: "b"},
			{listener: "gw/all", authority: "b.example.com", path: "/s.A/Get", want: "wide"},
			// But never to a wider listener.
			{listener: "gw/all", authority: "a.example.com", path: "/s.Narrow/Get", want: "wide"},
			{listener: "gw/all", authority: "q.a.example.com", path: "/s.Narrow/Get", want: "narrow"},
			{listener: "gw/all", authority: "r.q.a.example.com", path: "/s.Narrow/Get", want: "narrow"},
			{listener: "gw/all", authority: "q.a.example.com", path: "/s.A/Get", want: "Unimplemented"},
			{listener: "gw/all", authority: "x.a.example.com", path: "/s.Narrow/Get", want: "Unimplemented"},
			{listener: "gw/other-port", authority: "w.example.com", path: "/s.A/Get", want: "by-port"},
			{listener: "gw/other-port", authority: "example.com", path: "/s.A/Get", want: "Unimplemented"},
		})
		wantCondition(t, s, "GRPCRoute", "default/no-host-in-common", "Accepted", "NoMatchingListenerHostname", "y.a.example.com")
	})
}

// TestMatches is R8 to R13.
func TestMatches(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "matches.yaml"),
			services("method", "service", "both", "regex-service", "regex-both", "regex-method", "one-header", "two-headers", "either",
				"older", "younger", "more-headers", "first-rule", "second-rule", "later-name", "wide-long", "wide-rest", "narrow", "exact-hop",
				"any-hop")), harness.Options{})
		var calls []call
		for _, row := range []struct {
			host, path string
			headers    []string
			want       string
		}{
			{"shapes", "/s.A/Get", nil, "both"},
			{"shapes", "/s.A/get", nil, "service"},
			{"shapes", "/s.A/Get/more", nil, "service"},
			{"shapes", "/s.A/", nil, "service"},
			{"shapes", "/s.a/Get", nil, "method"},
			{"shapes", "/any/Get", nil, "method"},
			{"shapes", "//Get", nil, "Unimplemented"},
			{"shapes", "/any/Get/", nil, "Unimplemented"},
			{"shapes", "/any/more/Get", nil, "Unimplemented"},
			{"shapes", "/s.B/Put", nil, "regex-service"},
			{"shapes", "/s.B/Get", nil, "regex-service"},
			{"shapes", "/s.B/List", nil, "regex-both"},
			{"shapes", "/s.E/List", nil, "regex-method"},
			{"shapes", "/s.E/Lists", nil, "Unimplemented"},
			{"shapes", "/s.E/list", nil, "Unimplemented"},
			{"shapes", "/xs.B/Put", nil, "Unimplemented"},
			{"shapes", "/s.Bx/Put", nil, "Unimplemented"},

			{"headers", "/s.A/Get", []string{"x-env: canary"}, "one-header"},
			{"headers", "/s.A/Get", []string{"X-ENV: canary"}, "one-header"},
			{"headers", "/s.A/Get", []string{"x-env: Canary"}, "Unimplemented"},
			{"headers", "/s.A/Get", []string{"x-env: ignored"}, "Unimplemented"},
			{"headers", "/s.A/Get", []string{"x-env: canary2"}, "Unimplemented"},
			{"headers", "/s.A/Get", []string{"x-env: canary", "tier: gold, silver"}, "two-headers"},
			{"headers", "/s.A/Get", []string{"x-env: canary", "tier: gold"}, "one-header"},
			{"headers", "/s.A/Get", []string{"tier: gold, silver"}, "Unimplemented"},
			{"headers", "/s.A/Get", []string{"version: v12"}, "either"},
			{"headers", "/s.A/Get", []string{"version: xv12"}, "Unimplemented"},
			{"headers", "/s.A/Get", []string{"version: v12x"}, "Unimplemented"},
			{"headers", "/s.A/Get", []string{"version: V12"}, "Unimplemented"},
			{"headers", "/s.A/Get", []string{"magic: foo"}, "either"},
			{"headers", "/s.A/Get", nil, "Unimplemented"},

			{"age", "/s.Tied/Get", nil, "older"},
			{"age", "/s.Tied/Get", []string{"k: v"}, "more-headers"},
			{"age", "/s.Same/Get", nil, "first-rule"},

			{"x.fall", "/s.A/Get", []string{"k: v"}, "narrow"},
			{"x.fall", "/s.A/Get", nil, "wide-rest"},
			{"x.fall", "/s.Everything.Under.A.Long.Name/Get", []string{"k: v"}, "narrow"},
			{"x.fall", "/s.Everything.Under.A.Long.Name/Get", nil, "wide-long"},
			{"y.fall", "/s.A/Get", []string{"k: v"}, "wide-rest"},
			{"fall", "/s.A/Get", []string{"k: v"}, "Unimplemented"},

			// What the proxy itself adds to the header is nothing that the client has sent.
			{"hops", "/s.A/Get", []string{"cdn-loop: elsewhere"}, "exact-hop"},
			{"hops", "/s.A/Get", []string{"cdn-loop: another"}, "any-hop"},
			{"hops", "/s.A/Get", nil, "Unimplemented"},
		} {
			calls = append(calls, call{listener: "gw/http", authority: row.host + ".example.com", path: row.path, headers: row.headers,
				want: row.want})
		}
		check(t, s, calls)
	})
}

// TestNoRuleSaysSo is R13 and R18: the status reaches a gRPC client with a message that it can read.
func TestNoRuleSaysSo(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml")), harness.Options{})
		r := s.Client.Do(call{listener: "gw/http", authority: "any.example.com", path: "/s.A/Get"}.at(t, s))
		if r.Backend() != "Unimplemented" || r.Message == "" {
			t.Errorf("got %s %q, want Unimplemented with a message", r.Backend(), r.Message)
		}
	})
}
