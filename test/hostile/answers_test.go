package hostile

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// outcome is how a call must end at its client.
type outcome int

const (
	// passes: the client gets what the endpoint said.
	passes outcome = iota
	// large: RESOURCE_EXHAUSTED from nginx, which knows; INTERNAL from HAProxy, which doesn't.
	large
	// broken: INTERNAL, or whatever a client makes of a stream that is reset.
	broken
	// hangs is broken, but HAProxy may say nothing until the client's deadline.
	hangs
	// asSaid: proxies differ in whether they pass it on; all is well but UNAVAILABLE and silence.
	asSaid
)

// answering is one thing that an endpoint may say, and how a call ends then.
type answering struct {
	name string
	want outcome
	say  func(*Answer)
}

// only is an answer that is a status and nothing else.
func only(message string) func(*Answer) {
	return func(a *Answer) {
		a.headers(true, ":status", "200", "content-type", "application/grpc", "grpc-status", "5", "grpc-message", message)
	}
}

// whole is a good answer with more headers.
func whole(more ...string) func(*Answer) {
	return func(a *Answer) { a.head(more...); a.rest() }
}

// headed is an answer that begins with these headers.
func headed(fields ...string) func(*Answer) {
	return func(a *Answer) { a.headers(false, fields...); a.rest() }
}

// many are n headers with values of a size.
func many(n, size int) (fields []string) {
	for i := range n {
		fields = append(fields, fmt.Sprintf("x-%d", i), strings.Repeat("m", size))
	}
	return fields
}

// answerings are sizes around what docs/limits.md promises, and what no server should say.
func answerings() []answering {
	text := strings.Repeat
	list := []answering{
		{"one header of 30 kB", passes, whole("x-large", text("x", 30000))},
		{"one header of 60 kB", passes, whole("x-large", text("x", 60000))},
		{"one header of 300 kB", large, whole("x-large", text("x", 300000))},
		{"a status of 30 kB", passes, only(text("x", 30000))},
		{"a status of 60 kB", passes, only(text("x", 60000))},
		{"a status of 120 kB", large, only(text("x", 120000))},
		{"a status of 300 kB", large, only(text("x", 300000))},
		{"150 headers of 200 bytes", passes, whole(many(150, 193)...)},
		{"300 headers of 200 bytes", passes, whole(many(300, 193)...)},
		{"1500 headers of 200 bytes", large, whole(many(1500, 193)...)},
		{"990 headers", passes, whole(many(990, 1)...)},
		{"trailers of 60 kB", passes, func(a *Answer) { a.head(); a.rest("x-large", text("x", 60000)) }},
		{"trailers of 300 kB", asSaid, func(a *Answer) { a.head(); a.rest("x-large", text("x", 300000)) }},

		{"a pseudo-header in trailers", asSaid, func(a *Answer) { a.head(); a.rest(":status", "200") }},
		{"trailers that don't end the stream", broken, func(a *Answer) { a.head(); a.message(); a.headers(false, "grpc-status", "0") }},
		{"a frame that is too large", broken, func(a *Answer) { a.head(); _ = a.framer.WriteData(a.Stream, false, make([]byte, 1<<20)) }},
		{"no headers", broken, (*Answer).only},
		{"HPACK of no table", broken, func(a *Answer) { a.block(false, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}); a.rest() }},
		{"HPACK that is cut off", broken, func(a *Answer) { a.block(false, []byte{0x88, 0x40, 0x7f}); a.rest() }},
		{"a push", broken, func(a *Answer) {
			_ = a.framer.WritePushPromise(http2.PushPromiseParam{StreamID: a.Stream, PromiseID: 2, BlockFragment: []byte{0x82}, EndHeaders: true})
		}},
		{"HTTP/1.1", broken, func(a *Answer) { _, _ = a.conn.Write([]byte("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) }},
		{"a closed connection", broken, (*Answer).hangUp},
		{"headers and a closed connection", broken, func(a *Answer) { a.head(); a.hangUp() }},
		{"GOAWAY", broken, func(a *Answer) { _ = a.framer.WriteGoAway(0, http2.ErrCodeNo, nil); a.hangUp() }},
		{"a status alone that is malformed", broken, func(a *Answer) { a.headers(true, ":status", "200", "X-Upper", "v") }},
		{"100 informational answers", asSaid, func(a *Answer) {
			for range 100 {
				a.headers(false, ":status", "100")
			}
			a.fine()
		}},
		{"HTTP 204", asSaid, headed(":status", "204")},
		{"HTTP 101", hangs, headed(":status", "101", "upgrade", "websocket")},
		{"HTTP 418", asSaid, func(a *Answer) { a.headers(true, ":status", "418") }},
		{"an empty name", broken, whole("", "v")},
	}
	for name, fields := range map[string][]string{
		"a status that is no number": {":status", "abc"}, "no status": {"content-type", "application/grpc"}, "status 99": {":status", "99"},
		"status 1000": {":status", "1000"}, "an empty status": {":status", ""}, "two statuses": {":status", "200", ":status", "200"},
		"a late pseudo-header": {"content-type", "application/grpc", ":status", "200"}, "a request's pseudo-header": {":status", "200", ":path", "/"},
		"upper case": {":status", "200", "X-Upper", "v"}, "a space in a name": {":status", "200", "x y", "v"},
		"a newline in a value": {":status", "200", "x-v", "a\r\nx-evil: b"}, "a NUL": {":status", "200", "x-v", "a\x00b"},
		"two lengths": {":status", "200", "content-length", "5", "content-length", "6"},
	} {
		list = append(list, answering{name, hangs, headed(fields...)})
	}
	for _, code := range []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeProtocol, http2.ErrCodeInternal, http2.ErrCodeRefusedStream, http2.ErrCodeCancel} {
		list = append(list, answering{"reset, " + code.String(), broken, func(a *Answer) { a.reset(code) }},
			answering{"headers and reset, " + code.String(), broken, func(a *Answer) { a.head(); a.reset(code) }})
	}
	return list
}

// only sends a message and no headers before it.
func (a *Answer) only() { a.rest() }

// TestAnswers is R18: whatever an endpoint answers, its client learns at once how the call ended, and never by
// UNAVAILABLE, which says that no endpoint ran it. And it costs nobody else: a good backend's calls go on.
func TestAnswers(t *testing.T) {
	list := answerings()
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			good := newBackend(t, "good", (*Answer).fine)
			texts := []string{liveGateway, good.manifests("method: {service: good}")}
			backends := make([]*Backend, len(list))
			for i, a := range list {
				name := fmt.Sprintf("bad%d", i)
				backends[i] = newBackend(t, name, a.say)
				texts = append(texts, backends[i].manifests("method: {service: "+name+"}"))
			}
			s := harness.Serve(t, p, harness.Load(t, "", strings.Join(texts, "---\n")), harness.Options{})
			var calls sync.WaitGroup
			for i, a := range list {
				calls.Go(func() {
					h := s.Call("gw/http")
					h.Authority, h.Path, h.Timeout = "a.example.com", "/"+backends[i].Service+"/Get", 10*time.Second
					if a.want == hangs {
						h.Timeout = 2 * time.Second
					}
					// The second call finds the connection used, or gone.
					client := harness.NewClient(t)
					for range 2 {
						judge(t, p, a, client.Do(h))
					}
					if backends[i].Seen() == 0 {
						t.Errorf("%s: the endpoint saw no call", a.name)
					}
				})
			}
			calls.Wait()
			h := s.Call("gw/http")
			h.Authority, h.Path = "a.example.com", "/good/Get"
			if r := s.Client.Do(h); r.Code != codes.OK {
				t.Errorf("after all that a good call ends with %s %q", r.Code, r.Message)
			}
		})
	}
}

