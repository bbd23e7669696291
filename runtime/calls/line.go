package calls

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators"
)

// Call is what a proxy says of a call.
type Call struct {
	// Gateway is the name of the Gateway, "namespace/name".
	Gateway string
	// Rule and Service are named as in messages: "GRPCRoute ns/name rule 0 (canary)", "Service ns/name port 80"; "" where none was
	// found.
	Rule, Service string
	// Code is the name of the gRPC status, "" for a request of no gRPC, and "-" where the proxy can't see it.
	Code string
	// Status is the HTTP status that the client got, 0 for none.
	Status int
	// Duration is the time from the request's first byte to the answer's last one.
	Duration time.Duration
	// Method is the HTTP method, and Path the path without its query.
	Method, Path string

	// The rest is "" or 0 where there is no access log. Endpoint is the last one that was tried.
	Client, Endpoint string
	Received, Sent   int64
	Authority, ID    string
}

// nothing is what HAProxy writes for a field that it has nothing for.
const nothing = "-"

// clientGone is the status that nginx says of a call whose client didn't wait for the answer.
const clientGone = 499

// parser reads lines of one proxy.
type parser struct{ token []byte }

// The start of a line is the proxy's own: nginx writes syslog's header before it.
func (p parser) parse(line []byte) (c Call, ok bool) {
	if len(line) > 0 && line[0] == '<' {
		_, line, ok = bytes.Cut(line, []byte("gatewright: "))
		if !ok {
			return c, false
		}
	}
	rest, ok := bytes.CutPrefix(line, p.token)
	if !ok || len(rest) == 0 || rest[0] != '\t' {
		return c, false
	}
	fields := strings.Split(strings.TrimRight(string(rest[1:]), "\n"), "\t")
	if len(fields) < generators.BriefFields {
		return c, false
	}
	for i, f := range fields {
		if fields[i] = unescape(f); f == nothing {
			fields[i] = ""
		}
	}
	c = Call{Gateway: fields[0], Rule: fields[1], Service: fields[2], Method: fields[6], Path: fields[7]}
	c.Status, _ = strconv.Atoi(fields[4])
	c.Duration = duration(fields[5])
	c.Code = c.code(fields[3])
	if len(fields) == len(generators.AccessFields) {
		c.Client, c.Endpoint, c.Authority, c.ID = fields[8], endpoint(fields[9]), fields[12], fields[13]
		c.Received, _ = strconv.ParseInt(fields[10], 10, 64)
		c.Sent, _ = strconv.ParseInt(fields[11], 10, 64)
	}
	return c, true
}

// code is the name of a gRPC status, as the proxy saw it.
func (c *Call) code(text string) string {
	grpc := strings.HasPrefix(c.Rule, "GRPCRoute ")
	n, err := strconv.ParseUint(text, 10, 32)
	switch {
	case err == nil && n <= uint64(codes.Unauthenticated):
		return names[n]
	case !grpc:
		return ""
	case c.Status == clientGone:
		return names[codes.Canceled]
	}
	return "-"
}

// names are those of gRPC's documents, by code.
var names = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// duration is nginx's seconds with a point, or HAProxy's milliseconds without.
func duration(text string) time.Duration {
	unit := time.Millisecond
	if strings.Contains(text, ".") {
		unit = time.Second
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f > 0) {
		return 0
	}
	return time.Duration(min(f*float64(unit), float64(longest)))
}

// longest is more than a call can take.
const longest = 365 * 24 * time.Hour

// endpoint is the last of several that nginx tried, or a server of HAProxy without what sections have behind its name.
func endpoint(text string) string {
	if i := strings.LastIndexAny(text, ", "); i >= 0 {
		text = text[i+1:]
	}
	if strings.HasPrefix(text, "unix:") {
		return "bridge"
	}
	for _, suffix := range []string{":again", ":last", ":only"} {
		text = strings.TrimSuffix(text, suffix)
	}
	if text == "<NOSRV>" || text == "<STATS>" {
		return ""
	}
	return text
}

// unescape reads what is escaped as in JSON.
func unescape(text string) string {
	if !strings.ContainsRune(text, '\\') {
		return text
	}
	var plain string
	if err := json.Unmarshal([]byte(`"`+text+`"`), &plain); err != nil {
		return text
	}
	return plain
}
