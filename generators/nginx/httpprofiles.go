package nginx

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// HTTPProfile is a location that passes requests of HTTPRoutes on: there is one for each distinct set of protocol, header
// changes, timeouts and retries.
type HTTPProfile struct {
	// Name begins with "@".
	Name string
	// Module is "proxy" or "grpc": what its directives begin with.
	Module string
	// HTTP2 says that the module proxy speaks HTTP/2.
	HTTP2 bool
	// TLS says that endpoints are spoken to by TLS.
	TLS bool
	// Host and URI are variables: the host that is sent, and what an endpoint is asked for. "" is what the client asked for.
	Host, URI string
	// Directives are lines without indentation.
	Directives []string
}

// proxyHTTP2 is the first version whose module proxy speaks HTTP/2. Before it the module grpc does, which sends other
// requests too.
var proxyHTTP2 = model.Version{Major: 1, Minor: 29, Patch: 4}

// httpProfile is the name of the location for what a backend's filters, timeouts and retries do.
func (a *actions) httpProfile(b *model.Backend, u *Upstream, w *way) (string, error) {
	p := HTTPProfile{Module: "proxy", Host: "$gw_authority", TLS: u.TLS != nil}
	if r := b.Rewrite; r != nil {
		if r.Hostname != "" {
			p.Host = "$gw_host_sent"
		}
		if r.Path != nil {
			p.URI = "$gw_uri"
		}
	}
	if u.Protocol == model.BackendH2C {
		if p.HTTP2 = a.http.version.Compare(proxyHTTP2) >= 0; !p.HTTP2 {
			p.Module = "grpc"
		}
	}
	if u.TLS != nil {
		lines, err := a.profiles.tls.lines(p.Module, u.TLS)
		if err != nil {
			return "", err
		}
		p.Directives = lines
	}
	forwarded := map[string]bool{}
	for i := range b.RequestHeaders {
		h := &b.RequestHeaders[i]
		lines, err := ownedHeader(p.Module, h, a.http.forwarded, a.blocks)
		if err != nil {
			return "", fmt.Errorf("request header %q: %w", h.Name, err)
		}
		forwarded[h.Name] = true
		p.Directives = append(p.Directives, lines...)
	}
	p.Directives = append(p.Directives, forwardedLines(p.Module, a.http.forwarded, forwarded)...)
	for i := range b.ResponseHeaders {
		h := &b.ResponseHeaders[i]
		lines, err := responseHeader(p.Module, h, a.blocks)
		if err != nil {
			return "", fmt.Errorf("response header %q: %w", h.Name, err)
		}
		p.Directives = append(p.Directives, lines...)
	}
	if b.CORS != nil {
		lines, err := a.corsAnswer(b.CORS, p.Module)
		if err != nil {
			return "", fmt.Errorf("CORS: %w", err)
		}
		p.Directives = append(p.Directives, lines...)
	}
	p.Directives = append(p.Directives, p.limits(b)...)
	p.Directives = append(p.Directives, w.lines(p.Module)...)
	key := fmt.Sprintf("%s %t %s %s\n%s", p.scheme(), p.HTTP2, p.Host, p.URI, strings.Join(p.Directives, "\n"))
	if name, ok := a.http.names[key]; ok {
		return name, nil
	}
	p.Name = "@gw_http_" + a.blocks.ids.Of("location "+key)
	a.http.names[key] = p.Name
	a.http.profiles = append(a.http.profiles, p)
	return p.Name, nil
}

// scheme tells modules apart, and with TLS from without.
func (p *HTTPProfile) scheme() string {
	if p.TLS {
		return p.Module + "s"
	}
	return p.Module
}

// forwardedHeader says to an endpoint whose request it is.
type forwardedHeader struct{ name, value string }

