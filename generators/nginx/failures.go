package nginx

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/limits"
)

// Failure is what nginx answers a call with when it fails by itself (R18): the HTTP statuses that end in one
// gRPC status.
type Failure struct {
	// Statuses are HTTP statuses, and nginx's own codes from 494 to 497.
	Statuses string
	// Name is the location's.
	Name string
	// Code and Message are tokens, which may hold variables.
	Code, Message string
}

// ownStatuses are those that only nginx has, by the name of the failure that they are.
var ownStatuses = map[string][]int{"unreadable": {497}, "large": {494}}

// A timeout is nginx's 504 and all else that an endpoint does to a call its 502, whether the endpoint was connected to
// or not: these variables tell what it was.
const (
	lateStatus, lateMessage = "$gw_late_status", "$gw_late_message"
	lostStatus, lostMessage = "$gw_lost_status", "$gw_lost_message"
)

// failures are all that nginx answers by itself.
func failures() []Failure {
	list := make([]Failure, 0, len(answers.Failures))
	for _, a := range answers.Failures {
		f := Failure{Name: a.Name, Code: strconv.Itoa(int(a.Answer.Code)), Message: `"` + a.Answer.Message + `"`}
		for _, status := range append(append([]int{}, a.Statuses...), ownStatuses[a.Name]...) {
			if f.Statuses != "" {
				f.Statuses += " "
			}
			f.Statuses += strconv.Itoa(status)
		}
		switch {
		case a.Name == "late":
			f.Code, f.Message = lateStatus, lateMessage
		case a.Name == "unanswered":
			f.Code, f.Message = lostStatus, lostMessage
		case a.Message != nil:
			f.Message = failureMessage(a.Message)
		}
		list = append(list, f)
	}
	return append(list, unverified)
}

// unverified answers a client whose certificate is none, or not one of those that are asked for. A client of gRPC is told so.
// Any other loses its connection, as it would where the handshake is what fails: to it, an answer is one of a backend.
var unverified = Failure{Statuses: "495 496", Name: "unverified", Code: strconv.Itoa(int(answers.Unauthenticated.Code)),
	Message: `"the Gateway takes no client without a valid certificate: $ssl_client_verify"`}

// closed is the status with which nginx closes a connection without an answer.
const closed = 444

// HTTPFailure is what nginx answers a request of HTTPRoutes with when it fails by itself.
type HTTPFailure struct {
	// Status is what nginx failed with, or a code that only nginx has, and Answer what is answered.
	Status, Answer int
	// Name and Message are the Failure's; where the connection is closed there is no message.
	Name, Message string
}

// httpStatuses are what codes are answered with that only nginx has.
var httpStatuses = map[int]int{494: 431, 495: closed, 496: closed, 497: 400}

// httpFailures are all that nginx answers by itself, by status.
func httpFailures() []HTTPFailure {
	var list []HTTPFailure
	for _, f := range failures() {
		for text := range strings.FieldsSeq(f.Statuses) {
			// The failures' statuses are numbers.
			status, _ := strconv.Atoi(text)
			h := HTTPFailure{status, cmp.Or(httpStatuses[status], status), f.Name, strings.Trim(f.Message, `"`)}
			if h.Answer == closed {
				h.Message = ""
			}
			list = append(list, h)
		}
	}
	return list
}

// failureMessage writes a message about the rule and service of a call.
func failureMessage(message func(rule, service string) string) string {
	return `"` + message("$gw_route", "$gw_backend") + `"`
}

// failureMaps tell by the time that nginx took to connect, "-" when it didn't, what a timeout and an answer that nginx
// can't pass on were. Of several endpoints the last one counts.
func (b *blocks) failureMaps() {
	b.lateMaps()
	b.lostMaps()
}

// lostMaps: where an endpoint was connected to, it may have run the call (R18). Headers that fill nginx's buffer are too
// large.
func (b *blocks) lostMaps() {
	const (
		source    = `"$upstream_connect_time|$upstream_bytes_received"`
		connected = `"~[0-9]\\|(.*[,:] )?`
	)
	large, other := connected+atLeast(limits.Default.AnswerBuffer)+`\\z"`, connected+`[0-9]+\\z"`
	status := b.add(Map{Comment: "A call that came to nothing: what came back is too large, or not to be read, or no endpoint took it,",
		Source: source,
		Name:   lostStatus[1:], Default: strconv.Itoa(int(answers.Unreached.Code))})
	status.entry(large, strconv.Itoa(int(answers.Oversized.Code)), "")
	status.entry(other, strconv.Itoa(int(answers.Unanswered.Code)), "")
	message := b.add(Map{Comment: "with its message.", Source: source, Name: lostMessage[1:], Default: failureMessage(answers.NotTaken)})
	message.entry(large, failureMessage(answers.TooLarge), "")
	message.entry(other, failureMessage(answers.NoAnswer), "")
}

// atLeast is an expression for the decimal numbers from n on, which is more than 0.
func atLeast(n int) string {
	digits := strconv.Itoa(n)
	// The number itself, whatever is longer, and each digit made larger behind the digits before it.
	alternatives := []string{digits, fmt.Sprintf("[0-9]{%d,}", len(digits)+1)}
	for i, d := range []byte(digits) {
		if d < '9' {
			alternatives = append(alternatives, fmt.Sprintf("%s[%c-9][0-9]{%d}", digits[:i], d+1, len(digits)-i-1))
		}
	}
	return "(" + strings.Join(alternatives, "|") + ")"
}

// lateMaps tell whether a timeout was that of an endpoint that has the call.
func (b *blocks) lateMaps() {
	const unconnected = `"~-\\z"`
	status := b.add(Map{Comment: "A timeout: of an endpoint that has the call, or of a connection,", Source: "$upstream_connect_time",
		Name: lateStatus[1:], Default: strconv.Itoa(int(answers.TimedOut.Code))})
	status.entry(unconnected, strconv.Itoa(int(answers.Unreached.Code)), "")
	message := b.add(Map{Comment: "with its message.", Source: "$upstream_connect_time",
		Name: lateMessage[1:], Default: failureMessage(answers.TooLong)})
	message.entry(unconnected, failureMessage(answers.NotTaken), "")
}
