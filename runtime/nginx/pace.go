package nginx

import (
	"slices"
	"time"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/apply"
)

// Pace lets reloads wait while many workers of earlier ones still drain, and where each costs requests.
func (p *Proxy) Pace(live apply.Configuration, c model.Capabilities) time.Duration {
	master, err := p.master()
	if err != nil {
		return 0
	}
	draining, serving := workers(master.PID)
	if len(serving) == 0 {
		return 0
	}
	costs := !nginx.Lingers(c.Version) && servesHTTP(live.Model)
	return pace(len(draining)/len(serving), costs, time.Since(time.Unix(0, p.reloaded.Load())))
}

// The pace of reloads. A worker that drains costs memory only, 10 to 100 MB with thousands of rules. A version that doesn't
// linger closes idle connections of HTTP/1.1 as it reloads, and a request that crosses that is lost: changes that follow each other
// have one reload together.
const (
	freePiles = 8
	pacePile  = 250 * time.Millisecond
	paceMax   = 5 * time.Second
	paceStep  = 50 * time.Millisecond
	paceHTTP  = 2 * time.Second
)

// pace is how long to wait before it is asked again whether to reload, so long after the last time, with the workers of
// so many reloads that still drain, where a reload costs requests or doesn't.
func pace(piles int, costs bool, since time.Duration) time.Duration {
	wait := time.Duration(0)
	if piles > freePiles {
		wait = min(time.Duration(piles-freePiles)*pacePile, paceMax)
	}
	if costs {
		wait = max(wait, paceHTTP)
	}
	if since >= wait {
		return 0
	}
	return paceStep
}

// servesHTTP says whether there are rules of HTTPRoutes.
func servesHTTP(m model.Gateways) bool {
	for _, g := range m.Gateways {
		for _, l := range g.Listeners {
			if slices.ContainsFunc(l.Scopes, func(s model.Scope) bool { return s.Kind() == model.HTTPRoute }) {
				return true
			}
		}
	}
	return false
}
