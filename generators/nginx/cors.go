package nginx

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// corsHeaders are what a backend may say of other origins: the filter says it instead.
var corsHeaders = []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
	"Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age"}

// corsID names what a CORS filter says.
func (bs *blocks) corsID(c *model.CORS) string {
	return bs.ids.Of(fmt.Sprintf("cors %q %t %q %q %q %d", c.AllowOrigins, c.AllowCredentials, c.AllowMethods, c.AllowHeaders, c.ExposeHeaders,
		c.MaxAge))
}

// corsAnswer are the directives for the answers of backends.
func (a *actions) corsAnswer(c *model.CORS, module string) ([]string, error) {
	lines := make([]string, 0, len(corsHeaders))
	for _, name := range corsHeaders {
		lines = append(lines, module+"_hide_header "+name+";")
	}
	origin, err := a.corsOrigin(c)
	if err != nil {
		return nil, err
	}
	return append(lines, origin...), nil
}

// corsOrigin are the directives that every answer has to an origin that may ask.
func (a *actions) corsOrigin(c *model.CORS) ([]string, error) {
	origin := originVariable(a.blocks.corsID(c))
	if err := a.allowOrigins(c, origin); err != nil {
		return nil, err
	}
	lines := []string{"add_header Access-Control-Allow-Origin $" + origin + " always;", "add_header Vary Origin always;"}
	if c.AllowCredentials {
		lines = append(lines, a.corsHeader(c, "Access-Control-Allow-Credentials", "true"))
	}
	expose := strings.Join(c.ExposeHeaders, ", ")
	if expose == "" {
		return lines, nil
	}
	value, err := a.blocks.pieces(expose)
	if err != nil {
		return nil, fmt.Errorf("the names of headers to expose: %w", err)
	}
	return append(lines, a.corsHeader(c, "Access-Control-Expose-Headers", value)), nil
}

// originVariable has the origin of a request that may ask, and is "" for others.
func originVariable(id string) string { return "gw_origin_" + id }

// corsHeader is the directive for a header that only an origin gets that may ask.
func (a *actions) corsHeader(c *model.CORS, name, value string) string {
	id := a.blocks.corsID(c)
	variable := "gw_cors_" + id + "_" + strings.ToLower(strings.ReplaceAll(name[len("Access-Control-"):], "-", "_"))
	if !a.http.known[variable] {
		a.http.known[variable] = true
		b := a.blocks.add(Map{Comment: "For origins that may ask.", Source: "$" + originVariable(id), Name: variable, Default: value})
		b.entry(`""`, `""`, "")
	}
	return "add_header " + name + " $" + variable + " always;"
}

// allowOrigins writes the map of the origins that may ask.
func (a *actions) allowOrigins(c *model.CORS, name string) error {
	if a.http.known[name] {
		return nil
	}
	a.http.known[name] = true
	b := a.blocks.add(Map{Comment: "Origins that may ask.", Source: "$http_origin", Name: name})
	seen := map[string]bool{}
	for _, origin := range c.AllowOrigins {
		if origin == "*" {
			b.Default = "$http_origin"
			continue
		}
		key, err := Token(originPattern(origin))
		if err != nil {
			return fmt.Errorf("the origin %.60q: %w", origin, err)
		}
		if !seen[key] {
			seen[key] = true
			b.entry(key, "$http_origin", origin)
		}
	}
	return nil
}

// ownPort is the port of a scheme where an origin has none.
var ownPort = map[string]string{"http": ":80", "https": ":443"}

// originPattern is the key of a map for an origin, whose letters have no case.
func originPattern(origin string) string {
	scheme, host, _ := strings.Cut(origin, "://")
	own := ownPort[scheme]
	if own != "" {
		host = strings.TrimSuffix(host, own)
	}
	before := ""
	if rest, ok := strings.CutPrefix(host, "*"); ok {
		before, host = `[^/:]+`, rest
	}
	text := `~*^` + regexp.QuoteMeta(scheme) + `://` + before + regexp.QuoteMeta(host)
	if own != "" && !strings.Contains(host[strings.LastIndexByte(host, ']')+1:], ":") {
		text += `(?:` + own + `)?`
	}
	return text + `\z`
}

// answering is the location that a filter's requests go to: that of a backend, or for preflight requests one that answers
// them.
func (a *actions) answering(c *model.CORS, profile string) (string, error) {
	if c == nil {
		return profile, nil
	}
	id := a.blocks.corsID(c)
	preflight := "@gw_preflight_" + id
	if !a.http.known[preflight] {
		a.http.known[preflight] = true
		lines, err := a.preflight(c)
		if err != nil {
			return "", err
		}
		a.http.cors = append(a.http.cors, Preflight{preflight, lines})
	}
	name := "gw_target_" + a.blocks.ids.Of(profile+" "+preflight)
	if !a.http.known[name] {
		a.http.known[name] = true
		b := a.blocks.add(Map{Comment: "A preflight request is answered at once.", Source: "$gw_preflight", Name: name, Default: profile})
		b.entry("1", preflight, "")
	}
	return "$" + name, nil
}

// preflight are the directives of the location that answers preflight requests.
func (a *actions) preflight(c *model.CORS) ([]string, error) {
	lines, err := a.corsOrigin(c)
	if err != nil {
		return nil, err
	}
	for _, list := range []struct {
		header, asked string
		allowed       []string
	}{
		{"Access-Control-Allow-Methods", "$http_access_control_request_method", c.AllowMethods},
		{"Access-Control-Allow-Headers", "$http_access_control_request_headers", c.AllowHeaders},
	} {
		if len(list.allowed) == 0 {
			continue
		}
		value := list.asked
		if !slices.Contains(list.allowed, "*") {
			if value, err = a.blocks.pieces(strings.Join(list.allowed, ", ")); err != nil {
				return nil, fmt.Errorf("%s: %w", list.header, err)
			}
		}
		lines = append(lines, a.corsHeader(c, list.header, value))
	}
	return append(lines, a.corsHeader(c, "Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge)))), nil
}
