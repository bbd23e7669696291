package bridge

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// noCode ends a stream that has nothing wrong with it.
const noCode = http2.ErrCodeNo

// answer ends a call by a status of the bridge's own: a response without messages, or trailers where the response has begun.
// A client that speaks no gRPC gets what HTTP has for it. The lock is held.
func (c *call) answer(code codes.Code, message string) {
	switch {
	case c.grpc:
		var fields []hpack.HeaderField
		if !c.answered {
			fields = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: typeGRPC}}
		}
		c.respond(append(fields,
			hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(int(code))},
			hpack.HeaderField{Name: "grpc-message", Value: encodeMessage(message)}), true)
	case c.answered:
		c.down.ResetAfter(http2.ErrCodeInternal)
	default:
		c.down.SendHeaders([]hpack.HeaderField{
			{Name: ":status", Value: strconv.Itoa(httpStatus(code))},
			{Name: "content-type", Value: "text/plain; charset=utf-8"},
		}, false)
		c.down.SendData([]byte(message+"\n"), true, nil)
	}
	c.answered = true
	if !c.ended {
		c.down.ResetAfter(noCode)
	}
	c.finish(code)
}

// httpStatus is the status of HTTP for one of gRPC that the bridge gives.
func httpStatus(code codes.Code) int {
	switch code {
	case codes.Unavailable:
		return 503
	case codes.DeadlineExceeded:
		return 504
	}
	return 502
}

// failure is how an attempt failed that has no response.
type failure struct {
	condition Condition
	code      codes.Code
	message   string
}

// failureOf is what gRPC makes of the end of a stream. What is reset is answered by a status all the same: proxies say of a call
// that is reset before its headers that nobody has run it, and clients send it again.
func failureOf(end frames.End) failure {
	f := failure{code: statusOf(end.Code), message: "bridge: the endpoint failed: " + reasonOf(end)}
	switch {
	case end.Refused:
		f.condition, f.code = RefusedStream, codes.Unavailable
	case errors.Is(end.Err, frames.ErrTooLarge):
		f.code = codes.ResourceExhausted
	case !end.Peer && end.Code == http2.ErrCodeInternal:
		f.code = codes.Unavailable // The connection is gone.
	}
	if f.condition == "" {
		f.condition = conditionOf(f.code)
	}
	return f
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
		if strings.HasPrefix(f.Name, headerPrefix) {
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
