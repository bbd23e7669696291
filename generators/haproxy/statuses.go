package haproxy

import (
	"fmt"
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

// failures are the HTTP statuses that HAProxy answers with by itself. The codes are those that gRPC gives to
// these statuses. 421 stays as it is: it says that the connection was the wrong one (R7).
var failures = []failure{
	{400, answers.Unreadable},
	{403, answers.Denied},
	{408, answers.Slow},
	{413, answers.Large},
	{429, answers.Limited},
	{500, answers.Failed},
	{502, answers.Unreached},
	{503, answers.Unreached},
	{504, answers.TimedOut},
}

// errorFiles are the answers as files: 200 with a gRPC status and no body.
func errorFiles() []generators.File {
	files := []generators.File{
		errorFile("norule", answers.NoRule),
		// The frontend writes the status of the target over it.
		errorFile("status", answers.Failed),
	}
	for _, f := range failures {
		files = append(files, errorFile(fmt.Sprint(f.status), f.answer))
	}
	return files
}

func errorFile(name string, s model.Status) generators.File {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n")
	fmt.Fprintf(&b, "grpc-status: %d\r\ngrpc-message: %s\r\n\r\n", s.Code, answers.Encode(s.Message))
	return generators.File{Path: "errors/" + name + ".http", Data: []byte(b.String())}
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
