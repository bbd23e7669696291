package endpoints_test

import (
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/test/harness"
)

// TestResets is R41: a client whose calls the endpoints reset takes none of them from others, and one that is dead is
// left all the same, of endpoints that nginx was told of.
func TestResets(t *testing.T) {
	each(t, func(s *stand) {
		place := func() model.Endpoint { return model.Endpoint{Address: harness.Address(t), Port: port} }
		one, two, dead := place(), place(), place()
		raw := harness.StartRawServer(t, func(r *harness.RawStream) {
			if r.Request.Get("x-reset") != "" {
				r.Reset(http2.ErrCodeProtocol)
				return
			}
			r.OK(nil)
		}, text(one), text(two))
		for i, list := range [][]model.Endpoint{{one, two}, {one, two, dead}, {one}} {
			want := apply.Updated
			if i == 0 {
				want = apply.Reloaded
			}
			s.apply(s.config(list), want)
			s.until("/s0/M", func(r harness.Reply) bool { return r.Code == codes.OK })
			before, calls := len(raw.Requests()), 0
			for range 20 {
				for range 5 {
					calls++
					client := harness.DialRaw(t, s.call("/s0/M").Address)
					client.Call(harness.RawRequest("a.b", "/s0/M", "x-reset", "1"), nil)
					client.Close()
				}
				calls++
				if r := harness.NewClient(t).Do(s.call("/s0/M")); r.Code != codes.OK {
					t.Fatalf("with %v: %s %s", list, r.Code, r.Message)
				}
			}
			if n := len(raw.Requests()) - before; n != calls {
				t.Errorf("with %v: %d calls came to the endpoints as %d", list, calls, n)
			}
		}
	})
}
