package generators

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
)

// AccessLog is where the running configuration writes a line for each call, and how.
type AccessLog struct {
	Target AccessTarget
	Format AccessFormat
	// Token begins lines of AccessTold and AccessBrief, so that nobody else's is taken for one.
	Token string
}

// AccessFormat says what a line of an access log looks like.
type AccessFormat string

// The formats. Those for people have a call's time, client, Gateway, method, authority, path without its query, HTTP status, gRPC status,
// duration, bytes of the request and of the response, rule, Service, endpoint, and the x-request-id that the client sent.
const (
	// AccessText and AccessJSON are for people and for programs.
	AccessText AccessFormat = "text"
	AccessJSON AccessFormat = "json"
	// AccessTold is all of that for gatewright itself, and AccessBrief what it counts: AccessFields in their order, with tabs between
	// them.
	AccessTold  AccessFormat = "told"
	AccessBrief AccessFormat = "brief"
)

// AccessFields are what lines of AccessTold have behind their token, in their order; those of AccessBrief end with the path.
var AccessFields = []string{"gateway", "rule", "service", "code", "status", "duration", "method", "path",
	"client", "endpoint", "received", "sent", "authority", "id"}

// BriefFields is how many AccessFields lines of AccessBrief have.
const BriefFields = 8

// Fields are the names of a format's fields, with the time first.
func (f AccessFormat) Fields() []string {
	switch f {
	case AccessBrief:
		return AccessFields[:BriefFields]
	case AccessTold:
		return AccessFields
	}
	return []string{"time", "client", "gateway", "method", "authority", "path", "status", "code", "duration", "received", "sent", "rule", "service",
		"endpoint", "id"}
}

// bare are fields of AccessText without quotes, and numeric those of AccessJSON.
var (
	bare    = []string{"time", "client", "status", "duration", "received", "sent"}
	numeric = []string{"status", "duration", "received", "sent"}
)

// Line writes a line of the format: expression is what a proxy puts in the place of a field.
func (l *AccessLog) Line(expression func(field string) string) string {
	quoted := func(field string, unless []string) string {
		if slices.Contains(unless, field) {
			return expression(field)
		}
		return `"` + expression(field) + `"`
	}
	fields := l.Format.Fields()
	parts := make([]string, len(fields))
	switch l.Format {
	case AccessJSON:
		for i, f := range fields {
			parts[i] = `"` + f + `":` + quoted(f, numeric)
		}
		return "{" + strings.Join(parts, ",") + "}"
	case AccessText:
		for i, f := range fields {
			parts[i] = quoted(f, bare)
		}
		return strings.Join(parts, " ")
	}
	for i, f := range fields {
		parts[i] = expression(f)
	}
	return strings.Join(append([]string{l.Token}, parts...), "\t")
}

// AccessTarget is where an access log goes: AccessStderr, the absolute path of a file, or AccessSyslog with HOST:PORT or unix:PATH
// behind it.
type AccessTarget string

// The words of AccessTarget, as `--access-log` takes them.
const (
	AccessStderr AccessTarget = "stderr"
	AccessSyslog AccessTarget = "syslog:"
)

// Check says what is wrong with a target.
func (t AccessTarget) Check() error {
	_, socket, address := t.Syslog()
	switch {
	case t == AccessStderr:
		return nil
	case socket && !filepath.IsAbs(address):
		return fmt.Errorf("%q: the socket's path must be absolute", t)
	case address != "" && !socket:
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%q: it must be syslog:HOST:PORT or syslog:unix:PATH", t)
		}
		return nil
	case address == "" && !filepath.IsAbs(string(t)):
		return fmt.Errorf("%q: it must be off, stderr, the absolute path of a file, syslog:HOST:PORT or syslog:unix:PATH", t)
	}
	return nil
}

// Syslog is the address of a target that is a syslog server, and whether that is the path of a unix socket; ok is false for another.
func (t AccessTarget) Syslog() (ok, socket bool, address string) {
	address, ok = strings.CutPrefix(string(t), string(AccessSyslog))
	if !ok {
		return false, false, ""
	}
	path, socket := strings.CutPrefix(address, "unix:")
	return true, socket, path
}