// judge holds a reply against what is wanted.
func judge(t *testing.T, p harness.Proxy, a answering, r harness.Reply) {
	t.Helper()
	t.Logf("%-36s %s %.120q", a.name, r.Code, r.Message)
	silent := r.Code == codes.DeadlineExceeded && !r.FromServer()
	// HAProxy resets streams on used connections in a way that clients take for "not processed".
	refused := p.Name == "haproxy" && strings.Contains(r.Message, "REFUSED_STREAM")
	switch {
	case a.want == hangs && p.Name == "haproxy" && silent, refused && a.want != passes:
	case a.want == passes:
		if r.Code != codes.OK && r.Code != codes.NotFound {
			t.Errorf("%s: %s %.200q, want it to pass", a.name, r.Code, r.Message)
		}
	case silent:
		t.Errorf("%s: nothing until the deadline", a.name)
	case r.Code == codes.Unavailable:
		t.Errorf("%s: %s %.200q: an endpoint had the call", a.name, r.Code, r.Message)
	case a.want == large && p.Name == "nginx" && (r.Code != codes.ResourceExhausted || !strings.Contains(r.Message, "headers that are too large")):
		t.Errorf("%s: %s %.200q, want ResourceExhausted", a.name, r.Code, r.Message)
	case a.want == large && p.Name == "haproxy" && r.Code != codes.Internal:
		t.Errorf("%s: %s %.200q, want Internal", a.name, r.Code, r.Message)
	case a.want != asSaid && r.Code == codes.OK:
		t.Errorf("%s: the call succeeds", a.name)
	}
}
