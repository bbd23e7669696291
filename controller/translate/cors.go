package translate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// corsOrigin is an origin that may ask: a wildcard may stand for the first labels of the host.
var corsOrigin = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://(?:\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$`)

// defaultMaxAge is how many seconds a preflight answer holds where the filter says nothing.
const defaultMaxAge = 5

// cors translates a CORS filter.
func cors(f *gatewayv1.HTTPCORSFilter) (*model.CORS, error) {
	c := &model.CORS{AllowCredentials: deref(f.AllowCredentials, false), MaxAge: f.MaxAge}
	if c.MaxAge == 0 {
		c.MaxAge = defaultMaxAge
	}
	for i, o := range f.AllowOrigins {
		origin := strings.ToLower(string(o))
		if origin != "*" && !corsOrigin.MatchString(origin) {
			return nil, part(fmt.Sprintf("cors.allowOrigins[%d]", i), "%q isn't an origin; use *, https://example.com:8443 or https://*.example.com",
				clip(string(o)))
		}
		c.AllowOrigins = append(c.AllowOrigins, withoutOwnPort(origin))
	}
	for _, m := range f.AllowMethods {
		c.AllowMethods = append(c.AllowMethods, string(m))
	}
	for _, list := range []struct {
		field string
		names []gatewayv1.HTTPHeaderName
		out   *[]string
	}{{"allowHeaders", f.AllowHeaders, &c.AllowHeaders}, {"exposeHeaders", f.ExposeHeaders, &c.ExposeHeaders}} {
		for _, n := range list.names {
			if !token(string(n)) {
				return nil, part("cors."+list.field, "%q isn't the name of a header", clip(string(n)))
			}
			*list.out = append(*list.out, string(n))
		}
	}
	if c.AllowCredentials {
		// The API: it can't be used then, and browsers take it for a header of that name.
		c.ExposeHeaders = slices.DeleteFunc(c.ExposeHeaders, func(name string) bool { return name == "*" })
	}
	return c, nil
}

// withoutOwnPort is an origin as browsers write it: without the port that its scheme has anyway.
func withoutOwnPort(origin string) string {
	for scheme, port := range map[string]string{"http://": ":80", "https://": ":443"} {
		if strings.HasPrefix(origin, scheme) {
			return strings.TrimSuffix(origin, port)
		}
	}
	return origin
}
