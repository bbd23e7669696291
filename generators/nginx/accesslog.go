package nginx

import (
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// AccessLog is what the templates see of the log of calls, as tokens.
type AccessLog struct {
	// Target and Format are the parameters of access_log and of log_format.
	Target, Format string
}

// accessFields are nginx's variables for the fields of an access log. $gw_gateway is each server's own.
var accessFields = map[string]string{
	"time": "$time_iso8601", "client": "$remote_addr", "gateway": "$gw_gateway", "method": "$request_method", "authority": "$http_host",
	"path": "$gw_path", "status": "$status", "code": "$gw_code", "duration": "$request_time", "received": "$request_length",
	"sent": "$bytes_sent", "rule": "$gw_route", "service": "$gw_backend", "endpoint": "$upstream_addr", "id": "$http_x_request_id",
}

// accessLog makes it, or nil.
func accessLog(l *generators.AccessLog) (*AccessLog, error) {
	if l == nil {
		return nil, nil
	}
	target := string(l.Target)
	if ok, socket, address := l.Target.Syslog(); ok {
		if socket {
			address = "unix:" + address
		}
		target = "syslog:server=" + address + ",tag=gatewright"
		if l.Token != "" {
			target += ",nohostname"
		}
	} else if l.Target == generators.AccessStderr {
		target = "/dev/stderr"
	}
	// Commas separate the parts of a syslog server.
	if strings.Count(target, ",") > 2 {
		return nil, fmt.Errorf("the access log %q: nginx takes no comma in it", l.Target)
	}
	var a AccessLog
	var err error
	if a.Target, err = Token(target); err != nil {
		return nil, fmt.Errorf("the access log %q: %w", l.Target, err)
	}
	a.Format, err = Token(l.Line(func(field string) string { return accessFields[field] }))
	return &a, err
}
