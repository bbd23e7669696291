package translate

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// mirror adds the cluster that gets copies of calls (R20). One that can't be resolved gets none, as the API has it: ResolvedRefs
// tells of it, and the calls go on.
func (s *filterScope) mirror(m *gatewayv1.HTTPRequestMirrorFilter, h *handled) error {
	if why := s.unbridged(); why != "" {
		return fmt.Errorf(": copies of calls can't be sent: %s", why)
	}
	share, err := mirrorShare(m)
	if err != nil {
		return err
	}
	ref := &gatewayv1.BackendRef{BackendObjectReference: m.BackendRef}
	field := s.at() + ".requestMirror.backendRef"
	c, bad := s.resolveBackend(s.route, ref)
	if bad != nil {
		bad = &problem{bad.reason, field + ": " + bad.message}
		s.route.refs = append(s.route.refs, *bad)
	}
	s.route.addTarget(target{rule: int32(s.rule), mirror: true, problem: deref(bad, problem{})}, ref)
	if bad != nil || share.Numerator == 0 {
		return nil
	}
	if c.lack != nil {
		s.route.lacks = append(s.route.lacks, problem{c.lack.reason, field + ": " + c.lack.message})
	}
	share.Cluster = c.Name
	h.Mirrors = append(h.Mirrors, share)
	s.route.sends = append(s.route.sends, c.key)
	return nil
}

// mirrorShare is how many of the calls are copied; the numerator is 0 for none.
func mirrorShare(m *gatewayv1.HTTPRequestMirrorFilter) (model.Mirror, error) {
	share, field := model.Mirror{Numerator: 1, Denominator: 1}, "percent"
	switch {
	case m.Percent != nil && m.Fraction != nil:
		return share, part("requestMirror", ": give percent or fraction, not both")
	case m.Percent != nil:
		share = model.Mirror{Numerator: *m.Percent, Denominator: 100}
	case m.Fraction != nil:
		share, field = model.Mirror{Numerator: m.Fraction.Numerator, Denominator: deref(m.Fraction.Denominator, 100)}, "fraction"
	}
	if share.Denominator < 1 || share.Numerator < 0 || share.Numerator > share.Denominator {
		return share, part("requestMirror", "%s %d/%d isn't a share from none to all", field, share.Numerator, share.Denominator)
	}
	return share, nil
}
