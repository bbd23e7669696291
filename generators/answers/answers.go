package answers

import (
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// NoRule answers a call that no rule matches (R13).
var NoRule = model.Status{Code: model.Unimplemented, Message: "no GRPCRoute rule matches"}

// NoBackends answers the calls of a rule that names no backends and no status (R16).
var NoBackends = model.Status{Code: model.Unimplemented, Message: "the rule has no backendRefs"}

// What a proxy answers when it fails by itself, whichever rule the call is for. The codes are those that gRPC
// gives to the HTTP statuses.
var (
	Unreadable      = model.Status{Code: model.Internal, Message: "the proxy can't read the request"}
	Unauthenticated = model.Status{Code: 16, Message: "the proxy asks for authentication"}
	Denied          = model.Status{Code: 7, Message: "the proxy denies the request"}
	Unserved        = model.Status{Code: model.Unimplemented, Message: "the proxy doesn't serve this path or method"}
	Slow            = model.Status{Code: model.DeadlineExceeded, Message: "the request came too slowly"}
	Large           = model.Status{Code: model.ResourceExhausted, Message: "the request is too large"}
	Limited         = model.Status{Code: model.ResourceExhausted, Message: "too many requests"}
	Failed          = model.Status{Code: model.Internal, Message: "the proxy failed; see its log"}
	Unreached       = model.Status{Code: model.Unavailable, Message: "no endpoint took the call"}
	Loop            = model.Status{Code: model.Internal, Message: "the call came back to this gateway: an endpoint leads here again"}
	Unanswered      = model.Status{Code: model.Internal, Message: "the endpoint gave no answer that the proxy can read"}
	Oversized       = model.Status{Code: model.ResourceExhausted, Message: "the headers of the endpoint's answer are too large"}
	TimedOut        = model.Status{Code: model.DeadlineExceeded, Message: "the endpoint took too long"}
)

// Of is the answer of a rule with the rule's name in front.
func Of(r *model.Rule, s model.Status) model.Status {
	return model.Status{Code: s.Code, Message: r.Source.String() + ": " + s.Message}
}

// NoEndpoints answers for a cluster without endpoints (R16).
func NoEndpoints(c *model.Cluster) model.Status {
	return model.Status{Code: model.Unavailable, Message: Service(c) + " has no ready endpoints"}
}

// Failure is what a proxy answers when it fails by itself, as one of some HTTP statuses.
type Failure struct {
	// Name is for files and locations.
	Name string
	// Statuses are HTTP statuses, ascending.
	Statuses []int
	Answer   model.Status
	// Message makes the message of a call whose rule and service are known; nil where that makes no difference.
	Message func(rule, service string) string
}

// Failures are all HTTP statuses that a proxy may fail with. Only 421 stays as it is: it says that the connection
// was the wrong one (R7).
var Failures = []Failure{
	{"unreadable", []int{400, 411, 412, 416}, Unreadable, nil},
	{"unauthenticated", []int{401}, Unauthenticated, nil},
	{"denied", []int{403}, Denied, nil},
	{"unserved", []int{404, 405, 501}, Unserved, nil},
	{"slow", []int{408}, Slow, nil},
	{"large", []int{413, 414, 431}, Large, nil},
	{"limited", []int{429}, Limited, nil},
	{"failed", []int{500, 505, 507}, Failed, nil},
	{"unreached", []int{503}, Unreached, NotTaken},
	{"unanswered", []int{502}, Unanswered, NoAnswer},
	{"late", []int{504}, TimedOut, TooLong},
}

// Service is a cluster as messages name it: "Service ns/name port 80".
func Service(c *model.Cluster) string {
	return "Service " + c.Namespace + "/" + c.Service + " port " + strconv.Itoa(int(c.Port))
}

// Bridge stands before a Service whose calls can't do without the bridge: that is what didn't take them.
const Bridge = "the bridge to "

// NotTaken, NoAnswer, TooLarge and TooLong are what a rule's calls get when its cluster fails. Both arguments are put
// in as they are: a name, or what a proxy expands to one.
func NotTaken(rule, service string) string {
	return rule + ": no endpoint of " + service + " took the call"
}

// NoAnswer is the message where an endpoint has the call, so that it may have run (R18), and what came back is
// nothing, malformed, or larger than the proxy can tell.
func NoAnswer(rule, service string) string {
	return rule + ": an endpoint of " + service + " took the call and gave no answer that can be read: none, a malformed one, or too large " +
		"headers"
}

// TooLarge is the message where the headers of an answer are known to be too large.
func TooLarge(rule, service string) string {
	return rule + ": an endpoint of " + service + " took the call and answered with headers that are too large"
}

// TooLong is the message of a timeout.
func TooLong(rule, service string) string { return rule + ": " + service + " took too long" }

// Encode writes a message as the value of grpc-message: percent-encoded as gRPC's protocol says.
func Encode(message string) string { return encode(message, &plain) }

// EncodeAll encodes all but letters, digits and "-_./", so that the message can stand between separators.
// It decodes to the same.
func EncodeAll(message string) string { return encode(message, &plainest) }

// plain and plainest are the bytes that Encode and EncodeAll leave as they are.
var (
	plain    = bytesThat(func(c byte) bool { return c >= ' ' && c <= '~' && c != '%' })
	plainest = bytesThat(func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_./", c) >= 0
	})
)

func bytesThat(are func(byte) bool) (set [256]bool) {
	for c := range set {
		set[c] = are(byte(c))
	}
	return set
}

func encode(message string, plain *[256]bool) string {
	n := 0
	for i := range len(message) {
		if !plain[message[i]] {
			n++
		}
	}
	if n == 0 {
		return message
	}
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(message)+2*n)
	for i := range len(message) {
		if c := message[i]; plain[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
