package model

import "fmt"

// PathChange is what becomes of a request's path. The query stays.
type PathChange struct {
	// Prefix is the prefix of the path that Value stands in for, as PrefixPath has it: by whole segments, without a trailing
	// slash. Whole says that Value stands in for all of the path.
	Prefix string `json:"prefix,omitempty"`
	Whole  bool   `json:"whole,omitempty"`
	// Value is text for a request line as it is; it begins with a slash, unless it is "" for a prefix.
	Value string `json:"value"`
}

// Of is what becomes of a path that the change is for. For a prefix, the rest of the path follows Value with one slash
// between.
func (c *PathChange) Of(path string) string {
	if c.Whole {
		return c.Value
	}
	rest := path[len(c.Prefix):]
	if rest == "" {
		return orSlash(c.Value)
	}
	value := c.Value
	if value != "" && value[len(value)-1] == '/' {
		value = value[:len(value)-1]
	}
	return value + rest
}

// orSlash is a path, "/" for none.
func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func (c *PathChange) describe(what string) string {
	if c.Whole {
		return fmt.Sprintf("%s becomes %q", what, c.Value)
	}
	return fmt.Sprintf("%s begins with %q in place of %q", what, c.Value, orSlash(c.Prefix))
}

// Rewrite changes what a backend is asked for.
type Rewrite struct {
	// Hostname is the host; "" keeps the client's.
	Hostname string `json:"hostname,omitempty"`
	// Path changes the path; nil keeps it byte for byte.
	Path *PathChange `json:"path,omitempty"`
}

// then is what two rewrites come to, one after the other.
func (r *Rewrite) then(next *Rewrite) *Rewrite {
	switch {
	case next == nil:
		return r
	case r == nil:
		return next
	}
	both := *next
	if both.Hostname == "" {
		both.Hostname = r.Hostname
	}
	if both.Path == nil {
		both.Path = r.Path
	}
	return &both
}

func (r *Rewrite) describe() []string {
	if r == nil {
		return nil
	}
	var lines []string
	if r.Hostname != "" {
		lines = append(lines, fmt.Sprintf("the host becomes %q", r.Hostname))
	}
	if r.Path != nil {
		lines = append(lines, r.Path.describe("the path"))
	}
	return lines
}

// Redirect sends the client elsewhere.
type Redirect struct {
	// Code is the HTTP status: 301, 302, 303, 307 or 308.
	Code int `json:"code"`
	// Scheme is "http" or "https"; "" keeps the listener's.
	Scheme string `json:"scheme,omitempty"`
	// Hostname is the host; "" keeps the client's.
	Hostname string `json:"hostname,omitempty"`
	// Port is the port; 0 is the scheme's own where Scheme is set, and the listener's where it isn't. A port that is the own
	// one of the scheme that comes out is left out of the place.
	Port int32 `json:"port,omitempty"`
	// Path changes the path; nil keeps it. The query stays.
	Path *PathChange `json:"path,omitempty"`
}

// Describe says what is redirected, and how: "302 to https://example.com:8443, the path becomes "/"".
func (r *Redirect) Describe() string {
	text := fmt.Sprintf("a redirect with %d", r.Code)
	for _, part := range []struct{ what, value string }{{"scheme", r.Scheme}, {"host", r.Hostname}} {
		if part.value != "" {
			text += fmt.Sprintf(", %s %s", part.what, part.value)
		}
	}
	if r.Port != 0 {
		text += fmt.Sprintf(", port %d", r.Port)
	}
	if r.Path != nil {
		text += ", " + r.Path.describe("the path")
	}
	return text
}
