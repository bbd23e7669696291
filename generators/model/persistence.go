package model

import (
	"fmt"
	"time"
)

// SessionToken is a regular expression for the tokens that a session may be known by. A client that sends another text is given a
// token of the proxy's.
const SessionToken = "[0-9A-Za-z._~=+/-]{1,128}"

// Persistence keeps the requests of a session at one endpoint, for as long as that is there. Who sends no token of a session is given
// one.
type Persistence struct {
	// Header is the name of the header that has the token, in lower case; "" where a cookie has it.
	Header string `json:"header,omitempty"`
	// Cookie is nil where a header has it.
	Cookie *Cookie `json:"cookie,omitempty"`
}

// Cookie is what a client is given a token in.
type Cookie struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// MaxAge is how long a client keeps it; 0 is until it ends its own session.
	MaxAge time.Duration `json:"maxAge,omitempty"`
}

// Persistence is how the rule keeps sessions: with what they got first, a Service among others. nil is for rules that don't.
func (r *Rule) Persistence() *Persistence {
	for i := range r.Backends {
		if p := r.Backends[i].Persistence; p != nil {
			return p
		}
	}
	return nil
}

// Attributes are what stands behind the token when a client is given one, but for what depends on the connection.
func (c *Cookie) Attributes() string {
	text := "; Path=" + c.Path
	if c.MaxAge > 0 {
		text += fmt.Sprintf("; Max-Age=%d", int64(c.MaxAge.Seconds()))
	}
	return text + "; HttpOnly"
}

func (p *Persistence) describe() []string {
	switch {
	case p == nil:
		return nil
	case p.Cookie == nil:
		return []string{fmt.Sprintf("a session stays at one endpoint: header %s says which it is", p.Header)}
	}
	text := fmt.Sprintf("a session stays at one endpoint: cookie %s says which it is, for paths below %s", p.Cookie.Name, p.Cookie.Path)
	if p.Cookie.MaxAge > 0 {
		text += fmt.Sprintf(", for %s", p.Cookie.MaxAge)
	}
	return []string{text}
}
