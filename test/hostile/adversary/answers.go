package adversary

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http2"

	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// Outcome is how a call must end at its client.
type Outcome int

const (
	// Passes: the client gets what the endpoint said.
	Passes Outcome = iota
	// Large: RESOURCE_EXHAUSTED from nginx, which knows; INTERNAL from HAProxy, which doesn't.
	Large
	// Broken: INTERNAL, or whatever a client makes of a stream that is reset.
	Broken
	// Hangs is Broken, but HAProxy may say nothing until the client's deadline.
	Hangs
	// AsSaid: proxies differ in whether they pass it on; all is well but UNAVAILABLE and silence.
	AsSaid
)

// Answer is one thing that an endpoint may say, and how a call ends then.
type Answer struct {
	Name string
	Want Outcome
	Say  func(*Call)
}

// only is an answer that is a status and nothing else.
func only(message string) func(*Call) {
	return func(c *Call) {
		c.Headers(true, ":status", "200", "content-type", "application/grpc", "grpc-status", "5", "grpc-message", message)
	}
}

// whole is a good answer with more headers.
func whole(more ...string) func(*Call) {
	return func(c *Call) { c.Head(more...); c.Rest() }
}

// headed is an answer that begins with these headers.
func headed(fields ...string) func(*Call) {
	return func(c *Call) { c.Headers(false, fields...); c.Rest() }
}

// many are n headers with values of a size.
func many(n, size int) (fields []string) {
	for i := range n {
		fields = append(fields, fmt.Sprintf("x-%d", i), strings.Repeat("m", size))
	}
	return fields
}

// NoHeaders is the name of the answer that is a message without headers before it.
const NoHeaders = "no headers"

// FullStatus is the name of the answer that fills HAProxy's buffer, the room for what filters set included.
const FullStatus = "a status of 120 kB"

// Answers are sizes around what docs/limits.md promises, and what no server should say.
func Answers() []Answer {
	text := strings.Repeat
	list := []Answer{
		{"one header of 30 kB", Passes, whole("x-large", text("x", 30000))},
		{"one header of 60 kB", Passes, whole("x-large", text("x", 60000))},
		{"one header of 300 kB", Large, whole("x-large", text("x", 300000))},
		{"a status of 30 kB", Passes, only(text("x", 30000))},
		{"a status of 60 kB", Passes, only(text("x", 60000))},
		{FullStatus, Large, only(text("x", 120000))},
		{"a status of 300 kB", Large, only(text("x", 300000))},
		{"150 headers of 200 bytes", Passes, whole(many(150, 193)...)},
		{"300 headers of 200 bytes", Passes, whole(many(300, 193)...)},
		{"1500 headers of 200 bytes", Large, whole(many(1500, 193)...)},
		{"990 headers", Passes, whole(many(990, 1)...)},
		{"trailers of 60 kB", Passes, func(c *Call) { c.Head(); c.Rest("x-large", text("x", 60000)) }},
		{"trailers of 300 kB", AsSaid, func(c *Call) { c.Head(); c.Rest("x-large", text("x", 300000)) }},

		{"a pseudo-header in trailers", AsSaid, func(c *Call) { c.Head(); c.Rest(":status", "200") }},
		{"trailers that don't end the stream", Broken, func(c *Call) { c.Head(); c.Message(); c.Headers(false, "grpc-status", "0") }},
		{"a frame that is too large", Broken, func(c *Call) { c.Head(); _ = c.Framer.WriteData(c.Stream, false, make([]byte, 1<<20)) }},
		{NoHeaders, Broken, func(c *Call) { c.Rest() }},
		{"HPACK of no table", Broken, func(c *Call) { c.Block(false, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}); c.Rest() }},
		{"HPACK that is cut off", Broken, func(c *Call) { c.Block(false, []byte{0x88, 0x40, 0x7f}); c.Rest() }},
		{"a push", Broken, func(c *Call) {
			_ = c.Framer.WritePushPromise(http2.PushPromiseParam{StreamID: c.Stream, PromiseID: 2, BlockFragment: []byte{0x82}, EndHeaders: true})
		}},
		{"HTTP/1.1", Broken, func(c *Call) { _, _ = c.Conn.Write([]byte("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) }},
		{"a closed connection", Broken, (*Call).HangUp},
		{"headers and a closed connection", Broken, func(c *Call) { c.Head(); c.HangUp() }},
		{"GOAWAY", Broken, func(c *Call) { _ = c.Framer.WriteGoAway(0, http2.ErrCodeNo, nil); c.HangUp() }},
		{"a status alone that is malformed", Broken, func(c *Call) { c.Headers(true, ":status", "200", "X-Upper", "v") }},
		{"100 informational answers", AsSaid, func(c *Call) {
			for range 100 {
				c.Headers(false, ":status", "100")
			}
			c.Fine()
		}},
		{"HTTP 204", AsSaid, headed(":status", "204")},
		{"HTTP 101", Hangs, headed(":status", "101", "upgrade", "websocket")},
		{"HTTP 418", AsSaid, func(c *Call) { c.Headers(true, ":status", "418") }},
		{"an empty name", Broken, whole("", "v")},
	}
	for name, fields := range map[string][]string{
		"a status that is no number": {":status", "abc"}, "no status": {"content-type", "application/grpc"}, "status 99": {":status", "99"},
		"status 1000": {":status", "1000"}, "an empty status": {":status", ""}, "two statuses": {":status", "200", ":status", "200"},
		"a late pseudo-header":      {"content-type", "application/grpc", ":status", "200"},
		"a request's pseudo-header": {":status", "200", ":path", "/"},
		"upper case":                {":status", "200", "X-Upper", "v"}, "a space in a name": {":status", "200", "x y", "v"},
		"a newline in a value": {":status", "200", "x-v", "a\r\nx-evil: b"}, "a NUL": {":status", "200", "x-v", "a\x00b"},
		"two lengths": {":status", "200", "content-length", "5", "content-length", "6"},
	} {
		list = append(list, Answer{name, Hangs, headed(fields...)})
	}
	for _, code := range []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeProtocol, http2.ErrCodeInternal, http2.ErrCodeRefusedStream,
		http2.ErrCodeCancel} {
		list = append(list, Answer{"reset, " + code.String(), Broken, func(c *Call) { c.Reset(code) }},
			Answer{"headers and reset, " + code.String(), Broken, func(c *Call) { c.Head(); c.Reset(code) }})
	}
	return list
}

// Bearable are the answers that a version bears: docs/proxies.md has the others among its known faults.
func Bearable(p harness.Proxy) []Answer {
	return slices.DeleteFunc(Answers(), func(a Answer) bool {
		return p.Name == "haproxy" && slices.ContainsFunc(unbearable, func(u unbearableAnswer) bool {
			return u.fault.In(p.Capabilities.Version) && u.is(a)
		})
	})
}

// unbearableAnswer is a kind of answer that ends HAProxy where it has a fault.
type unbearableAnswer struct {
	fault model.Fault
	is    func(Answer) bool
}

var unbearable = []unbearableAnswer{
	{haproxy.MalformedAnswers, func(a Answer) bool { return a.Want == Hangs || a.Name == NoHeaders }},
	{haproxy.FullStatus, func(a Answer) bool { return a.Name == FullStatus }},
}
