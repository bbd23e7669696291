package e2e

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// TestHeaderFilters is R19.
func TestHeaderFilters(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "filters.yaml"), services("rule", "backend", "plain", "hostile")), harness.Options{})
		t.Run("rule", func(t *testing.T) {
			r := s.Client.Do(call{
				listener: "gw/http", authority: "any.example.com:80", path: "/f.Rule/Get",
				headers: []string{
					"x-set: old", "x-add: have", "x-remove: gone", "x-other: stays", "x_under: stays too",
					"ask-header: y-set=old", "ask-header: y-add=have", "ask-header: y-remove=gone", "ask-header: y-other=stays",
				},
			}.at(t, s))
			if r.Backend() != "rule" {
				t.Fatalf("%s answers: %s", r.Backend(), r.Message)
			}
			wantHeader(t, r.Echo.Metadata, "x-set", "new")
			wantHeader(t, r.Echo.Metadata, "x-fresh", "made")
			wantHeader(t, r.Echo.Metadata, "x-add", "have", "more")
			wantHeader(t, r.Echo.Metadata, "x-added", "alone")
			wantHeader(t, r.Echo.Metadata, "x-remove")
			wantHeader(t, r.Echo.Metadata, "x-other", "stays")
			wantHeader(t, r.Echo.Metadata, "x_under", "stays too")
			wantHeader(t, r.Headers, "y-set", "new")
			wantHeader(t, r.Headers, "y-fresh", "made")
			wantHeader(t, r.Headers, "y-add", "have", "more")
			wantHeader(t, r.Headers, "y-added", "alone")
			wantHeader(t, r.Headers, "y-remove")
			wantHeader(t, r.Headers, "y-other", "stays")
			// HAProxy leaves the scheme's own port out, as RFC 9110 allows.
			if strings.TrimSuffix(r.Echo.Authority, ":80") != "any.example.com" {
				t.Errorf("the backend saw the authority %q", r.Echo.Authority)
			}
		})
		t.Run("response of a failed call", func(t *testing.T) {
			r := s.Client.Do(call{
				listener: "gw/http", authority: "any.example.com", path: "/f.Rule/Get",
				headers: []string{"ask-status: 5:none", "ask-header: y-set=old", "ask-header: y-remove=gone"},
			}.at(t, s))
			if r.Code != codes.NotFound {
				t.Fatalf("got %s %s", r.Code, r.Message)
			}
			wantHeader(t, r.Headers, "y-set", "new")
			wantHeader(t, r.Headers, "y-remove")
		})
		t.Run("backend", func(t *testing.T) {
			seen := map[string]bool{}
			for range 100 {
				r := s.Client.Do(call{
					listener: "gw/http", authority: "any.example.com", path: "/f.Backend/Get", headers: []string{"x-remove: gone"},
				}.at(t, s))
				seen[r.Backend()] = true
				wantHeader(t, r.Echo.Metadata, "x-rule", "1")
				switch r.Backend() {
				case "backend":
					wantHeader(t, r.Echo.Metadata, "x-both", "backend")
					wantHeader(t, r.Echo.Metadata, "x-backend", "1")
					wantHeader(t, r.Echo.Metadata, "x-remove")
					wantHeader(t, r.Headers, "y-backend", "1")
				case "plain":
					wantHeader(t, r.Echo.Metadata, "x-both", "rule")
					wantHeader(t, r.Echo.Metadata, "x-backend")
					wantHeader(t, r.Echo.Metadata, "x-remove", "gone")
					wantHeader(t, r.Headers, "y-backend")
				default:
					t.Fatalf("%s answers: %s", r.Backend(), r.Message)
				}
			}
			if len(seen) != 2 {
				t.Errorf("100 calls went to %v only", seen)
			}
		})
		t.Run("hostile values", func(t *testing.T) {
			r := s.Client.Do(call{listener: "gw/http", authority: "any.example.com", path: "/f.Hostile/Get"}.at(t, s))
			for name, want := range map[string]string{
				"dollar": "cost $5 ${host} $host $1", "quotes": `"a" 'b' \ \n \`, "syntax": "; } { # %[src] %s `id` $(id)",
			} {
				wantHeader(t, r.Echo.Metadata, "x-"+name, want)
				wantHeader(t, r.Headers, "y-"+name, want)
			}
		})
	})
}
