package explain

import (
	"fmt"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/matching/reference"
	"github.com/gatewright/gatewright/generators/model"
)

// Check asks the reference evaluator about the same call. An error says that it disagrees, which is a fault of gatewright.
func (e *Explanation) Check() error {
	err := checkTrace(e.served, e.trace, e.call)
	e.Checked = err == nil
	return err
}

// checkTrace holds what the tables say against the reference evaluator.
func checkTrace(m model.Gateways, trace matching.Trace, call model.Call) error {
	if trace.Port != nil {
		call.Port, call.Gateway = trace.Port.Port, trace.Port.Listeners[0].Gateway
	}
	want := reference.Evaluate(m, call)
	got := reference.Verdict{
		NoPort:      trace.Port == nil,
		Handshake:   trace.Port != nil && trace.Port.Protocol == model.HTTPS && trace.Handshake == nil,
		Misdirected: trace.Misdirected,
		Ambiguous:   trace.Ambiguous,
		Rule:        trace.Rule,
	}
	if !got.NoPort && !got.Handshake && !got.Misdirected {
		got.HTTP = trace.Kind == model.HTTPRoute
	}
	if trace.Rule != nil {
		got.Match = trace.Match
	}
	if got != want {
		return fmt.Errorf("the tables say %s, the reference evaluator %s: this is a fault of gatewright; please report it with the manifests",
			verdictText(got), verdictText(want))
	}
	return nil
}

func verdictText(v reference.Verdict) string {
	switch {
	case v.NoPort:
		return "that nothing listens there"
	case v.Handshake:
		return "that TLS is refused"
	case v.Misdirected:
		return "421"
	case v.Ambiguous:
		return "400"
	case v.Rule == nil && v.HTTP:
		return "that no HTTPRoute's rule matches"
	case v.Rule == nil:
		return "that no GRPCRoute's rule matches"
	}
	return fmt.Sprintf("%s match %d", v.Rule.Source, v.Match)
}
