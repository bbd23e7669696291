package nginx

import (
	"strconv"

	"github.com/gatewright/gatewright/generators/answers"
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
var ownStatuses = map[string][]int{"unreadable": {495, 496, 497}, "large": {494}}

// A timeout is nginx's 504, whether an endpoint was connected to or not: these variables tell them apart.
const lateStatus, lateMessage = "$gw_late_status", "$gw_late_message"

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
		case a.Message != nil:
			f.Message = failureMessage(a.Message)
		}
		list = append(list, f)
	}
	return list
}

// failureMessage writes a message about the rule and service of a call.
func failureMessage(message func(rule, service string) string) string {
	return `"` + message("$gw_route", "$gw_backend") + `"`
}

// lateMaps tell by the time that nginx took to connect, "-" when it didn't, what a timeout was. Of several
// endpoints the last one counts.
func (b *blocks) lateMaps() {
	const unconnected = `"~-\\z"`
	status := b.add(Map{Comment: "A timeout: of an endpoint that has the call, or of a connection,", Source: "$upstream_connect_time",
		Name: lateStatus[1:], Default: strconv.Itoa(int(answers.TimedOut.Code))})
	status.entry(unconnected, strconv.Itoa(int(answers.Unreached.Code)), "")
	message := b.add(Map{Comment: "with its message.", Source: "$upstream_connect_time",
		Name: lateMessage[1:], Default: failureMessage(answers.TooLong)})
	message.entry(unconnected, failureMessage(answers.NotTaken), "")
}
