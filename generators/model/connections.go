package model

import (
	"fmt"
	"strings"
	"time"
)

// Connections say how the connections of clients to a Gateway are kept. 0 is the proxy's own way.
type Connections struct {
	// MaxAge is how old a connection gets before the client is told to open another one, behind the next request; what runs goes on. A
	// proxy with FeatureConnectionAge keeps it.
	MaxAge time.Duration `json:"maxAge,omitempty"`
	// IdleTimeout is how long a connection stays without a request.
	IdleTimeout time.Duration `json:"idleTimeout,omitempty"`
	// MaxStreams is how many calls a connection has open at a time. A proxy with FeatureMaxStreams keeps it.
	MaxStreams int `json:"maxStreams,omitempty"`
}

// Describe says it in one line; "" for the proxy's own way.
func (c *Connections) Describe() string {
	if c == nil {
		return ""
	}
	var parts []string
	if c.MaxAge > 0 {
		parts = append(parts, fmt.Sprintf("a connection takes no more calls after %s", c.MaxAge))
	}
	if c.IdleTimeout > 0 {
		parts = append(parts, fmt.Sprintf("a connection without calls ends after %s", c.IdleTimeout))
	}
	if c.MaxStreams > 0 {
		parts = append(parts, fmt.Sprintf("a connection has %d calls at a time", c.MaxStreams))
	}
	return strings.Join(parts, ", ")
}
