package http1

import (
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestTrailers has no trailer say how a message is framed, or where it goes.
func TestTrailers(t *testing.T) {
	c := &Conn{o: Options{Client: true}}
	c.wake.L = &c.mu
	s := &Stream{conn: c}
	s.SendHeaders([]hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":path", Value: "/"}, {Name: ":authority", Value: "e"}}, false)
	s.SendHeaders([]hpack.HeaderField{{Name: "a", Value: "1"}, {Name: "content-length", Value: "9"}, {Name: "host", Value: "f"}, {Name: "te", Value: "x"}}, true)
	want := "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: 1\r\n\r\n"
	if string(c.out) != want {
		t.Errorf("got %q, want %q", c.out, want)
	}
}
