package status

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

const hostile = "no: \"yes\"\n# {x} 'y' é \x7f \u0085 \u2028 \\ [z] \t"

func sampleReports() []Report {
	group, kind, ip := gatewayv1.Group(gatewayv1.GroupName), gatewayv1.Kind("GRPCRoute"), gatewayv1.IPAddressType
	parent := gatewayv1.ParentReference{
		Group: &group, Kind: new(gatewayv1.Kind("Gateway")), Name: "on", Namespace: new(gatewayv1.Namespace("1e3")),
		SectionName: new(gatewayv1.SectionName("l")), Port: new(gatewayv1.PortNumber(80)),
	}
	return []Report{
		{APIVersion: "v1", Kind: "BackendTLSPolicy", Namespace: "ns", Name: "p", Policy: &gatewayv1.PolicyStatus{
			Ancestors: []gatewayv1.PolicyAncestorStatus{{AncestorRef: parent, ControllerName: "example.com/c",
				Conditions: []metav1.Condition{PolicyNotAccepted(3, gatewayv1.PolicyReasonInvalid, hostile)}}},
		}},
		{APIVersion: "v1", Kind: "BackendTLSPolicy", Namespace: "ns", Name: "q",
			Policy: &gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{}}},
		{APIVersion: "v1", Kind: "GRPCRoute", Namespace: "ns", Name: "r", Route: &gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{
			{ParentRef: parent, ControllerName: "example.com/c", Conditions: []metav1.Condition{
				RouteAccepted(1, "fine"), RouteRefsNotResolved(1, gatewayv1.RouteReasonBackendNotFound, "Service x"),
				RoutePartiallyInvalid(1, "Dropped Rule 1"),
			}},
			{ParentRef: gatewayv1.ParentReference{Name: "null"}, ControllerName: "example.com/c",
				Conditions: []metav1.Condition{RouteNotAccepted(1, gatewayv1.RouteReasonNoMatchingParent, "no"), RouteResolvedRefs(1)}},
		}}},
		{APIVersion: "v1", Kind: "GRPCRoute", Namespace: "ns", Name: "s",
			Route: &gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{}}},
		{APIVersion: "v1", Kind: "Gateway", Namespace: "ns", Name: "g", Gateway: &gatewayv1.GatewayStatus{
			Addresses:            []gatewayv1.GatewayStatusAddress{{Type: &ip, Value: "::1"}, {Value: "192.0.2.1"}},
			AttachedListenerSets: new(int32(0)),
			Conditions: []metav1.Condition{GatewayListenersNotValid(0, true, "listener x"), GatewayResolvedRefs(0),
				GatewayNotProgrammed(0, gatewayv1.GatewayReasonInvalid, "-")},
			Listeners: []gatewayv1.ListenerStatus{
				{Name: "l", AttachedRoutes: 2, SupportedKinds: []gatewayv1.RouteGroupKind{{Group: &group, Kind: kind}, {Kind: "x"}},
					Conditions: []metav1.Condition{ListenerAccepted(0), ListenerNoConflicts(0), ListenerPending(0), ListenerOverlappingHostnames(0, "m")}},
				{Name: "m", SupportedKinds: []gatewayv1.RouteGroupKind{},
					Conditions: []metav1.Condition{ListenerConflicted(0, gatewayv1.ListenerReasonHostnameConflict, "l"), ListenerNotProgrammed(0, "l")}},
			},
		}},
		{APIVersion: "v1", Kind: "GatewayClass", Name: "c", GatewayClass: &gatewayv1.GatewayClassStatus{
			Conditions:        []metav1.Condition{ClassAccepted(2), ClassSupportedVersion(2, "v1.6")},
			SupportedFeatures: []gatewayv1.SupportedFeature{{Name: "GRPCRoute"}},
		}},
		{APIVersion: "v1", Kind: "ListenerSet", Namespace: "ns", Name: "l", ListenerSet: &gatewayv1.ListenerSetStatus{
			Conditions: []metav1.Condition{ListenerSetNotAccepted(1, gatewayv1.ListenerSetReasonNotAllowed, "no"),
				ListenerSetNotProgrammed(1, gatewayv1.ListenerSetReasonListenersNotValid, "no")},
			Listeners: []gatewayv1.ListenerEntryStatus{{Name: "e", AttachedRoutes: 1, SupportedKinds: []gatewayv1.RouteGroupKind{{Kind: "x"}},
				Conditions: []metav1.Condition{ListenerAccepted(1)}}},
		}},
	}
}

