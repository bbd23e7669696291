package e2e

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

var failingFlag = flag.Int("failing", 20, "how many calls of TestRetries fail in each way, and how many callers' worth of them make its storm")

// askReset asks the endpoint of TestRetries for a reset with a code of HTTP/2, where it doesn't ask for a status.
const askReset = "ask-reset"

// failures are the ways in which a call fails for each condition of a policy, and what the client gets in the end.
var failures = []struct {
	condition, header, value string
	code                     codes.Code
}{
	{"cancelled", harness.AskStatus, "1", codes.Canceled},
	{"deadline-exceeded", harness.AskStatus, "4", codes.DeadlineExceeded},
	{"internal", harness.AskStatus, "13", codes.Internal},
	{"resource-exhausted", harness.AskStatus, "8", codes.ResourceExhausted},
	{"unavailable", harness.AskStatus, "14", codes.Unavailable},
	{"refused-stream", askReset, strconv.Itoa(int(http2.ErrCodeRefusedStream)), codes.Unavailable},
}

// failingService is the gRPC service whose calls are sent again on a condition.
func failingService(condition string) string {
	return "acme.v1.On_" + strings.ReplaceAll(condition, "-", "_")
}

func failingManifests(address string) string {
	const policy = `apiVersion: gatewright.io/v1alpha1
kind: GRPCRetryPolicy
metadata: {name: %s}
spec: {retries: 2, retryOn: [%s], backoff: 1ms, budget: {percent: %d, perSecond: %d}}
`
	const rule = `  - matches: [{method: {service: %s}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCRetryPolicy, name: %s}}]
    backendRefs: [{name: raw, port: 50051}]
`
	objects := []string{harness.Service("default", "raw", 50051), harness.Endpoints("default", "raw", "p50051", address, 50051),
		fmt.Sprintf(policy, "storm", "unavailable", 20, 1)}
	route := `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: retries}
spec:
  parentRefs: [{name: gw}]
  rules:
` + fmt.Sprintf(rule, "acme.v1.Storm", "storm")
	for _, f := range failures {
		objects = append(objects, fmt.Sprintf(policy, f.condition, f.condition, 100, 10000))
		route += fmt.Sprintf(rule, failingService(f.condition), f.condition)
	}
	return strings.Join(append(objects, route), "---\n")
}

// TestRetries counts at the endpoint how often calls are begun that fail in each way: as often as the policy says, once where it names
// another condition, and in a storm no more often than the budget lets them (R21).
func TestRetries(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		var starts atomic.Int64
		address := harness.Address(t)
		harness.StartRawServer(t, func(s *harness.RawStream) {
			starts.Add(1)
			if code, err := strconv.Atoi(s.Request.Get(askReset)); err == nil {
				s.Reset(http2.ErrCode(code))
				return
			}
			s.Headers(true, ":status", "200", "content-type", "application/grpc", "grpc-status", s.Request.Get(harness.AskStatus))
		}, address+":50051")
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml"), failingManifests(address)), harness.Options{})
		do := func(service, header, value string, want codes.Code) {
			c := call{listener: "gw/http", authority: "grpc.example.com", path: "/" + service + "/Get"}.at(t, s)
			c.Metadata = metadata.Pairs(header, value)
			if reply := s.Client.Do(c); reply.Code != want {
				t.Errorf("%s, %s %s: %v", service, header, value, reply)
			}
		}
		for _, f := range failures {
			for _, on := range failures {
				calls, tries := 2, 1
				if on.condition == f.condition {
					calls, tries = *failingFlag, 3
				} else if f.condition == "refused-stream" && on.condition == "unavailable" {
					tries = 3 // It is UNAVAILABLE too.
				}
				starts.Store(0)
				for range calls {
					do(failingService(on.condition), f.header, f.value, f.code)
				}
				if got := starts.Load(); got != int64(calls*tries) {
					t.Errorf("%s, sent again on %s: %d calls came %d times, want %d", f.condition, on.condition, calls, got, calls*tries)
				}
			}
		}
		t.Run("storm", func(t *testing.T) {
			const callers = 10
			starts.Store(0)
			began := time.Now()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for range *failingFlag {
						do("acme.v1.Storm", harness.AskStatus, "14", codes.Unavailable)
					}
				})
			}
			all.Wait()
			calls := callers * *failingFlag
			// A fifth of them, and one each second.
			least, most := calls/10, calls/5+int(time.Since(began)/time.Second)+1
			if again := int(starts.Load()) - calls; again < least || again > most {
				t.Errorf("%d calls were sent again %d times, want %d to %d", calls, again, least, most)
			}
		})
	})
}
