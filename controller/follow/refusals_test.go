package follow

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gatewright/gatewright/controller/status"
)

// TestRefusals: each condition that refuses something is in the log once, again when it says another thing, and once when it is healed.
func TestRefusals(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	var r refusals
	tell := func(want string, conditions ...metav1.Condition) {
		t.Helper()
		out.Reset()
		r.tell(log, []status.Report{{Kind: "GRPCRoute", Namespace: "ns", Name: "r", Route: &gatewayv1.RouteStatus{
			Parents: []gatewayv1.RouteParentStatus{{ParentRef: gatewayv1.ParentReference{Name: "gw"}, Conditions: conditions}},
		}}})
		var lines []string
		for line := range strings.Lines(out.String()) {
			_, line, _ = strings.Cut(line, " ")
			lines = append(lines, strings.TrimSpace(line))
		}
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	bad := status.RouteRefsNotResolved(1, gatewayv1.RouteReasonBackendNotFound, "spec.rules[0]: no")
	const object = ` object="GRPCRoute ns/r" where="parentRef Gateway ns/gw" condition=ResolvedRefs reason=BackendNotFound`
	refused, healed := "level=WARN msg=refused"+object, `level=INFO msg="no longer refused"`+object
	tell("", status.RouteAccepted(1, "fine"))
	tell(refused+` message="spec.rules[0]: no"`, bad)
	tell("", bad)
	bad.Message = "spec.rules[1]: no"
	tell(refused+` message="spec.rules[1]: no"`, bad)
	tell(healed, status.RouteResolvedRefs(2))
	tell("", status.RouteResolvedRefs(2))
	tell(refused+` message="spec.rules[1]: no"`, bad)
	const warning = ` object="GRPCRoute ns/r" where="parentRef Gateway ns/gw" condition=gatewright.io/EndpointsFound reason=NoEndpointSlices`
	none := status.RouteEndpointsNotFound(2, status.ReasonNoEndpointSlices, "none")
	tell(healed+"\n"+`level=WARN msg="served with a warning"`+warning+` message=none`, none)
	tell("", none)
	tell(`level=INFO msg="no longer served with a warning"`+warning, status.RouteResolvedRefs(3))
}
