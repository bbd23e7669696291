package haproxy

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// HTTP is what a frontend has for requests of HTTPRoutes. Lines for what no rule uses are left out, unless rules may come
// while HAProxy runs.
type HTTP struct {
	// First are the steps of the scopes that hosts find first, and Rest those of their parents.
	First, Rest []Block
	// Statuses are those of rules, and Codes those of redirects.
	Statuses, Codes []int
	// Early are the failures that are answered without rules where nothing is known of the request.
	Early []Early
	// Loop, Unserved and Hostless are texts of answers, as quoted words.
	Loop, Unserved, Hostless string
	// Trusted are networks whose X-Forwarded headers are kept.
	Trusted []netip.Prefix
	// Scheme and Port are the listeners' own for redirects.
	Scheme string
	Port   int32
	// Rewrites, Timeouts and CORS say what targets may have; Wildcards find origins.
	Rewrites, Timeouts, CORS bool
	// Web says that rules of GRPCRoutes take calls of gRPC-Web.
	Web       bool
	Wildcards []string
}

// Early is a failure with an HTTP status, and the gRPC status that it is for a call.
type Early struct {
	Status, Code int
	// Message is a log-format word.
	Message string
}

// early are those that HAProxy may answer before it knows what a client wants.
func early() (list []Early, err error) {
	for _, f := range failures {
		if isEarly(f.status) {
			message, err := LogFormat(answers.Encode(f.answer.Message))
			if err != nil {
				return nil, err
			}
			list = append(list, Early{f.status, int(f.answer.Code), message})
		}
	}
	return list, nil
}

// isEarly says whether an HTTP status may be one of what HAProxy couldn't read.
func isEarly(status int) bool { return status == 400 || status == 408 }

// unserved answers methods that reach no backend (R39).
var unserved = answers.HTTP{Status: 405, Text: "the proxy doesn't serve this method"}

// bodyOf is the text of an answer as a word of a rule, on a line of its own. It is one of ours, without quotes.
func bodyOf(a answers.HTTP) string { return `"` + a.Text + `\n"` }

// httpOf is the HTTP part of a port.
func (f *frontends) httpOf(p *matching.Port) (*HTTP, error) {
	h := &HTTP{Loop: bodyOf(answers.HTTPLoop), Unserved: bodyOf(unserved), Hostless: bodyOf(answers.HTTPHostless), Trusted: f.trusted,
		Scheme: "http", Port: p.Port,
		Statuses: slices.Sorted(slices.Values(f.used.statuses)), Codes: slices.Sorted(slices.Values(f.used.codes)),
		Rewrites: f.used.rewrites, Timeouts: f.used.timeouts, CORS: f.used.cors, Web: f.used.web}
	if p.Protocol == model.HTTPS {
		h.Scheme = "https"
	}
	depths := slices.Clone(f.used.depths)
	if f.routes.live() {
		h.Statuses, h.Codes, h.Rewrites, h.Timeouts, h.CORS = httpStatuses, redirectCodes, true, true, true
		for n := range liveDepth + 1 {
			if !slices.Contains(depths, n) {
				depths = append(depths, n)
			}
		}
	}
	h.Wildcards = wildcardLines(depths, f.routes.sides.converter, f.folder)
	var err error
	if h.Early, err = early(); err != nil {
		return nil, err
	}
	blocks, first, err := f.blocks(p, model.HTTPRoute)
	h.First, h.Rest = blocks[:first], blocks[first:]
	return h, err
}

// ownHeaders are those that endpoints of HTTPRoutes get from the proxy.
var ownHeaders = regexp.MustCompile(`^(?:upgrade|connection|keep-alive|proxy-connection|x[-_]forwarded[-_](?:for|proto|host))$`)

// everyEndpoint are those that all endpoints may get from it.
var everyEndpoint = regexp.MustCompile(`^(?:cdn-loop|x[-_]forwarded[-_]client[-_]cert)$`)

// readsOwn says whether conditions look at such headers.
func (r *routes) readsOwn() bool {
	for _, steps := range r.needs {
		for _, n := range steps {
			own := func(c column) bool {
				return c.subject == matching.SubjectHeader && (everyEndpoint.MatchString(c.name) || n.http && ownHeaders.MatchString(c.name))
			}
			for _, columns := range n.sets {
				if slices.ContainsFunc(columns, own) {
					return true
				}
			}
		}
	}
	return false
}

// Past is the line that ends the way of a request with nothing more to do.
func (h *HTTP) Past() string { return past }

// Redirects says that there are any.
func (h *HTTP) Redirects() bool { return len(h.Codes) > 0 }

// Default is the port of the scheme that is left out of places, with a colon before it.
func (h *HTTP) Default() string {
	if h.Port == 80 && h.Scheme == "http" || h.Port == 443 && h.Scheme == "https" {
		return ""
	}
	return ":" + strconv.Itoa(int(h.Port))
}
