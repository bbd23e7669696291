package haproxy

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// The actions of an HTTP rule are fields of its target behind section, rule and service, so that they change without a
// reload:
//
//	HOST;PATH;OLD;CORS;TIMEOUT;SCHEME;PORT;RELAY
//
// HOST is the new host. PATH is the new path with "f" before it, or what stands in for the prefix OLD, without a final
// slash, with "p" before it; "s" instead says that it has a slash where no path is left. CORS is a policy in cors.map,
// TIMEOUT is in milliseconds, SCHEME and PORT ("p443") are a redirect's. HOST, PATH and OLD are in base64, which has no
// separator. A redirect has "redirect:CODE" for its section. RELAY is what the bridge is told; a gRPC rule has that too.

// relayField is the number of the field RELAY in a target.
const relayField = 11

// used says which actions a configuration needs lines for.
type used struct {
	rewrites, cors, timeouts bool
	// web says that rules take calls of gRPC-Web.
	web bool
	// codes are those of redirects, ascending.
	codes []int
	// statuses are HTTP statuses of rules.
	statuses []int
	// sessions are those that draws look at.
	sessions []Session
	// depths are the numbers of labels behind wildcards of origins.
	depths []int
}

// redirectCodes and httpStatuses are all that there are.
var (
	redirectCodes = []int{301, 302, 303, 307, 308}
	httpStatuses  = []int{404, 413, 500, 503, 504}
)

// actions are the fields of a handling and a redirect, with a semicolon before each.
func (t *targets) actions(h *model.Handling, redirect *model.Redirect, relayed string) (_ string, err error) {
	fields := make([]string, 8)
	fields[7] = relayed
	host, path := "", (*model.PathChange)(nil)
	switch {
	case redirect != nil:
		host, path = redirect.Hostname, redirect.Path
		fields[5], fields[6] = redirect.Scheme, portField(redirect)
	case h.Rewrite != nil:
		host, path = h.Rewrite.Hostname, h.Rewrite.Path
	}
	t.used.rewrites = t.used.rewrites || redirect == nil && (host != "" || path != nil)
	fields[0] = Value(host)
	if path != nil {
		fields[1], fields[2] = pathFields(path)
	}
	if h.CORS != nil {
		if fields[3], err = t.policy(h.CORS); err != nil {
			return "", err
		}
	}
	if redirect == nil {
		fields[4] = timeoutField(h.Timeouts)
		t.used.timeouts = t.used.timeouts || fields[4] != ""
	}
	return strings.TrimRight(";"+strings.Join(fields, ";"), ";"), nil
}

func portField(r *model.Redirect) string {
	if r.Port == 0 {
		return ""
	}
	return "p" + strconv.Itoa(int(r.Port))
}

func pathFields(c *model.PathChange) (path, old string) {
	if c.Whole {
		return "f" + Value(c.Value), ""
	}
	value, slash := strings.CutSuffix(c.Value, "/")
	if slash {
		return "s" + Value(value), Value(c.Prefix)
	}
	return "p" + Value(value), Value(c.Prefix)
}

// longestTimeout is about the longest that HAProxy's clock counts: it takes a longer one for one that is over.
const longestTimeout = 24 * 24 * time.Hour

// timeoutField is how long a server may be silent: HAProxy has no other limit for a request. Each attempt has that long.
func timeoutField(t model.Timeouts) string {
	limit := min(cmp.Or(t.Backend, t.Request), longestTimeout)
	if limit == 0 {
		return ""
	}
	return strconv.FormatInt(int64((limit+time.Millisecond-1)/time.Millisecond), 10)
}