// forwardedHeaders are those of all requests. Where proxies in front are trusted, maps ask for each request whether one of
// them has sent it.
func forwardedHeaders(trusted bool) []forwardedHeader {
	if trusted {
		return []forwardedHeader{
			{"x-forwarded-for", "$gw_forwarded_for"}, {"x-forwarded-host", "$gw_forwarded_host"}, {"x-forwarded-proto", "$gw_forwarded_proto"},
		}
	}
	return []forwardedHeader{{"x-forwarded-for", "$remote_addr"}, {"x-forwarded-host", "$gw_authority"}, {"x-forwarded-proto", "$scheme"}}
}

// aliases are other names that some endpoints take for one, with dashes: they read "_" as "-".
func aliases(name string) (list []string) {
	begin, last, ok := cutLast(name)
	if !ok {
		return nil
	}
	for _, b := range append([]string{begin}, aliases(begin)...) {
		list = append(list, b+"-"+last, b+"_"+last)
	}
	return list[1:]
}

// cutLast cuts a name at its last dash.
func cutLast(name string) (begin, last string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// forwardedLines set the headers that no filter has changed, and drop their aliases.
func forwardedLines(module string, forwarded []forwardedHeader, changed map[string]bool) (lines []string) {
	for _, h := range forwarded {
		if !changed[h.name] {
			lines = append(lines, module+"_set_header "+h.name+" "+h.value+";")
		}
		for _, alias := range aliases(h.name) {
			if !changed[alias] {
				lines = append(lines, module+"_set_header "+alias+` "";`)
			}
		}
	}
	return lines
}

// ownedHeader is what a filter does to a header. The proxy's own headers are those that it adds to.
func ownedHeader(module string, h *model.HeaderChange, forwarded []forwardedHeader, bs *blocks) ([]string, error) {
	for _, own := range forwarded {
		if own.name != h.Name || !h.Keep {
			continue
		}
		directive := module + "_set_header " + own.name
		lines, err := headerLines(directive, "", h.Values, bs)
		return append([]string{directive + " " + own.value + ";"}, lines...), err
	}
	return requestHeader(module, h, bs)
}

// connectTime is how long a connection to an endpoint may take, and nextTime how long the next endpoints are tried.
const (
	connectTime = 2 * time.Second
	nextTime    = 15 * time.Second
)

// limits are the directives of timeouts and retries. nginx's clock begins anew with each part of an answer, so a request
// is late that nothing comes for in the time; the time for all attempts ends when no other one may begin.
func (p *HTTPProfile) limits(b *model.Backend) []string {
	var lines []string
	add := func(name, value string) { lines = append(lines, p.Module+"_"+name+" "+value+";") }
	t := b.Timeouts
	each := t.Backend
	if each == 0 || t.Request > 0 && t.Request < each {
		each = t.Request
	}
	if each > 0 {
		add("read_timeout", milliseconds(each))
		if each < connectTime {
			add("connect_timeout", milliseconds(each))
		}
	}
	again := b.Retry != nil && b.Retry.Attempts > 0
	next := time.Duration(0)
	switch {
	case t.Request > 0 && again:
		// The last attempt begins so early that it ends in time.
		if next = t.Request - each; next <= 0 {
			next = t.Request
		}
	case each > 0 && !again:
		next = each
	case again:
		next = -1
	}
	switch {
	case next < 0:
		add("next_upstream_timeout", "0")
	case next > 0 && next != nextTime:
		add("next_upstream_timeout", milliseconds(next))
	}
	if b.Retry == nil {
		return lines
	}
	if !again {
		add("next_upstream", "off")
		return lines
	}
	conditions := "error timeout non_idempotent"
	for _, code := range b.Retry.Codes {
		conditions += " http_" + strconv.Itoa(code)
	}
	add("next_upstream", conditions)
	add("next_upstream_tries", strconv.Itoa(b.Retry.Attempts+1))
	if p.Module == "proxy" {
		// A body that is gone can't be sent again.
		add("request_buffering", "on")
	}
	return lines
}

// milliseconds writes a time for nginx; less than one is one.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(1, d.Milliseconds()), 10) + "ms"
}
