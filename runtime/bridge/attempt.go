package bridge

import (
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// attempt is one time that a call is sent to an endpoint. The call's lock guards it.
type attempt struct {
	call   *call
	to     *endpoint
	stream exchange    // nil until there is one
	over   bool        // it isn't the call's attempt any more
	timer  *time.Timer // for its own time
	// held are the headers of a response that the client hasn't got yet, and holding ends that.
	held    []hpack.HeaderField
	holding *time.Timer
}

// maxMoves is how often a call whose connection went away before anything was sent may move on.
const maxMoves = 5

// try sends the call to an endpoint. The lock is held.
func (c *call) try() {
	to := c.action.up.pick(c.failed, c.session)
	if to == nil {
		c.failed = nil // All were tried: it may be any of them again.
		to = c.action.up.pick(nil, c.session)
	}
	if to == nil {
		up := c.action.up.source
		c.answer(verdict{codes.Unavailable, "bridge: " + up + " has no endpoints", 503, up + " has no ready endpoints"})
		return
	}
	a := &attempt{call: c, to: to}
	c.attempt = a
	to.load.Add(1)
	if stream := to.start(a); stream != nil {
		a.send(stream)
	}
}

// attach sends the call on a stream that it waited for.
func (a *attempt) attach(stream exchange) bool {
	a.call.mu.Lock()
	defer a.call.mu.Unlock()
	if a.over {
		return false
	}
	a.send(stream)
	return true
}

// send sends what is there of the request.
func (a *attempt) send(stream exchange) {
	c := a.call
	a.stream = stream
	c.tries++
	fields, err := a.to.spoken(c.headers(), c.http1)
	if err != nil {
		c.drop(cancelCode)
		c.answer(malformed)
		return
	}
	a.startTimer()
	whole := c.ended && c.trailers == nil
	stream.SendHeaders(fields, whole && len(c.body) == 0)
	known := c.body[:len(c.body)-c.uncredited]
	if len(known) > 0 {
		stream.SendData(known, whole && c.uncredited == 0, nil)
	}
	if c.uncredited > 0 {
		stream.SendData(c.body[len(known):], whole, c.down)
		c.uncredited = 0
	}
	if c.trailers != nil {
		stream.SendHeaders(a.to.trailers(c.trailers, c.http1), true)
	}
	if !c.keeping {
		c.lossy = c.lossy || len(c.body) > 0
		c.body = nil
	}
}

// headers are what an endpoint is sent: what the client said, but for its deadline and how often it was tried.
func (c *call) headers() []hpack.HeaderField {
	if c.deadline.IsZero() && c.tries == 1 {
		return c.request
	}
	out := make([]hpack.HeaderField, 0, len(c.request)+2)
	before := c.tries - 1
	for _, f := range c.request {
		switch {
		case f.Name == "grpc-timeout" && !c.deadline.IsZero():
		case f.Name == previousAttempts && before > 0:
			n, _ := strconv.Atoi(f.Value) // What is no number is none.
			before += max(0, n)
		default:
			out = append(out, f)
		}
	}
	if !c.deadline.IsZero() && c.grpc {
		out = append(out, hpack.HeaderField{Name: "grpc-timeout", Value: formatTimeout(c.left() + grace)})
	}
	if before > 0 {
		out = append(out, hpack.HeaderField{Name: previousAttempts, Value: strconv.Itoa(before)})
	}
	return out
}

const previousAttempts = "grpc-previous-rpc-attempts"

// unreached says that the endpoint takes no connections.
func (a *attempt) unreached(err error) {
	c := a.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.over {
		return
	}
	a.end()
	c.attempt = nil
	c.failed = append(c.failed, a.to)
	if c.action.up.pick(c.failed, c.session) != nil {
		c.try()
		return
	}
	c.failed = nil
	// Where endpoints are, and what is in their certificates, is nothing for clients.
	c.b.log.Debug("no endpoint takes a connection", "upstream", c.action.up.source, "error", err)
	up := c.action.up.source
	c.retryAfter(failure{ConnectFailure, verdict{codes.Unavailable, "bridge: no endpoint of " + up + " takes a connection",
		502, c.action.source + ": no endpoint of " + up + " took the call"}})
}

// end takes the attempt out of the endpoint's load.
func (a *attempt) end() {
	a.over = true
	a.to.load.Add(-1)
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.holding != nil {
		a.holding.Stop()
	}
}

// Headers are those of the response, or its trailers.
func (a *attempt) Headers(fields []hpack.HeaderField, end bool) {
	c := a.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.over {
		return
	}
	if a.to.http1 != c.http1 {
		var ok bool
		if fields, ok = c.translate(a, fields); !ok {
			return
		}
	}
	switches := c.upgrade && pseudo(fields, ":status") == "101"
	if !c.answered && (!frames.Informational(fields) || switches) {
		if end && c.retryResponse(a, fields) {
			return
		}
		if a.held == nil && !end && c.holds() {
			a.hold(fields)
			return
		}
		a.release()
		c.commit(a, fields)
	}
	if switches {
		c.begin()
	}
	c.respond(sparing(fields), end)
	if end {
		c.answeredBy(a, statusIn(fields))
	}
}

// holdTime is how long the headers of a response wait for what comes next. Many servers, of net/http in Go among them, send a status
// as trailers right behind headers, and that is a call that failed before its first message.
const holdTime = 10 * time.Millisecond

// holds says whether a response's headers wait: where the call may still be sent again.
func (c *call) holds() bool {
	r := c.action.retry
	return r != nil && c.grpc && c.keeping && !c.lossy && c.retried < r.retries
}

// hold keeps headers for a moment. The lock is held.
func (a *attempt) hold(fields []hpack.HeaderField) {
	a.held = slices.Clone(fields) // They are the connection's.
	a.holding = time.AfterFunc(a.call.b.holdTime, func() {
		a.call.mu.Lock()
		defer a.call.mu.Unlock()
		if !a.over {
			a.release()
		}
	})
}

// release sends the client the headers that were held. The lock is held.
func (a *attempt) release() {
	if a.held == nil || a.call.answered {
		return
	}
	a.call.commit(a, a.held)
	a.call.respond(sparing(a.held), false)
	a.held = nil
}

// sparing are fields without those between proxy and bridge.
func sparing(fields []hpack.HeaderField) []hpack.HeaderField {
	if hasOurs(fields) {
		return withoutOurs(fields)
	}
	return fields
}

// commit makes the attempt the call's last one, if it isn't yet: the client gets something of its answer.
func (c *call) commit(a *attempt, fields []hpack.HeaderField) {
	if c.answered {
		return
	}
	c.answered = true
	c.status = pseudo(fields, ":status")
	c.keeping = false
	c.body = nil
	if a.timer != nil {
		a.timer.Stop()
	}
}

// Data is a part of the response.
func (a *attempt) Data(data []byte, end bool) {
	c := a.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.over {
		a.stream.Consumed(len(data))
		return
	}
	a.release()
	c.respondData(data, end, a.stream)
	if end {
		c.answeredBy(a, codes.Unknown)
	}
}

// answeredBy ends a call that its endpoint has answered in full. What is still to come of the request is for nobody.
func (c *call) answeredBy(a *attempt, code codes.Code) {
	a.end()
	c.attempt = nil
	if !c.ended {
		c.letGo()
		a.stream.Reset(cancelCode)
	}
	c.finish(code)
}

// Closed says that the endpoint has reset the stream, or that its connection is gone.
func (a *attempt) Closed(end frames.End) {
	c := a.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.over {
		return
	}
	a.end()
	c.attempt = nil
	if c.expired(end, time.Now()) {
		c.b.metrics.late.Inc()
		c.answer(c.overtime())
		return
	}
	f := c.failureOf(end)
	if a.held != nil && f.condition == RefusedStream {
		f.condition = Unavailable // One that has begun to answer has begun with the call, whatever it says.
	}
	again := a.held == nil && (end.Unsent || end.Stale && c.ended && len(c.body) == 0 && repeatable(c.method))
	switch {
	case c.answered:
		c.answer(f.verdict)
	case again && c.moves < maxMoves && !c.lossy:
		c.moves++
		c.tries--
		c.try()
	default:
		c.failed = []*endpoint{a.to}
		c.retryAfter(f)
	}
}
