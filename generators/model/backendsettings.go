package model

import "time"

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
