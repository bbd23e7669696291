package bridge

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
	"github.com/gatewright/gatewright/runtime/bridge/http1"
)

// call is one call of a client, or a request that isn't gRPC, from its first headers to its status. It handles the stream to the
// proxy; an attempt handles one to an endpoint. Locks are taken in the order call, mirror's copy, endpoint, connection.
type call struct {
	b       *Bridge
	down    exchange
	http1   bool // the proxy speaks HTTP/1.1
	action  *action
	request []hpack.HeaderField
	method  string
	grpc    bool
	upgrade bool   // it asks for a WebSocket
	web     *web   // nil when it isn't gRPC-Web
	timeout string // grpc-timeout of the client
	session string // what the proxy says of it; "" for none

	mu       sync.Mutex
	attempt  *attempt // the one under way; nil while none is
	failed   []*endpoint
	moves    int
	tries    int // attempts that got a stream
	retried  int
	mirrors  []*mirrored
	deadline time.Time // zero for none
	timer    *time.Timer

	// body is the part of the request that an attempt may need: what no endpoint was sent yet, and all of it while keeping.
	body       []byte
	keeping    bool
	lossy      bool // a part of the request was sent and not kept: there is no other attempt
	uncredited int  // bytes at its end that came in and weren't sent to anybody, so that the client has no window back for them
	trailers   []hpack.HeaderField
	ended      bool // the request is whole

	answered bool   // headers of a response were sent to the client
	status   string // what it is counted as, when it isn't gRPC
	done     bool
}

// accept begins a call.
func (b *Bridge) accept(down exchange, plain bool, fields []hpack.HeaderField, end bool) frames.Handler {
	c := &call{b: b, down: down, http1: plain, ended: end}
	target := c.read(fields)
	c.mu.Lock()
	defer c.mu.Unlock()
	b.calls.Add(1)
	t := b.table.Load()
	if c.action = t.actions[target]; c.action == nil && target != "" && b.reread != nil {
		b.reread()
		t = b.table.Load()
		c.action = t.actions[target]
	}
	if c.action == nil {
		text := unknownTarget(target, t)
		c.answer(verdict{codes.Unavailable, text, 500, text})
		return c
	}
	if c.action.web {
		c.startWeb()
	}
	c.startTimer()
	c.keeping = c.action.retry != nil && c.grpc
	if c.keeping {
		c.action.retry.spent.call(time.Now())
	}
	c.mirror()
	c.try()
	return c
}

func unknownTarget(id string, t *table) string {
	switch {
	case id == "":
		return "bridge: the proxy named no target: the call didn't come through its configuration"
	case t.hash == "":
		return "bridge: no configuration has been read yet"
	}
	return "bridge: its configuration " + t.hash + " has no target " + id + ": it isn't the proxy's"
}

// read keeps the fields that an endpoint gets, and returns which action the proxy has chosen.
func (c *call) read(fields []hpack.HeaderField) (target string) {
	c.request = make([]hpack.HeaderField, 0, len(fields)+2)
	for _, f := range fields {
		switch {
		case http1.Ours(f.Name):
			switch {
			case strings.EqualFold(f.Name, HeaderTarget):
				target = f.Value
			case strings.EqualFold(f.Name, HeaderSession):
				c.session = f.Value
			}
			continue
		case f.Name == ":method":
			c.method = f.Value
		case c.http1: // There is no gRPC.
			c.upgrade = c.upgrade || strings.EqualFold(f.Name, "upgrade")
		case f.Name == "content-type":
			c.grpc = isGRPC(f.Value)
		case f.Name == "grpc-timeout":
			c.timeout = f.Value
		}
		c.request = append(c.request, f)
	}
	return target
}

// isGRPC says whether a content type is gRPC's, and not that of gRPC-Web.
func isGRPC(value string) bool {
	rest, ok := strings.CutPrefix(value, typeGRPC)
	return ok && !strings.HasPrefix(rest, "-")
}

// Headers are the trailers of the request. gRPC has none: some of its servers end the connection for them, with all calls of others.
func (c *call) Headers(fields []hpack.HeaderField, _ bool) {
	if c.grpc {
		c.Data(nil, true)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.done {
		return
	}
	c.trailers = withoutOurs(fields)
	if a := c.attempt; a != nil && a.stream != nil {
		a.stream.SendHeaders(a.to.trailers(c.trailers, c.http1), true)
	}
	for _, m := range c.mirrors {
		m.trailers(c.trailers)
	}
}

// Data is a part of the request.
func (c *call) Data(data []byte, end bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = c.ended || end
	if c.done {
		c.down.Consumed(len(data))
		return
	}
	data, err := c.decode(data, end)
	if err != nil {
		c.unreadable(err)
		return
	}
	for _, m := range c.mirrors {
		m.data(data, end)
	}
	sending := c.attempt != nil && c.attempt.stream != nil
	if c.keeping && len(c.body)+len(data) > c.action.retry.bytes {
		c.keeping = false
		if sending {
			c.body = nil
			c.lossy = true
		}
	}
	if c.keeping || !sending {
		c.body = append(c.body, data...)
	}
	if sending {
		c.lossy = c.lossy || !c.keeping && len(data) > 0
		c.attempt.stream.SendData(data, end, c.down)
	} else {
		c.uncredited += len(data)
	}
}

// Closed says that the client has given up, or the proxy.
func (c *call) Closed(end frames.End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	if c.http1 && !c.answered && end.Code == http2.ErrCodeProtocol {
		c.abandon(malformed) // HTTP/1.1 has no other way to say so.
		return
	}
	if c.http1 {
		c.down.ResetAfter(cancelCode)
	}
	code := end.Code
	if code == http2.ErrCodeNo || !end.Peer {
		code = http2.ErrCodeCancel
	}
	c.drop(code)
	for _, m := range c.mirrors {
		m.cancel()
	}
	c.finish(codes.Canceled)
}

// giveUp ends a call that the bridge has no time for any more.
func (c *call) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		text := "bridge: it ends, and the call took longer than it waited"
		c.abandon(verdict{codes.Unavailable, text, 503, text})
	}
}

// abandon ends a call at its endpoint and at its mirrors, with a status for the client. The lock is held.
func (c *call) abandon(v verdict) {
	c.drop(cancelCode)
	for _, m := range c.mirrors {
		m.cancel()
	}
	c.answer(v)
}

// drop gives up the attempt that is under way.
func (c *call) drop(code http2.ErrCode) {
	a := c.attempt
	if a == nil {
		return
	}
	c.attempt = nil
	a.end()
	if a.stream != nil {
		a.stream.Reset(code)
	} else {
		a.to.forget(a)
	}
}

// finish ends a call that has its status by now. The lock is held.
func (c *call) finish(code codes.Code) {
	c.done = true
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.uncredited > 0 {
		c.down.Consumed(c.uncredited)
		c.uncredited = 0
	}
	for _, m := range c.mirrors {
		m.left(c.ended)
	}
	if c.web != nil {
		c.down.Consumed(len(c.web.rest))
		c.web.rest = nil
	}
	c.body, c.mirrors = nil, nil
	c.b.calls.Add(-1)
	result := c.status
	if c.grpc || result == "" {
		result = code.String()
	}
	c.b.metrics.ended(c.action, result)
}

// withoutOurs are the fields that leave the bridge: none of the proxy's words to it.
func withoutOurs(fields []hpack.HeaderField) []hpack.HeaderField {
	out := make([]hpack.HeaderField, 0, len(fields))
	for _, f := range fields {
		if !http1.Ours(f.Name) {
			out = append(out, f)
		}
	}
	return out
}
