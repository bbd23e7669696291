package haproxy

import (
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// AccessLog is what the templates see of a frontend's log of calls, as words.
type AccessLog struct {
	// Target is what stands behind "log", Format behind "log-format".
	Target, Format string
	// Full says that the host and the x-request-id are kept for it.
	Full bool
}

// logLine is the most bytes of a line.
const logLine = 8192

// accessFields are HAProxy's expressions for the fields of an access log, but for the Gateway, which each frontend knows. What clients
// write is escaped: the path by HAProxy, headers as in JSON. The trailers of an answer can't be seen.
var accessFields = map[string]string{
	"time": "%[date,utime(%Y-%m-%dT%H:%M:%SZ)]", "client": "%ci", "method": "%HM", "authority": "%[capture.req.hdr(0),json(utf8s)]",
	"path": "%HPO", "status": "%ST", "code": "%[var(txn.code)]", "duration": "%Ta", "received": "%U", "sent": "%B",
	"rule": "%[var(txn.target),field(2,;),url_dec]", "service": "%[var(txn.target),field(3,;),url_dec]", "endpoint": "%s",
	"id": "%[capture.req.hdr(1),json(utf8s)]",
}

// accessLog makes it for the frontend of a Gateway, or nil.
func accessLog(l *generators.AccessLog, gateway string) (*AccessLog, error) {
	if l == nil {
		return nil, nil
	}
	a := &AccessLog{Full: l.Format != generators.AccessBrief}
	format := ""
	ok, socket, address := l.Target.Syslog()
	switch {
	case socket:
		address = "unix@" + address
	case l.Target == generators.AccessStderr:
		address, format = "stderr", "format raw "
	case !ok:
		return nil, fmt.Errorf("the access log %q: HAProxy writes to no file: name stderr or a syslog server", l.Target)
	}
	if l.Token != "" {
		format = "format raw "
	}
	word, err := Arg(address)
	if err != nil {
		return nil, fmt.Errorf("the access log %q: %w", l.Target, err)
	}
	a.Target = fmt.Sprintf("%s len %d %slocal0 info", word, logLine, format)
	name := strings.ReplaceAll(gateway, "%", "%%")
	a.Format, err = Arg(l.Line(func(field string) string {
		switch {
		case field == "gateway":
			return name
		case field == "duration" && l.Token == "":
			return accessFields[field] + "%[str(e-3)]" // In seconds, as nginx has it.
		}
		return accessFields[field]
	}))
	return a, err
}