// plainObject is what a general encoder makes of a report, without the times.
func plainObject(t *testing.T, r *Report) map[string]any {
	t.Helper()
	var status any
	switch {
	case r.GatewayClass != nil:
		status = r.GatewayClass
	case r.Gateway != nil:
		status = r.Gateway
	case r.ListenerSet != nil:
		status = r.ListenerSet
	case r.Route != nil:
		status = r.Route
	case r.Policy != nil:
		status = r.Policy
	}
	b, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	dropTimes(m)
	metadata := map[string]any{"name": r.Name}
	if r.Namespace != "" {
		metadata["namespace"] = r.Namespace
	}
	return map[string]any{"apiVersion": r.APIVersion, "kind": r.Kind, "metadata": metadata, "status": m}
}

func dropTimes(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "lastTransitionTime")
		for _, e := range v {
			dropTimes(e)
		}
	case []any:
		for _, e := range v {
			dropTimes(e)
		}
	}
}

// TestMarshal compares the YAML with what a general encoder writes.
func TestMarshal(t *testing.T) {
	reports := sampleReports()
	out, err := Marshal(reports)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []map[string]any
	if err := yaml.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for i := range reports {
		want = append(want, plainObject(t, &reports[i]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s in\n%s", diff, out)
	}
	if strings.Contains(string(out), "lastTransitionTime") {
		t.Error("a time is in it")
	}
}

func TestMarshalNothing(t *testing.T) {
	if out, err := Marshal(nil); err != nil || string(out) != "[]\n" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := Marshal([]Report{{Kind: "Gateway", Namespace: "ns", Name: "g"}}); err == nil ||
		!strings.Contains(err.Error(), "Gateway ns/g") {
		t.Errorf("a report without a status: %v", err)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "no", "Null", "1", "-", "a: b", "a #b", "a ", " a", hostile, "0x1", "y", "é", "\xff", "~",
		"2001-01-01", ".5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		var w writer
		w.text("key", s)
		var got map[string]string
		if err := yaml.UnmarshalStrict(w.out.Bytes(), &got); err != nil {
			t.Fatalf("%v in %q", err, w.out.String())
		}
		if got["key"] != s {
			t.Errorf("wrote %q, read %q", s, got["key"])
		}
	})
}

func TestRefusals(t *testing.T) {
	var got []string
	for _, r := range Refusals(sampleReports()) {
		got = append(got, strings.Join([]string{r.Object, r.Where, r.Condition, r.Reason}, " | "))
		if r.Message == "" {
			t.Errorf("%v has no message", r)
		}
	}
	want := []string{
		`BackendTLSPolicy ns/p | ancestorRef Gateway 1e3/on listener "l" port 80 | Accepted | Invalid`,
		`GRPCRoute ns/r | parentRef Gateway 1e3/on listener "l" port 80 | ResolvedRefs | BackendNotFound`,
		`GRPCRoute ns/r | parentRef Gateway 1e3/on listener "l" port 80 | PartiallyInvalid | UnsupportedValue`,
		`GRPCRoute ns/r | parentRef Gateway ns/null | Accepted | NoMatchingParent`,
		`Gateway ns/g |  | Programmed | Invalid`,
		`Gateway ns/g | listener "m" | Conflicted | HostnameConflict`,
		`Gateway ns/g | listener "m" | Programmed | Invalid`,
		`ListenerSet ns/l |  | Accepted | NotAllowed`,
		`ListenerSet ns/l |  | Programmed | ListenersNotValid`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	warnings := Warnings(sampleReports())
	if len(warnings) != 1 || warnings[0].Object != "Gateway ns/g" || warnings[0].Where != `listener "l"` ||
		warnings[0].Reason != "OverlappingHostnames" {
		t.Errorf("warnings: %v", warnings)
	}
}

func BenchmarkMarshal(b *testing.B) {
	sample := sampleReports()[2]
	reports := make([]Report, 10_000)
	for i := range reports {
		reports[i] = sample
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Marshal(reports); err != nil {
			b.Fatal(err)
		}
	}
}
