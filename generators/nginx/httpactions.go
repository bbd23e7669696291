package nginx

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
)

// httpActions are what answers requests of HTTPRoutes: a cluster with what filters do, another place to ask, or a status.
type httpActions struct {
	// version decides how HTTP/2 is spoken to endpoints.
	version model.Version
	// forwarded are the headers that say whose request it is.
	forwarded []forwardedHeader
	profiles  []HTTPProfile
	names     map[string]string
	// statuses and codes are the HTTP statuses that rules answer with, and redirect with.
	statuses, codes map[int]bool
	// uri, host and location are the maps of what an endpoint is asked for, and of the place of a redirect.
	uri, host, location *block
	// known are other variables that exist.
	known map[string]bool
	// retried are the upstreams for requests that are tried again.
	retried map[string]*Upstream
	cors    []Preflight
}

// Preflight is the location that answers the preflight requests of a CORS filter.
type Preflight struct {
	Name       string
	Directives []string
}

// startHTTP starts the maps that only HTTPRoutes need.
func (a *actions) startHTTP(v model.Version, trusted bool) {
	a.http = httpActions{version: v, forwarded: append(forwardedHeaders(trusted), a.profiles.forwarded...), names: map[string]string{}, statuses: map[int]bool{}, codes: map[int]bool{}, known: map[string]bool{},
		retried: map[string]*Upstream{}}
	a.http.uri = a.blocks.add(Map{Comment: "What an endpoint is asked for: nothing here is what the client asked for, byte for byte,",
		Source: "$gw_action", Name: "gw_uri"})
	a.http.host = a.blocks.add(Map{Comment: "and the host,", Source: "$gw_action", Name: "gw_host_sent", Default: "$gw_authority"})
	a.http.location = a.blocks.add(Map{Comment: "or where a client is sent to.", Source: "$gw_action", Name: "gw_location"})
	for _, b := range []*block{a.http.uri, a.http.host, a.http.location} {
		b.byKey = true
	}
}

// httpStatus is the action that answers an HTTP status; its text names the rule too.
func (a *actions) httpStatus(s *model.Status) (string, error) {
	answer := answers.HTTPOf(*s)
	id, known := a.id(fmt.Sprintf("http status %d %s", answer.Status, answer.Text))
	if known {
		return id, nil
	}
	a.http.statuses[answer.Status] = true
	a.target.entry(id, statusLocation(answer.Status), "")
	return id, a.message(id, printable(answer.Text))
}

func statusLocation(status int) string { return "@gw_http_" + strconv.Itoa(status) }

// printable is a text without control characters.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// httpAction is the action that passes requests on to a cluster.
func (a *actions) httpAction(b *model.Backend, u *Upstream, w *way) (string, error) {
	profile, err := a.httpProfile(b, u, w)
	if err != nil {
		return "", err
	}
	if b.Retry != nil && b.Retry.Attempts > 0 {
		u = a.retried(u, b.Retry.Attempts+1)
	}
	uri, asked, host := "", "", ""
	if r := b.Rewrite; r != nil {
		if r.Path != nil {
			if uri, err = a.changed(r.Path); err != nil {
				return "", err
			}
			if asked, err = together(uri, "$gw_search"); err != nil {
				return "", err
			}
		}
		if r.Hostname != "" {
			if host, err = Value(r.Hostname); err != nil {
				return "", err
			}
		}
	}
	id, known := a.id(strings.TrimSuffix(strings.Join([]string{"http", u.Name, profile, uri, host, w.relayed}, " "), " "))
	if known {
		return id, nil
	}
	a.tellBridge(id, w.relayed)
	if uri != "" {
		a.http.uri.entry(id, asked, "")
	}
	if host != "" {
		a.http.host.entry(id, host, "")
	}
	target, err := a.answering(b.CORS, profile)
	if err != nil {
		return "", fmt.Errorf("CORS: %w", err)
	}
	return id, a.send(id, target, u)
}

// retried is the upstream with endpoints of a cluster for requests that are tried so often: nginx tries each place in it
// once, so all of them stand there so often.
func (a *actions) retried(u *Upstream, tries int) *Upstream {
	name := fmt.Sprintf("%s_tries_%d", u.Name, tries)
	r := a.http.retried[name]
	if r == nil {
		again := *u
		again.Name, again.Tries, again.Backup = name, tries, false
		r = &again
		a.http.retried[name] = r
	}
	return r
}

