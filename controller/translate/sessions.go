package translate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// ruleSessions keeps the sessions of a rule at one endpoint each.
func (g *graph) ruleSessions(h *model.Handling, spec *gatewayv1.SessionPersistence, rule *model.Rule) *problem {
	var err error
	if h.Persistence, err = g.sessions(spec); err != nil {
		return unsupported(ruleField(rule.Source.Rule), fmt.Errorf(".sessionPersistence%w", err))
	}
	return nil
}

// sessions reads how sessions are told apart. The error begins with a field.
func (g *graph) sessions(spec *gatewayv1.SessionPersistence) (*model.Persistence, error) {
	if g.options.Backends != BackendsEndpoints {
		return nil, errors.New(": a Service that is reached by its name or its cluster IP chooses the endpoint itself; use --backends endpoints")
	}
	kind := deref(spec.Type, gatewayv1.CookieBasedSessionPersistence)
	cookie := deref(spec.Cookie, gatewayv1.CookieConfig{})
	permanent := deref(cookie.LifetimeType, gatewayv1.SessionCookieLifetimeType) == gatewayv1.PermanentCookieLifetimeType
	switch {
	case kind == gatewayv1.CookieBasedSessionPersistence && permanent && spec.AbsoluteTimeout != nil:
	case kind == gatewayv1.CookieBasedSessionPersistence && permanent:
		return nil, part("absoluteTimeout", "a cookie of lifetimeType Permanent needs one")
	case spec.AbsoluteTimeout != nil:
		return nil, part("absoluteTimeout", "is the age of a cookie of lifetimeType Permanent only: the proxy keeps no time for other "+
			"sessions; remove it, or make the cookie permanent")
	}
	switch kind {
	case gatewayv1.HeaderBasedSessionPersistence:
		if spec.Header == nil {
			return nil, part("header", "no name is given; give the header that says which session a request is of")
		}
		return g.sessionHeader(spec.Header)
	case gatewayv1.CookieBasedSessionPersistence:
		if spec.Header != nil {
			return nil, part("header", "is for type Header only; remove it, or the type")
		}
		return sessionCookie(&cookie, spec.AbsoluteTimeout)
	}
	return nil, part("type", "%q isn't supported; use Cookie or Header", kind)
}

// meaningful are headers that a token would say something wrong in.
var meaningful = []string{"accept", "accept-encoding", "authorization", "content-encoding", "cookie", "grpc-timeout", "location", "set-cookie", "vary"}

// sessionHeader is a session that a header tells. Both directions have it, so that it can't be one that messages are framed by.
func (g *graph) sessionHeader(spec *gatewayv1.HeaderConfig) (*model.Persistence, error) {
	lower := strings.ToLower(string(spec.Name))
	if p, no := protectedHeaders[lower]; no {
		return nil, part("header.name", "%q can't be used: %s", spec.Name, p.why)
	}
	if slices.Contains(meaningful, lower) {
		return nil, part("header.name", "%q can't be used: it means something else in an answer or a request; use a name of your own", spec.Name)
	}
	if !token(lower) {
		return nil, part("header.name", "%q isn't the name of a header", clip(string(spec.Name)))
	}
	if c, ok := nameWithin(lower, g.caps.Limits.MatchHeaderName); !ok {
		return nil, part("header.name", "%q has the character %q: %s can't read such a header", spec.Name, c, g.caps.Proxy)
	}
	if limit := g.caps.Limits.HeaderName; limit > 0 && len(lower) > limit {
		return nil, part("header.name", "%q is too long for %s: at most %d bytes", clip(lower), g.caps.Proxy, limit)
	}
	return &model.Persistence{Header: lower}, nil
}

// defaultCookie is the name of a cookie without one. All rules can share it: a token says nothing of endpoints.
const defaultCookie = "gatewright-session"

// maxCookie is how long the name of a cookie may be, and cookieCharacters what it may have besides letters and digits: not all that
// the API has, for HAProxy takes quotes for quotes.
const (
	maxCookie        = 128
	maxCookiePath    = 1024
	cookieCharacters = "!#$%&*+-.^_~"
)

func sessionCookie(spec *gatewayv1.CookieConfig, age *gatewayv1.Duration) (*model.Persistence, error) {
	c := &model.Cookie{Name: string(deref(spec.Name, "")), Path: deref(spec.Path, "/")}
	if c.Name == "" {
		c.Name = defaultCookie
	}
	if !token(c.Name) || len(c.Name) > maxCookie || strings.ContainsAny(c.Name, "'`|") {
		return nil, part("cookie.name", "%q can't be the name of a cookie here: use up to %d letters, digits and characters of %s", clip(c.Name),
			maxCookie, cookieCharacters)
	}
	if err := cookiePath(c.Path); err != nil {
		return nil, part("cookie.path", "%q %w", clip(c.Path), err)
	}
	var err error
	if c.MaxAge, err = duration(age); err != nil {
		return nil, part("absoluteTimeout", "%w", err)
	}
	if age != nil && c.MaxAge.Seconds() < 1 {
		return nil, part("absoluteTimeout", "%q is less than a second, which no cookie can say", *age)
	}
	return &model.Persistence{Cookie: c}, nil
}

// cookiePath says why a path can't be that of a cookie: it would end there, or be another header (R32).
func cookiePath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return errors.New("doesn't begin with a slash")
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`;,"\`, c) >= 0 {
			return errors.New("has a character that the path of a cookie can't have")
		}
	}
	if model.EscapedLen(path) > maxCookiePath {
		return fmt.Errorf("is longer than %d bytes, where all but plain characters count as four", maxCookiePath)
	}
	return nil
}
