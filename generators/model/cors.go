package model

import (
	"fmt"
	"strings"
)

// CORS says which pages of other sites may ask, and for what. A proxy answers preflight requests itself, replaces what
// the backend says of it, and adds nothing for other origins.
type CORS struct {
	// AllowOrigins are "*", origins such as "https://example.com:8443", or with a wildcard for one or more labels in front:
	// "https://*.example.com". All are lower case. None is no origin.
	AllowOrigins []string `json:"allowOrigins,omitempty"`
	// AllowCredentials lets a page ask with cookies; "*" elsewhere then stands for what the client asked for.
	AllowCredentials bool `json:"allowCredentials,omitempty"`
	// AllowMethods and AllowHeaders may be asked for, ExposeHeaders seen: names, or "*".
	AllowMethods  []string `json:"allowMethods,omitempty"`
	AllowHeaders  []string `json:"allowHeaders,omitempty"`
	ExposeHeaders []string `json:"exposeHeaders,omitempty"`
	// MaxAge is how many seconds the answer to a preflight request holds.
	MaxAge int32 `json:"maxAge,omitempty"`
}

func (c *CORS) describe() []string {
	if c == nil {
		return nil
	}
	origins := strings.Join(c.AllowOrigins, ", ")
	if origins == "" {
		origins = "none"
	}
	return []string{fmt.Sprintf("pages of other origins may ask: %s", origins)}
}
