package translate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// redirectCodes are the HTTP statuses that send a client elsewhere.
var redirectCodes = []int{301, 302, 303, 307, 308}

// redirect translates a RequestRedirect.
func (s *filterScope) redirect(f *gatewayv1.HTTPRequestRedirectFilter) (*model.Redirect, error) {
	r := &model.Redirect{
		Code: deref(f.StatusCode, 302), Scheme: deref(f.Scheme, ""), Hostname: strings.ToLower(string(deref(f.Hostname, ""))),
		Port: deref(f.Port, 0),
	}
	if !slices.Contains(redirectCodes, r.Code) {
		return nil, part("requestRedirect.statusCode", "%d isn't supported; use 301, 302, 303, 307 or 308", r.Code)
	}
	if r.Scheme != "" && r.Scheme != "http" && r.Scheme != "https" {
		return nil, part("requestRedirect.scheme", "%q isn't supported; use http or https", r.Scheme)
	}
	if err := hostText(r.Hostname); err != nil {
		return nil, part("requestRedirect.hostname", "%w", err)
	}
	var err error
	if r.Path, err = s.pathChange(f.Path); err != nil {
		return nil, part("requestRedirect.path", "%w", err)
	}
	return r, nil
}

// rewrite translates a URLRewrite.
func (s *filterScope) rewrite(f *gatewayv1.HTTPURLRewriteFilter) (*model.Rewrite, error) {
	r := &model.Rewrite{Hostname: strings.ToLower(string(deref(f.Hostname, "")))}
	if err := hostText(r.Hostname); err != nil {
		return nil, part("urlRewrite.hostname", "%w", err)
	}
	var err error
	if r.Path, err = s.pathChange(f.Path); err != nil {
		return nil, part("urlRewrite.path", "%w", err)
	}
	return r, nil
}

// hostText says why a text can't be the host of a request.
func hostText(host string) error {
	for i := range len(host) {
		if c := host[i]; !letterOrDigit(c) && c != '-' && c != '.' {
			return fmt.Errorf("%q isn't a hostname", clip(host))
		}
	}
	return nil
}

// pathChange translates what becomes of a path; nil is nothing.
func (s *filterScope) pathChange(f *gatewayv1.HTTPPathModifier) (*model.PathChange, error) {
	if f == nil {
		return nil, nil
	}
	c := &model.PathChange{}
	field := ""
	switch f.Type {
	case gatewayv1.FullPathHTTPPathModifier:
		field, c.Whole, c.Value = "replaceFullPath", true, deref(f.ReplaceFullPath, "")
	case gatewayv1.PrefixMatchHTTPPathModifier:
		field, c.Value = "replacePrefixMatch", deref(f.ReplacePrefixMatch, "")
		if s.prefix == nil {
			return nil, fmt.Errorf("replacePrefixMatch: the rule must have one match, of type PathPrefix, so that there is a prefix to replace")
		}
		c.Prefix = *s.prefix
	default:
		return nil, fmt.Errorf("type: %q isn't supported; use ReplaceFullPath or ReplacePrefixMatch", f.Type)
	}
	if c.Whole && c.Value == "" {
		c.Value = "/"
	}
	if c.Value != "" && !strings.HasPrefix(c.Value, "/") || !urlPath(c.Value) {
		return nil, fmt.Errorf("%s: %q isn't the path of a URL: begin with a slash and write other characters as their codes, such as %%20",
			field, clip(c.Value))
	}
	return c, nil
}
