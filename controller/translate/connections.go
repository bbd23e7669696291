package translate

import (
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// The bounds of what a Gateway says of its clients' connections.
const (
	leastConnectionTime = time.Second
	mostConnectionTime  = 24 * time.Hour
)

// judgeConnections says what can't be kept of what parameters say of connections.
func (g *graph) judgeConnections(p *parameters) (bad []string) {
	spec := p.object.Spec.Clients
	if spec == nil {
		return nil
	}
	refuse := func(field, format string, args ...any) {
		bad = append(bad, "spec.clients"+part(field, format, args...).Error())
	}
	for _, x := range []struct {
		field string
		value *gatewayv1.Duration
		needs model.Feature
	}{{"maxConnectionAge", spec.MaxConnectionAge, model.FeatureConnectionAge}, {"idleTimeout", spec.IdleTimeout, ""}} {
		value, err := duration(x.value)
		why, missing := g.caps.Missing[x.needs]
		switch {
		case err != nil:
			refuse(x.field, "%w", err)
		case value == 0:
		case missing:
			refuse(x.field, "%s; remove it", why)
		case value < leastConnectionTime || value > mostConnectionTime:
			refuse(x.field, "%s isn't between %s and %s; 0s is the proxy's own way", value, leastConnectionTime, mostConnectionTime)
		}
	}
	why, missing := g.caps.Missing[model.FeatureMaxStreams]
	switch n, most := int(deref(spec.MaxStreams, 0)), g.caps.Limits.Streams; {
	case n == 0:
	case missing:
		refuse("maxStreams", "%s; remove it", why)
	case n < 0 || most > 0 && n > most:
		refuse("maxStreams", "%d isn't between 0 and %d, which is what --max-streams gives all Gateways", n, most)
	}
	return bad
}

// addConnections gives a Gateway what parameters say of connections, in the place of what it has: "0s" is the proxy's own way again.
func (gw *gateway) addConnections(p *parameters) {
	spec := p.object.Spec.Clients
	if spec == nil {
		return
	}
	c := deref(gw.connections, model.Connections{})
	for _, x := range []struct {
		value *gatewayv1.Duration
		out   *time.Duration
	}{{spec.MaxConnectionAge, &c.MaxAge}, {spec.IdleTimeout, &c.IdleTimeout}} {
		if x.value != nil {
			*x.out, _ = duration(x.value) // It was read when the parameters were judged.
		}
	}
	if spec.MaxStreams != nil {
		c.MaxStreams = int(*spec.MaxStreams)
	}
	gw.connections = nil
	if c != (model.Connections{}) {
		gw.connections = &c
	}
}
