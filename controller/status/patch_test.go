package status

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const ours, foreign = "gatewright.io/gateway-controller", "example.com/other"

// The times of what was there, and of what is written.
var (
	before = metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	now    = metav1.NewTime(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC))
)

func all(gatewayv1.ParentReference) bool { return true }

// applied is a document with a patch applied to it.
func applied(t *testing.T, document []byte, p Patch) []byte {
	t.Helper()
	operations, err := json.Marshal(p.Operations)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Operations) == 0 {
		return document
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		t.Fatal(err)
	}
	out, err := patch.Apply(document)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, operations, document)
	}
	return out
}

// write patches an object as an API server would and returns it; it fails when a second patch has anything to do.
func write[T any](t *testing.T, document string, current func(*T) Current, r *Report) (*T, []byte, Patch) {
	t.Helper()
	read := func(text []byte) *T {
		o := new(T)
		if err := json.Unmarshal(text, o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	p := Difference(current(read([]byte(document))), r, ours, all, now)
	text := applied(t, []byte(document), p)
	after := read(text)
	if again := Difference(current(after), r, ours, all, now); len(again.Operations) > 0 {
		t.Errorf("after the patch there is still something to do: %v", again.Operations)
	}
	return after, text, p
}

func gatewayStatus(o *gatewayv1.Gateway) Current { return Current{Gateway: &o.Status} }

func routeStatus(o *gatewayv1.GRPCRoute) Current { return Current{Route: &o.Status.RouteStatus} }

func gatewayReport(generation int64, listeners ...gatewayv1.ListenerStatus) *Report {
	return &Report{Kind: "Gateway", Namespace: "ns", Name: "gw", Generation: generation, Gateway: &gatewayv1.GatewayStatus{
		Conditions: []metav1.Condition{GatewayAccepted(generation, "fine"), GatewayResolvedRefs(generation), GatewayProgrammed(generation)},
		Listeners:  listeners,
	}}
}

func routeReport(generation int64, parents ...gatewayv1.RouteParentStatus) *Report {
	return &Report{Kind: "GRPCRoute", Namespace: "ns", Name: "r", Generation: generation, Route: &gatewayv1.RouteStatus{Parents: parents}}
}

func parentOf(gateway string, conditions ...metav1.Condition) gatewayv1.RouteParentStatus {
	return gatewayv1.RouteParentStatus{
		ParentRef: gatewayv1.ParentReference{Name: gatewayv1.ObjectName(gateway)}, ControllerName: ours, Conditions: conditions,
	}
}

// defaults are what an API server puts into the status of a new Gateway.
const defaults = `{"status":{"conditions":[
	{"type":"Accepted","status":"Unknown","reason":"Pending","message":"Waiting for controller","lastTransitionTime":"1970-01-01T00:00:00Z"},
	{"type":"Programmed","status":"Unknown","reason":"Pending","message":"Waiting for controller","lastTransitionTime":"1970-01-01T00:00:00Z"}]}}`

func TestNewGateway(t *testing.T) {
	listener := gatewayv1.ListenerStatus{Name: "web", SupportedKinds: []gatewayv1.RouteGroupKind{}, Conditions: []metav1.Condition{
		ListenerNotAccepted(3, gatewayv1.ListenerReasonUnsupportedProtocol, "no h2c"),
	}}
	for name, document := range map[string]string{"defaults": defaults, "no status": `{}`} {
		t.Run(name, func(t *testing.T) {
			after, _, p := write(t, document, gatewayStatus, gatewayReport(3, listener))
			for _, c := range slices.Concat(after.Status.Conditions, after.Status.Listeners[0].Conditions) {
				if c.ObservedGeneration != 3 || !c.LastTransitionTime.Equal(&now) {
					t.Errorf("%s: generation %d, time %s", c.Type, c.ObservedGeneration, c.LastTransitionTime)
				}
			}
			if len(after.Status.Conditions) != 3 || after.Status.Listeners[0].SupportedKinds == nil {
				t.Errorf("status: %+v", after.Status)
			}
			want := []Refusal{{"Gateway ns/gw", `listener "web"`, "Accepted", "UnsupportedProtocol", "no h2c"}}
			if diff := cmp.Diff(want, p.Turned); diff != "" {
				t.Errorf("turned: %s", diff)
			}
		})
	}
}

// TestAttachedListenerSets: the number of ListenerSets is written when it changes, 0 too, and goes when there is nothing to count.
func TestAttachedListenerSets(t *testing.T) {
	document := defaults
	for _, want := range []*int32{new(int32(0)), new(int32(2)), nil} {
		report := gatewayReport(3)
		report.Gateway.AttachedListenerSets = want
		after, text, _ := write(t, document, gatewayStatus, report)
		if diff := cmp.Diff(want, after.Status.AttachedListenerSets); diff != "" {
			t.Errorf("attachedListenerSets (-want +got):\n%s", diff)
		}
		document = string(text)
	}
}

// TestTimes: the time of a condition changes with its status only (R29).
func TestTimes(t *testing.T) {
	old := GatewayAccepted(1, "fine")
	old.LastTransitionTime = before
	programmed := GatewayPending(1)
	programmed.LastTransitionTime = before
	document, err := json.Marshal(gatewayv1.Gateway{Status: gatewayv1.GatewayStatus{Conditions: []metav1.Condition{old, programmed}}})
	if err != nil {
		t.Fatal(err)
	}
	after, _, _ := write(t, string(document), gatewayStatus, gatewayReport(2))
	for _, c := range after.Status.Conditions {
		want := now
		if c.Type == "Accepted" {
			want = before
		}
		if !c.LastTransitionTime.Equal(&want) || c.ObservedGeneration != 2 {
			t.Errorf("%s: generation %d, time %s, want %s", c.Type, c.ObservedGeneration, c.LastTransitionTime, want)
		}
	}
}

// TestAddressScope: a scope that others have promised for an address of ours is taken back, and one that says nothing stays.
func TestAddressScope(t *testing.T) {
	report := gatewayReport(1)
	report.Gateway.Addresses = []gatewayv1.GatewayStatusAddress{{Value: "192.0.2.1"}}
	for scope, gone := range map[gatewayv1.GatewayAddressRoutabilityType]bool{gatewayv1.GatewayAddressRoutabilityCluster: true, "": false} {
		document, err := json.Marshal(gatewayv1.Gateway{Status: gatewayv1.GatewayStatus{
			Addresses: []gatewayv1.GatewayStatusAddress{{Value: "192.0.2.1", Routability: &scope}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		after, _, _ := write(t, string(document), gatewayStatus, report)
		if got := after.Status.Addresses; len(got) != 1 || (got[0].Routability == nil) != gone {
			t.Errorf("scope %q became %v", scope, got)
		}
	}
}

// TestNewerGeneration: what was written for a newer generation stays.
func TestNewerGeneration(t *testing.T) {
	document, err := json.Marshal(gatewayv1.Gateway{Status: gatewayv1.GatewayStatus{Conditions: []metav1.Condition{
		GatewayNotAccepted(5, gatewayv1.GatewayReasonInvalidParameters, "newer"), GatewayResolvedRefs(5), GatewayPending(5),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	after, _, p := write(t, string(document), gatewayStatus, gatewayReport(4))
	if len(p.Operations) > 0 || after.Status.Conditions[0].Message != "newer" {
		t.Errorf("operations %v", p.Operations)
	}
}

// TestForeignStays: conditions and entries of others stay byte for byte, with fields that this program has never
// heard of (R26).
func TestForeignStays(t *testing.T) {
	const (
		health = `{"type":"example.com/Healthy","status":"True","reason":"Yes","message":"","lastTransitionTime":"2026-01-01T00:00:00Z","score":7}`
		entry  = `{"parentRef":{"name":"gw","weight":3},"controllerName":"example.com/other","conditions":[],"extra":{"b":1,"a":2}}`
		stale  = `{"parentRef":{"name":"gone"},"controllerName":"gatewright.io/gateway-controller","conditions":[]}`
		mine   = `{"parentRef":{"name":"gw"},"controllerName":"gatewright.io/gateway-controller","conditions":[` + health + `,` +
			`{"type":"PartiallyInvalid","status":"True","reason":"UnsupportedValue","message":"Dropped","observedGeneration":1,"lastTransitionTime":"2026-01-01T00:00:00Z"}]}`
	)
	route := `{"metadata":{"namespace":"ns","generation":2},"status":{"parents":[` + strings.Join([]string{stale, entry, mine, stale}, ",") +
		`]}}`
	after, text, _ := write(t, route, routeStatus, routeReport(2, parentOf("gw", RouteAccepted(2, "fine")),
		parentOf("second", RouteAccepted(2, "fine"))))
	var names []string
	for _, p := range after.Status.Parents {
		names = append(names, string(p.ControllerName)+" "+string(p.ParentRef.Name))
	}
	want := []string{foreign + " gw", ours + " gw", ours + " second"}
	if !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
	for _, piece := range []string{entry, health} {
		if !strings.Contains(string(text), piece) {
			t.Errorf("%s is not as it was in\n%s", piece, text)
		}
	}
	if strings.Contains(string(text), "PartiallyInvalid") {
		t.Errorf("what was healed is still there:\n%s", text)
	}

	gateway := `{"status":{"conditions":[` + health + `],"listeners":[{"name":"old","attachedRoutes":1,"conditions":[]},` +
		`{"name":"web","attachedRoutes":1,"supportedKinds":[{"kind":"GRPCRoute"}],"conditions":[` + health + `]}]}}`
	_, text, _ = write(t, gateway, gatewayStatus, gatewayReport(1, gatewayv1.ListenerStatus{
		Name: "web", AttachedRoutes: 2, SupportedKinds: []gatewayv1.RouteGroupKind{{Kind: "GRPCRoute"}},
		Conditions: []metav1.Condition{ListenerAccepted(1)},
	}))
	if n := strings.Count(string(text), health); n != 2 {
		t.Errorf("%d foreign conditions of 2 are as they were:\n%s", n, text)
	}
	if strings.Contains(string(text), `"old"`) {
		t.Errorf("a listener that has gone is still there:\n%s", text)
	}
}

// TestOthersOfOurName: another program of our name that serves other Gateways keeps its entries.
func TestOthersOfOurName(t *testing.T) {
	route := &gatewayv1.GRPCRoute{}
	route.Status.Parents = []gatewayv1.RouteParentStatus{parentOf("theirs", RouteAccepted(1, "fine")),
		parentOf("gone", RouteAccepted(1, "fine"))}
	owned := func(ref gatewayv1.ParentReference) bool { return ref.Name != "theirs" }
	p := Difference(routeStatus(route), routeReport(1, parentOf("gw", RouteAccepted(1, "fine"))), ours, owned, now)
	if len(p.Operations) != 2 || p.Operations[0].Op != "remove" || p.Operations[0].Path != "/status/parents/1" {
		t.Errorf("operations %v", p.Operations)
	}
	if !routeStatus(route).Mentions(ours, owned) || routeStatus(route).Mentions(foreign, owned) {
		t.Error("what mentions us is not what it should be")
	}
}

// TestRoom: a status has room for 32 entries, of all controllers together.
func TestRoom(t *testing.T) {
	route := &gatewayv1.GRPCRoute{}
	for i := range 30 {
		e := parentOf(fmt.Sprint(i))
		e.ControllerName = foreign
		route.Status.Parents = append(route.Status.Parents, e)
	}
	var want []gatewayv1.RouteParentStatus
	for i := range 5 {
		want = append(want, parentOf(fmt.Sprintf("ours%d", i), RouteAccepted(1, "fine")))
	}
	p := Difference(routeStatus(route), routeReport(1, want...), ours, all, now)
	if len(p.Operations) != 2 {
		t.Errorf("%d entries are added to 30, want 2", len(p.Operations))
	}
}

// TestAnyStatus: whatever was there, the patch makes our part what is wanted, and leaves the rest.
func TestAnyStatus(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	conditions := func(generation int64) []metav1.Condition {
		list := []metav1.Condition{
			RouteAccepted(generation, "fine"), RouteNotAccepted(generation, "NotAllowedByListeners", "no"), RouteResolvedRefs(generation),
			RouteRefsNotResolved(generation, "BackendNotFound", "no"), RoutePartiallyInvalid(generation, "Dropped Rule 1"),
			condition("example.com/Healthy", metav1.ConditionTrue, "Yes", generation, ""),
		}
		rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		seen := map[string]bool{}
		return slices.DeleteFunc(list[:rnd.IntN(len(list))], func(c metav1.Condition) bool {
			again := seen[c.Type]
			seen[c.Type] = true
			return again
		})
	}
	for range 5000 {
		route := &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}}
		var others []gatewayv1.RouteParentStatus
		for i := range rnd.IntN(5) {
			e := parentOf(fmt.Sprintf("gw%d", i), conditions(int64(rnd.IntN(2)))...)
			if rnd.IntN(2) == 0 {
				e.ControllerName = foreign
				others = append(others, e)
			}
			route.Status.Parents = append(route.Status.Parents, e)
		}
		var want []gatewayv1.RouteParentStatus
		for i := range rnd.IntN(5) {
			if rnd.IntN(2) == 0 {
				c := slices.DeleteFunc(conditions(1), func(c metav1.Condition) bool { return c.Type == "example.com/Healthy" })
				want = append(want, parentOf(fmt.Sprintf("gw%d", i), c...))
			}
		}
		document, err := json.Marshal(route)
		if err != nil {
			t.Fatal(err)
		}
		after, _, _ := write(t, string(document), routeStatus, routeReport(1, want...))
		var mine, theirs []gatewayv1.RouteParentStatus
		for _, e := range after.Status.Parents {
			if e.ControllerName == ours {
				mine = append(mine, e)
			} else {
				theirs = append(theirs, e)
			}
		}
		ignoreTimes := cmp.Transformer("conditions", func(list []metav1.Condition) map[string]string {
			out := map[string]string{}
			for _, c := range list {
				if c.Type != "example.com/Healthy" {
					out[c.Type] = fmt.Sprint(c.Status, c.Reason, c.Message, c.ObservedGeneration)
				}
			}
			return out
		})
		byName := func(a, b gatewayv1.RouteParentStatus) int {
			return strings.Compare(string(a.ParentRef.Name), string(b.ParentRef.Name))
		}
		slices.SortFunc(mine, byName)
		if diff := cmp.Diff(want, mine, ignoreTimes); diff != "" {
			t.Fatalf("ours:\n%s\nfrom %s", diff, document)
		}
		if len(theirs) != len(others) {
			t.Fatalf("others: %d, want %d", len(theirs), len(others))
		}
	}
}
