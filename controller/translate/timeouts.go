package translate

import (
	"fmt"
	"slices"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// limits translates the timeouts and the retries of a rule. Fatal says that the API wants the whole route refused.
func (g *graph) limits(r *routeRules, h *model.Handling, spec *ruleSpec, rule int) (bad *problem, fatal bool) {
	if t := spec.timeouts; t != nil {
		for _, x := range []struct {
			field string
			value *gatewayv1.Duration
			out   *time.Duration
		}{{"request", t.Request, &h.Timeouts.Request}, {"backendRequest", t.BackendRequest, &h.Timeouts.Backend}} {
			var err error
			if *x.out, err = duration(x.value); err != nil {
				return unsupported(ruleField(rule), part("timeouts."+x.field, "%w", err)), false
			}
		}
	}
	if spec.retry == nil {
		return nil, false
	}
	var err error
	if h.Retry, err = g.retry(spec.retry); err != nil {
		return unsupported(ruleField(rule), err), spec.retry.Backoff != nil
	}
	note := func(format string, args ...any) {
		r.notes = append(r.notes, ruleField(rule)+fmt.Sprintf(format, args...))
	}
	if most := g.caps.Limits.RetryAttempts; h.Retry.Attempts > most {
		note(".retry.attempts: %s tries again %d times at most, and not %d times", g.caps.Proxy, most, h.Retry.Attempts)
		h.Retry.Attempts = most
	}
	// No proxy has one clock for all attempts: each gets its part of the time, so that all of them are over in time.
	if t := &h.Timeouts; t.Request > 0 && h.Retry.Attempts > 0 {
		if part := t.Request / time.Duration(h.Retry.Attempts+1); t.Backend == 0 || part < t.Backend {
			note(".timeouts: each of %d attempts may take %s, so that all of them end within %s", h.Retry.Attempts+1, part, t.Request)
			t.Backend = part
		}
	}
	return nil, false
}

// duration reads a duration of the API; nil and "0s" are 0, no limit.
func duration(d *gatewayv1.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	value, err := time.ParseDuration(string(*d))
	if err != nil || value < 0 {
		return 0, fmt.Errorf("%q isn't a duration such as 500ms, 10s or 1h30m", clip(string(*d)))
	}
	return value, nil
}

func (g *graph) retry(spec *gatewayv1.HTTPRouteRetry) (*model.Retry, error) {
	if spec.Backoff != nil {
		return nil, part("retry.backoff", "%s tries again at once and can't wait; remove it", g.caps.Proxy)
	}
	r := &model.Retry{Attempts: deref(spec.Attempts, 1)}
	for _, c := range spec.Codes {
		if !slices.Contains(g.caps.Limits.RetryCodes, int(c)) {
			return nil, part("retry.codes", "%s can't try again on %d; it can on %s", g.caps.Proxy, c, list(g.caps.Limits.RetryCodes))
		}
		r.Codes = append(r.Codes, int(c))
	}
	slices.Sort(r.Codes)
	r.Codes = slices.Compact(r.Codes)
	return r, nil
}

// list writes numbers with commas between.
func list(numbers []int) string {
	text := ""
	for i, n := range numbers {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(n)
	}
	return text
}