// redirectAction is the action that sends a client elsewhere.
func (a *actions) redirectAction(r *model.Redirect) (string, error) {
	scheme, host, path := "$scheme", "$host", "$gw_path"
	if r.Scheme != "" {
		scheme = r.Scheme
	}
	if r.Hostname != "" {
		token, err := Value(r.Hostname)
		if err != nil {
			return "", err
		}
		host = unquoted(token)
	}
	if r.Path != nil {
		var err error
		if path, err = a.changed(r.Path); err != nil {
			return "", err
		}
	}
	place, err := together(scheme, "://", host, a.redirectPort(r), path, "$gw_search")
	if err != nil {
		return "", err
	}
	id, known := a.id(fmt.Sprintf("redirect %d %s", r.Code, place))
	if known {
		return id, nil
	}
	a.http.codes[r.Code] = true
	a.target.entry(id, "@gw_redirect_"+strconv.Itoa(r.Code), "")
	a.http.location.entry(id, place, "")
	return id, nil
}

// redirectPort is the port of a redirect with its colon, or nothing where that is the scheme's own: text with variables.
func (a *actions) redirectPort(r *model.Redirect) string {
	own := map[string]int32{"http": 80, "https": 443}
	switch {
	case r.Port == 0 && r.Scheme == "":
		return "$gw_port"
	case r.Port == 0, r.Scheme != "" && r.Port == own[r.Scheme]:
		return ""
	case r.Scheme != "" || r.Port != 80 && r.Port != 443:
		return ":" + strconv.Itoa(int(r.Port))
	}
	// The listener's scheme tells whether it is that one's own port.
	name := fmt.Sprintf("gw_port_%d", r.Port)
	if !a.http.known[name] {
		a.http.known[name] = true
		b := a.blocks.add(Map{Comment: "A port that one scheme leaves out.", Source: "$scheme", Name: name,
			Default: fmt.Sprintf(`":%d"`, r.Port)})
		for scheme, port := range own {
			if port == r.Port {
				b.entry(scheme, `""`, "")
			}
		}
	}
	return "${" + name + "}"
}

// changed is what becomes of the path of a request: text with variables.
func (a *actions) changed(c *model.PathChange) (string, error) {
	value, err := Value(c.Value)
	if err != nil {
		return "", err
	}
	if c.Whole {
		return unquoted(value), nil
	}
	depth := strings.Count(c.Prefix, "/")
	rest := fmt.Sprintf("gw_rest_%d", depth)
	a.http.rest(a.blocks, rest, depth)
	if c.Value != "" && !strings.HasSuffix(c.Value, "/") {
		return unquoted(value) + "${" + rest + "}", nil
	}
	// With a rest, one slash stands between; without, the path isn't empty.
	trimmed, err := Value(strings.TrimSuffix(c.Value, "/"))
	if err != nil {
		return "", err
	}
	name := "gw_changed_" + a.blocks.ids.Of(fmt.Sprintf("%d %s", depth, c.Value))
	if !a.http.known[name] {
		longer, err := together(unquoted(trimmed), "$", rest)
		if err != nil {
			return "", err
		}
		whole, err := Value(c.Of(c.Prefix))
		if err != nil {
			return "", err
		}
		a.http.known[name] = true
		b := a.blocks.add(Map{Comment: "A prefix that becomes one with a slash behind it, or nothing.", Source: "$" + rest, Name: name,
			Default: longer})
		b.entry(`""`, whole, "")
	}
	return "${" + name + "}", nil
}

// rest makes the variable with what stands behind so many segments.
func (h *httpActions) rest(bs *blocks, name string, depth int) {
	if h.known[name] {
		return
	}
	h.known[name] = true
	b := bs.add(Map{Comment: "What stands behind a prefix.", Source: "$gw_path", Name: name})
	b.entry(fmt.Sprintf(`"~^(?:/[^/]*){%d}(/.*)\\z"`, depth), "$1", "")
}

// unquoted is a token without its quotes, to stand in another one.
func unquoted(token string) string { return token[1 : len(token)-1] }
