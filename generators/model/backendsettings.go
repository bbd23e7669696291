package model

import (
	"fmt"
	"time"
)

// HealthCheck asks the endpoints of a cluster how they are, by grpc.health.v1.Health/Check. Who runs the proxy asks, and leaves those
// out that aren't well.
type HealthCheck struct {
	// Service is what is asked for; "" is all of a server.
	Service  string        `json:"service,omitempty"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
	// Unhealthy checks in a row have to fail until an endpoint is left out, and Healthy ones to succeed until it is taken again.
	Unhealthy int `json:"unhealthy"`
	Healthy   int `json:"healthy"`
}

// Outliers leaves an endpoint alone that fails: one that takes no connections, or breaks them.
type Outliers struct {
	// Failures is how many it takes, and Time how long the endpoint is left alone then.
	Failures int           `json:"failures"`
	Time     time.Duration `json:"time"`
}

// Describe says what becomes of the calls of a share in its cluster, beside the share's own handling: a line for each thing.
func (c *Cluster) Describe(share *Backend) []string {
	var lines []string
	if share.Persistence == nil {
		lines = c.Persistence.describe()
	}
	if h := c.Health; h != nil {
		asked := "all of a server"
		if h.Service != "" {
			asked = h.Service
		}
		lines = append(lines, fmt.Sprintf("endpoints are asked for the health of %s every %s, and left out after %d bad answers", asked, h.Interval,
			h.Unhealthy))
	}
	if o := c.Outliers; o != nil {
		lines = append(lines, fmt.Sprintf("an endpoint that fails %d times is left alone for %s", o.Failures, o.Time))
	}
	if c.MaxRequestBytes > 0 {
		lines = append(lines, fmt.Sprintf("a request may have %d bytes", c.MaxRequestBytes))
	}
	return lines
}
