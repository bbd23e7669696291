package hostile

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/test/harness"
)

// TestRefusing is R18: an endpoint that refuses connections and is alone is UNAVAILABLE at once, for every call, and a
// Service of which one endpoint refuses is served by the other one.
func TestRefusing(t *testing.T) {
	manifests := strings.Join([]string{
		liveGateway, harness.Service("default", "sole", 50051), harness.Service("default", "half", 50051),
		rule("sole", "", "", "s.Sole", "", "sole"), rule("half", "", "", "s.Half", "", "half"),
	}, "---\n")
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{
				Endpoints: map[string][]bool{"default/sole": {false}, "default/half": {false, true}},
			})
			h := s.Call("gw/http")
			h.Authority, h.Path = "a.example.com", "/s.Sole/Get"
			// The fastest of a few: this machine may be busy, HAProxy's pauses before it tries again are whole seconds.
			fastest := time.Hour
			for range 3 {
				before := time.Now()
				r := s.Client.Do(h)
				fastest = min(fastest, time.Since(before))
				if want := answers.NotTaken("GRPCRoute default/sole rule 0", "Service default/sole port 50051"); r.Code != codes.Unavailable ||
					r.Message != want {
					t.Errorf("%s %q, want Unavailable %q", r.Code, r.Message, want)
				}
			}
			if fastest > 300*time.Millisecond {
				t.Errorf("the fastest of three calls fails after %s", fastest)
			}
			h.Path = "/s.Half/Get"
			// HAProxy from 3.1 on leaves an endpoint at the second call that it refuses.
			failed := 0
			for range 10 {
				if r := s.Client.Do(h); r.Code != codes.OK {
					failed++
				}
			}
			if failed > 2 || failed > 0 && (p.Name == "nginx" || !p.Capabilities.Version.AtLeast(3, 1, 0)) {
				t.Errorf("%d of 10 calls fail though one of two endpoints answers", failed)
			}
		})
	}
}
