package translate

import (
	"cmp"
	"fmt"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	calls "github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/generators/model"
)

// backendSettings are what a BackendPolicy asks for.
type backendSettings struct {
	persistence *model.Persistence
	health      *model.HealthCheck
	outliers    *model.Outliers
	bytes       int64
}

// judgeBackend reads a BackendPolicy. One that can't be kept as a whole isn't kept: half of it isn't what somebody asked for.
func (g *graph) judgeBackend(p *policy, spec *calls.BackendPolicySpec) *verdict {
	s, v := &backendSettings{}, &verdict{}
	invalid := func(err error) {
		v.refused = join(v.refused, string(gatewayv1.PolicyReasonInvalid), "spec"+err.Error())
	}
	var err error
	if spec.SessionPersistence != nil {
		if s.persistence, err = g.sessions(spec.SessionPersistence); err != nil {
			invalid(fmt.Errorf(".sessionPersistence%w", err))
		}
	}
	if spec.HealthCheck != nil {
		if s.health, err = g.healthCheck(spec.HealthCheck); err != nil {
			invalid(fmt.Errorf(".healthCheck%w", err))
		}
	}
	if spec.OutlierDetection != nil {
		if s.outliers, err = outliers(spec.OutlierDetection); err != nil {
			invalid(fmt.Errorf(".outlierDetection%w", err))
		}
	}
	if spec.MaxRequestBytes != nil {
		s.bytes = *spec.MaxRequestBytes
		if why, missing := g.caps.Missing[model.FeatureBodyLimit]; missing {
			invalid(part("maxRequestBytes", "%s; remove it", why))
		} else if s.bytes < 1 || s.bytes > maxBytes {
			invalid(part("maxRequestBytes", "%d isn't between 1 and %d; remove it for no limit", s.bytes, int64(maxBytes)))
		}
	}
	if why, missing := g.caps.Missing[model.FeatureSessionOutliers]; missing && s.persistence != nil && s.outliers != nil {
		invalid(part("outlierDetection", "can't be kept beside sessionPersistence: %s; remove one of them", why))
	}
	if v.refused == nil {
		v.backend = s
	}
	return v
}

// Defaults of a HealthCheck, and of OutlierDetection.
const (
	healthInterval = 5 * time.Second
	healthTimeout  = time.Second
	unhealthyAfter = 2
	healthyAfter   = 1
	ejectionTime   = time.Second
)

// maxBytes is the longest body that can be asked for, and maxThreshold the most checks in a row.
const (
	maxBytes     = 1 << 40
	maxThreshold = 100
)

func (g *graph) healthCheck(spec *calls.HealthCheck) (*model.HealthCheck, error) {
	if g.options.Backends != BackendsEndpoints {
		return nil, fmt.Errorf(": endpoints are asked at their addresses, and Services are reached by others; use --backends endpoints")
	}
	if why, missing := g.caps.Missing[model.FeatureHealth]; missing {
		return nil, fmt.Errorf(": %s", why)
	}
	h := &model.HealthCheck{Service: spec.Service, Unhealthy: int(deref(spec.UnhealthyThreshold, unhealthyAfter)),
		Healthy: int(deref(spec.HealthyThreshold, healthyAfter))}
	for _, x := range []struct {
		field string
		value int
	}{{"unhealthyThreshold", h.Unhealthy}, {"healthyThreshold", h.Healthy}} {
		if x.value < 1 || x.value > maxThreshold {
			return nil, part(x.field, "%d isn't between 1 and %d", x.value, maxThreshold)
		}
	}
	for _, x := range []struct {
		field              string
		value              *gatewayv1.Duration
		out                *time.Duration
		normal, least, top time.Duration
	}{
		{"interval", spec.Interval, &h.Interval, healthInterval, 100 * time.Millisecond, time.Hour},
		{"timeout", spec.Timeout, &h.Timeout, healthTimeout, 10 * time.Millisecond, time.Minute},
	} {
		var err error
		if *x.out, err = duration(x.value); err != nil {
			return nil, part(x.field, "%w", err)
		}
		*x.out = cmp.Or(*x.out, x.normal)
		if *x.out < x.least || *x.out > x.top {
			return nil, part(x.field, "%s isn't between %s and %s", *x.out, x.least, x.top)
		}
	}
	return h, nil
}

func outliers(spec *calls.OutlierDetection) (*model.Outliers, error) {
	o := &model.Outliers{Failures: int(spec.ConsecutiveFailures)}
	var err error
	if o.Time, err = duration(spec.EjectionTime); err != nil {
		return nil, part("ejectionTime", "%w", err)
	}
	o.Time = cmp.Or(o.Time, ejectionTime)
	switch {
	case o.Failures < 1 || o.Failures > 1000:
		return nil, part("consecutiveFailures", "%d isn't between 1 and 1000", o.Failures)
	case o.Time < time.Second || o.Time > time.Hour:
		return nil, part("ejectionTime", "%s isn't between 1s and 1h", o.Time)
	}
	return o, nil
}

// settings gives a cluster what a BackendPolicy asks for.
func (g *graph) settings(c *cluster) {
	p := g.index.policyFor(calls.BackendKind, c.key.name, c.portName)
	if p == nil {
		return
	}
	v := g.judge(p)
	if v.backend == nil {
		c.notes = append(c.notes, fmt.Sprintf("Service %s: %s isn't kept: its status says why", c.key.name, p))
		return
	}
	if v.backend.health != nil && c.Protocol == model.BackendHTTP1 {
		c.notes = append(c.notes, fmt.Sprintf("Service %s: spec.healthCheck of %s isn't kept for requests of HTTPRoutes, whose endpoints speak "+
			"HTTP/1.1: it asks by gRPC", c.key.name, p))
	}
	if v.backend.health != nil && c.TLS != nil {
		c.notes = append(c.notes, fmt.Sprintf("Service %s: spec.healthCheck of %s isn't kept: it asks in cleartext, and the endpoints are reached "+
			"by TLS", c.key.name, p))
	}
	c.Persistence, c.Health, c.Outliers, c.MaxRequestBytes = v.backend.persistence, v.backend.health, v.backend.outliers, v.backend.bytes
	if c.Protocol == model.BackendHTTP1 || c.TLS != nil {
		c.Health = nil
	}
}
