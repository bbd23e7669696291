package bridge

import (
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestTrailersOfRequest: a client's trailers come to no gRPC server. Those of grpc-go end the connection for them, and with it the calls of
// everybody.
func TestTrailersOfRequest(t *testing.T) {
	s, mirror := serve(t, echo), serve(t, echo)
	c := with(t, Action{Mirrors: []string{"m"}}, s.address)
	c.Upstreams["m"] = upstreamOf(t, mirror.address)
	b := start(t, c)
	other := stream(t, background(t), b.client())
	turn := func() {
		t.Helper()
		var m []byte
		err := other.SendMsg([]byte("m"))
		if err == nil {
			err = other.RecvMsg(&m)
		}
		if err != nil {
			t.Errorf("another client's stream: %v", err)
		}
	}
	turn()
	g := b.open("content-type", typeGRPC, "te", "trailers")
	g.stream.SendData(framed(0, []byte("m")), false, nil)
	g.stream.SendHeaders([]hpack.HeaderField{{Name: "x-end", Value: "1"}}, true)
	if err := g.wait(t); err != nil || g.field("grpc-status") != "0" || string(g.data) != string(framed(0, []byte("m"))) {
		t.Errorf("a call with trailers: %v, %q, %v", err, g.data, g.blocks)
	}
	turn()
	await(t, "the copy", func() bool { return b.count("copies_total", map[string]string{"result": "sent"}) == 1 })
}
