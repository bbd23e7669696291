package hostile

import (
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

// legal are names that HTTP allows beside letters, digits and "-".
var legal = []string{"x.y", "x_y", "x!y", "x#y", "x$y", "x%y", "x&y", "x'y", "x*y", "x+y", "x^y", "x`y", "x|y", "x~y"}

// TestSpoiltHeaders is R41: a call with a header that is forbidden gets a gRPC status or a reset, whoever refuses it, and
// takes nothing from calls of others: neither the endpoints nor the connection. Legal names reach the endpoint.
func TestSpoiltHeaders(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := harness.Serve(t, p, harness.Load(t, "", tenants+harness.Service("good", "good", 50051)+"---\n"+harness.Service("bad", "bad",
				50051)),
				harness.Options{Endpoints: map[string][]bool{"good/good": {true, true}}})
			good := s.Call("gw/http")
			good.Authority, good.Path = "a.b", "/good.A/Get"
			traffic := harness.StartTraffic(t, p, good, "good/good", 2, 2)
			for range 10 {
				for _, h := range adversary.Spoilt {
					r := harness.DialRaw(t, good.Address).Call(harness.RawRequest("a.b", good.Path, h.Name, h.Value), nil)
					if problem := strange(r, 200); problem != "" {
						t.Fatalf("%q: %q: %s: %s", h.Name, h.Value, problem, r)
					}
				}
			}
			traffic.End()
			for _, name := range legal {
				r := harness.DialRaw(t, good.Address).Call(harness.RawRequest("a.b", good.Path, name, "v"), nil)
				if r.Status() == "" {
					t.Errorf("%q: %s", name, r)
				}
			}
		})
	}
}

// TestResets is R41: a client whose calls an endpoint resets, one after the other, takes no endpoint from others.
func TestResets(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			one, two := at(t), at(t)
			harness.StartRawServer(t, func(r *harness.RawStream) {
				if r.Request.Get("x-reset") != "" {
					r.Reset(http2.ErrCodeProtocol)
					return
				}
				r.OK(nil)
			}, one, two)
			s := serveTenants(t, p, one, two)
			call := s.Call("gw/http")
			call.Authority, call.Path = "a.b", "/bad.A/Get"
			failed, over := map[string]int{}, make(chan struct{})
			var resets sync.WaitGroup
			for range 8 {
				resets.Go(func() {
					for {
						select {
						case <-over:
							return
						default:
							harness.DialRaw(t, call.Address).Call(harness.RawRequest("a.b", call.Path, "x-reset", "1"), nil)
						}
					}
				})
			}
			for range 300 {
				if r := s.Client.Do(call); r.Code != codes.OK {
					failed[r.Code.String()+" "+r.Message]++
				}
			}
			close(over)
			resets.Wait()
			if len(failed) > 0 {
				t.Errorf("calls of others failed: %v", failed)
			}
		})
	}
}
