package haproxy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
)

// failure is what HAProxy answers when it fails by itself (R18): an HTTP status that becomes a gRPC one. The
// message names the rule where there is one: the frontend sees to that.
type failure struct {
	status int
	answer model.Status
}

// ownStatuses are the HTTP statuses that HAProxy can answer with by itself, in all versions.
var ownStatuses = []int{400, 401, 403, 404, 405, 408, 413, 429, 500, 501, 502, 503, 504}

// failures are the answers of ownStatuses.
var failures = failuresOf(ownStatuses)

func failuresOf(statuses []int) []failure {
	var list []failure
	for _, status := range statuses {
		for _, f := range answers.Failures {
			if slices.Contains(f.Statuses, status) {
				list = append(list, failure{status, f.Answer})
			}
		}
	}
	return list
}

// errorFiles are the answers as files, with a gRPC status and no body. Those of HAProxy's own failures have an HTTP status
// too where there are HTTPRoutes: the frontend leaves one of the two, by the kind of the request. What HAProxy couldn't read
// has the HTTP status alone.
func errorFiles(http bool) []generators.File {
	files := []generators.File{
		errorFile("norule", 200, answers.NoRule),
		errorFile("loop", 200, answers.Loop),
		// The frontend writes the status of the target over it.
		errorFile("status", 200, answers.Failed),
	}
	for _, f := range failures {
		path := fmt.Sprint(f.status)
		switch {
		case !http:
			files = append(files, errorFile(path, 200, f.answer))
		case isEarly(f.status):
			files = append(files, generators.File{Path: "errors/" + path + ".http",
				Data: fmt.Appendf(nil, "HTTP/1.1 %d Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", f.status)})
		default:
			files = append(files, errorFile(path, f.status, f.answer))
		}
	}
	return files
}

func errorFile(name string, status int, s model.Status) generators.File {
	var b strings.Builder
	reason := "OK"
	if status != 200 {
		reason = "Error"
	}
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\ncontent-type: application/grpc\r\n", status, reason)
	fmt.Fprintf(&b, "grpc-status: %d\r\ngrpc-message: %s\r\n\r\n", s.Code, answers.Encode(s.Message))
	return generators.File{Path: "errors/" + name + ".http", Data: []byte(b.String())}
}

// refused are conditions of a 502 that is a connection's refusal. Up to 3.0 that is a 503. Later versions say 502, as
// of a call that the endpoint has; then the connection is gone, or its error says so.
func refused(v model.Version) []string {
	if !v.AtLeast(3, 1, 0) {
		return nil
	}
	errors := "ECONNREFUSED EHOSTUNREACH ENETUNREACH"
	if v.AtLeast(3, 3, 0) {
		// "General socket error" is what becomes of a connection that nobody takes. One that was there has others.
		errors += " General"
	}
	return []string{"!{ bc_err -m found }", "{ bc_err_str -m beg " + errors + " }"}
}

// failureMessage writes a message about a rule and its service as a log-format string: both names come from
// the target, percent-encoded.
func failureMessage(message func(rule, service string) string) (string, error) {
	text, err := LogFormat(answers.Encode(message("{rule}", "{service}")))
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"{rule}", "%[var(txn.target),field(2,;)]",
		"{service}", "%[var(txn.target),field(3,;)]",
	).Replace(text), nil
}
