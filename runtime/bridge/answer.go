package bridge

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
	"github.com/gatewright/gatewright/runtime/bridge/http1"
)

// noCode ends a stream that has nothing wrong with it.
const noCode = http2.ErrCodeNo

// verdict is what the bridge itself says of a call: by gRPC, and to clients that speak none.
type verdict struct {
	code    codes.Code
	message string
	status  int
	text    string
}

// malformed is said of a request whose body can't be read.
var malformed = verdict{codes.Internal, "bridge: the request is malformed", 400, "the proxy can't read the request"}

// answer ends a call by a status of the bridge's own: a response without messages, or trailers where the response has begun.
// A client that speaks no gRPC gets what HTTP has for it. The lock is held.
func (c *call) answer(v verdict) {
	switch {
	case c.grpc:
		var fields []hpack.HeaderField
		if !c.answered {
			fields = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: typeGRPC}}
		}
		c.respond(append(fields,
			hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(int(v.code))},
			hpack.HeaderField{Name: "grpc-message", Value: encodeMessage(v.message)}), true)
	case c.answered:
		c.down.ResetAfter(http2.ErrCodeInternal)
	default:
		c.answerText(v)
	}
	c.answered = true
	c.letGo()
	c.finish(v.code)
}

// resetPause is how long a client may take to end a request that is answered. HAProxy 3.4 takes a reset that comes close behind the
// status for a failure of the call.
const resetPause = 200 * time.Millisecond

// letGo ends what is still to come of a request that is answered in full. The lock is held.
func (c *call) letGo() {
	switch {
	case c.ended:
	case c.http1:
		c.down.ResetAfter(noCode)
	default:
		time.AfterFunc(resetPause, func() { c.down.ResetAfter(noCode) })
	}
}

// answerText answers a client that speaks no gRPC. The lock is held.
func (c *call) answerText(v verdict) {
	c.status = strconv.Itoa(v.status)
	text := v.text + "\n"
	empty := c.method == "HEAD"
	fields := []hpack.HeaderField{{Name: ":status", Value: c.status}}
	if c.http1 {
		fields = append(fields, hpack.HeaderField{Name: http1.Reason, Value: http.StatusText(v.status)})
	}
	c.down.SendHeaders(append(fields, hpack.HeaderField{Name: "content-type", Value: "text/plain; charset=utf-8"},
		hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(text))}), empty)
	if !empty {
		c.down.SendData([]byte(text), true, nil)
	}
}

// unanswered says that an endpoint failed.
func (c *call) unanswered(code codes.Code, message string) verdict {
	text := c.action.source + ": an endpoint of " + c.action.up.source + " took the call and gave no answer that can be read: none, " +
		"a malformed one, or too large headers"
	return verdict{code, message, http.StatusBadGateway, text}
}

// tooLong says that the time is over.
func (c *call) tooLong(message string) verdict {
	return verdict{codes.DeadlineExceeded, "bridge: " + message + ": " + c.action.source, http.StatusGatewayTimeout,
		c.action.source + ": " + c.action.up.source + " took too long"}
}

// failure is how an attempt failed that has no response.
type failure struct {
	condition Condition
	verdict   verdict
}

// failureOf is what gRPC makes of the end of a stream. What is reset is answered by a status all the same: proxies say of a call
// that is reset before its headers that nobody has run it, and clients send it again.
func (c *call) failureOf(end frames.End) failure {
	code, condition := statusOf(end.Code), Condition("")
	switch {
	case end.Refused:
		condition, code = RefusedStream, codes.Unavailable
	case errors.Is(end.Err, frames.ErrTooLarge):
		code = codes.ResourceExhausted
	case !end.Peer && end.Code == http2.ErrCodeInternal:
		code = codes.Unavailable // The connection is gone.
	}
	if condition == "" {
		condition = conditionOf(code)
	}
	return failure{condition, c.unanswered(code, "bridge: the endpoint failed: "+reasonOf(end))}
}

// reasonOf says why a stream ended, without where.
func reasonOf(end frames.End) string {
	switch {
	case end.Peer:
		return "it reset the call: " + end.Code.String()
	case end.Refused:
		return "it closes its connection and hasn't begun with the call"
	case errors.Is(end.Err, frames.ErrTooLarge):
		return frames.ErrTooLarge.Error()
	case end.Code == http2.ErrCodeInternal:
		return "its connection ended"
	}
	if end.Code == http2.ErrCodeEnhanceYourCalm {
		return "it took nothing of the request for too long"
	}
	return "it broke the protocol: " + end.Code.String()
}

// statusOf is the status that gRPC has for a stream that is reset with a code.
func statusOf(code http2.ErrCode) codes.Code {
	switch code {
	case http2.ErrCodeRefusedStream:
		return codes.Unavailable
	case http2.ErrCodeCancel:
		return codes.Canceled
	case http2.ErrCodeEnhanceYourCalm, http2.ErrCodeFlowControl:
		return codes.ResourceExhausted
	case http2.ErrCodeInadequateSecurity:
		return codes.PermissionDenied
	}
	return codes.Internal
}

// conditionOf is the condition that stands for a status; "" when none does.
func conditionOf(code codes.Code) Condition {
	switch code {
	case codes.Canceled:
		return Cancelled
	case codes.DeadlineExceeded:
		return DeadlineExceeded
	case codes.ResourceExhausted:
		return ResourceExhausted
	case codes.Internal:
		return Internal
	case codes.Unavailable:
		return Unavailable
	}
	return ""
}

// statusIn is the status in headers or trailers; Unknown when there is none.
func statusIn(fields []hpack.HeaderField) codes.Code {
	for _, f := range fields {
		if f.Name == "grpc-status" {
			if n, err := strconv.ParseUint(f.Value, 10, 8); err == nil && n <= maxCode {
				return codes.Code(n)
			}
		}
	}
	return codes.Unknown
}

// maxCode is the highest status of gRPC.
const maxCode = uint64(codes.Unauthenticated)

func hasOurs(fields []hpack.HeaderField) bool {
	for _, f := range fields {
		if http1.Ours(f.Name) {
			return true
		}
	}
	return false
}

// encodeMessage writes a message as grpc-message has it.
func encodeMessage(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
