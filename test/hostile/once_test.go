package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// failures is how often endpoints fail in a test, in each of the ways in turn.
const failures = 50

var waysToFail = []string{"killed", "reset", "drained", "closed"}

// TestCallOnce is R40: a call whose endpoint fails before it answers runs once. Clients send again by themselves what
// a proxy says no endpoint has seen. docs/proxies.md says by the same feature which versions keep it.
func TestCallOnce(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			once := p.Capabilities.Has(model.FeatureCallOnce)
			s, endpoints := serveEndpoints(t, p, 2, harness.Options{Generator: generators.Options{CallOnce: once}})
			runs := 0
			for i := range failures {
				runs += failOnce(t, p, s, endpoints, waysToFail[i%len(waysToFail)], fmt.Sprint("call ", i))
			}
			t.Logf("%d calls ran %d times", failures, runs)
			switch {
			case once && runs != failures:
				t.Errorf("%d calls whose endpoints failed ran %d times", failures, runs)
			case !once && runs <= failures:
				t.Errorf("%d calls ran %d times on a proxy that isn't said to keep calls from running twice", failures, runs)
			}
		})
	}
}

// failOnce makes a call whose endpoint fails while it has the call, and returns how often the call ran.
func failOnce(t *testing.T, p harness.Proxy, s *harness.Served, endpoints []*endpoint, way, id string) int {
	t.Helper()
	// Both endpoints take calls, on connections that have taken some: passive checks may need a moment to see it.
	harness.Until(t, "take calls again", harness.DefaultTimeout, func() error {
		for range 4 {
			if r := s.Client.Do(identified(s, "warm", "")); r.Code != codes.OK {
				return fmt.Errorf("%s %s", r.Code, r.Message)
			}
		}
		return nil
	}, func() string { return "" })
	done := make(chan harness.Reply, 1)
	go func() { done <- s.Client.Do(identified(s, id, holdSilent)) }()
	var at, other *endpoint
	select {
	case <-endpoints[0].arrived:
		at, other = endpoints[0], endpoints[1]
	case <-endpoints[1].arrived:
		at, other = endpoints[1], endpoints[0]
	case r := <-done:
		t.Fatalf("%s: no endpoint got the call: %s %s", id, r.Code, r.Message)
	}
	at.fail(way, id)
	// nginx may fail a call that was answered, when the endpoint has closed the connection by the time that nginx tells it how
	// much more it may send.
	hasty := p.Name == "nginx"
	for again := true; again; {
		select {
		case r := <-done:
			// Unavailable would say that no endpoint has run it.
			want := codes.Internal
			if way == "drained" && (r.Code != codes.Internal || !hasty) {
				want = codes.OK
			}
			// The client repeats once by itself what it is told that nobody has run, and such an answer may be false there.
			refused := !p.Capabilities.Has(model.FeatureCallOnce) && strings.Contains(r.Message, "REFUSED_STREAM")
			if r.Code != want && !refused && at.count(id)+other.count(id) == 1 {
				t.Errorf("%s, whose endpoint was %s: got %s %q, want %s", id, way, r.Code, r.Message, want)
			}
			again = false
		case <-at.arrived:
			at.end(id, finish) // The client has sent it again.
		case <-other.arrived:
			other.end(id, finish)
		}
	}
	return at.count(id) + other.count(id)
}

// identified is a call with an id that tells it from others.
func identified(s *harness.Served, id, hold string) harness.Call {
	call := s.Call("gw/http")
	call.Authority, call.Path, call.Timeout = "a.b", "/s.A/Get", 10*time.Second
	call.Metadata = metadata.Pairs(callID, id)
	if hold != "" {
		call.Metadata.Append(askHold, hold)
	}
	return call
}
