package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gatewright/gatewright/test/harness"
)

// policyManifests have a rule with a timeout, one whose calls are copied to a mirror that is slow and to one that refuses, a quarter of
// them to a good one as well, and one with nothing.
const policyManifests = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, protocol: HTTP, port: 8080}]
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: short}
spec: {timeout: 300ms}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: policies}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: Short}}]
    filters: [{type: ExtensionRef, extensionRef: {group: gatewright.io, kind: GRPCTimeoutPolicy, name: short}}]
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: Copied}}]
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: slow, port: 50051}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: refusing, port: 50051}}}
    - {type: RequestMirror, requestMirror: {percent: 25, backendRef: {name: quarter, port: 50051}}}
    backendRefs: [{name: main, port: 50051}]
  - matches: [{method: {service: Plain}}]
    backendRefs: [{name: main, port: 50051}]
`

const (
	// deadlineCalls are made of each kind, and mirrorTime is how long calls are timed without and beside mirrored ones.
	deadlineCalls = 40
	mirrorTime    = 5 * time.Second
	// shareCalls are made to measure the share of a mirror.
	shareCalls = 10000
	// mirroredCallers make calls that are copied, and mirroredStreams hold streams that are.
	mirroredCallers = 50
	mirroredStreams = 20
)

// measurePolicies measures how exactly calls are ended, what bad mirrors cost those beside them, and what share a mirror gets.
func measurePolicies(t harness.T, proxies []harness.Proxy) {
	ends := [][]string{{"proxy", "an endpoint that", "DEADLINE_EXCEEDED", "within 300 to 350 ms", "least", "most"}}
	mirrors := [][]string{{"proxy", "beside plain ones", "p50", "p99", "beside copied ones", "p50", "p99", "p99, ratio", "copied", "failed",
		"a mirror for 25 %"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		backends := harness.NewBackends(scope)
		got := &counter{begun: map[string]int{}}
		backends.OnCall(func(e *harness.Echo, ended bool) {
			if !ended {
				got.add(e.Backend)
			}
		})
		backends.Slow(backends.Address("default/slow", 0), time.Minute)
		manifests := []string{policyManifests}
		for _, name := range []string{"main", "slow", "refusing", "quarter"} {
			manifests = append(manifests, harness.Service("default", name, 50051))
		}
		s := harness.Serve(scope, p, harness.Load(scope, "", strings.Join(manifests, "---\n")), harness.Options{Backends: backends,
			Endpoints: map[string][]bool{"default/refusing": {false}}})
		for _, kind := range []struct{ name, mode string }{{"says nothing", ""}, {"sends headers only", harness.ModeQuiet}} {
			ends = append(ends, append([]string{p.String(), kind.name}, deadlines(s, kind.mode)...))
		}
		mirrors = append(mirrors, append([]string{p.String()}, mirrored(scope, s, got)...))
		scope.End()
	}
	table("Calls that are ended after 300 ms", ends)
	table("Plain calls beside 50 callers and 20 streams: of plain ones, and of ones that are copied to a slow mirror and to one that refuses", mirrors)
}

// counter counts calls by Service.
type counter struct {
	mu    sync.Mutex
	begun map[string]int
}

func (c *counter) add(backend string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun[backend]++
}

func (c *counter) of(service string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun["default/"+service+":50051"]
}

func policyCall(s *harness.Served, service string, pairs ...string) harness.Call {
	call := s.Call("gw/http")
	call.Authority, call.Path, call.Metadata = "h.test", "/"+service+"/Method", metadata.Pairs(pairs...)
	return call
}

// deadlines makes calls that end after 300 ms, in the columns of a table.
func deadlines(s *harness.Served, mode string) []string {
	exceeded, within := 0, 0
	var took []time.Duration
	for range deadlineCalls {
		start := time.Now()
		code := codes.OK
		if mode == "" {
			code = s.Client.Do(policyCall(s, "Short", harness.AskDelay, "5s")).Code
		} else if stream, err := s.Client.Stream(policyCall(s, "Short", harness.AskMode, mode)); err == nil {
			_, err = stream.Receive()
			code = status.Code(err)
			stream.Close()
		}
		d := time.Since(start)
		took = append(took, d)
		if code == codes.DeadlineExceeded {
			exceeded++
		}
		if d >= 300*time.Millisecond && d <= 350*time.Millisecond {
			within++
		}
	}
	slices.Sort(took)
	return []string{fmt.Sprintf("%d of %d", exceeded, deadlineCalls), fmt.Sprint(within), milliseconds(took[0]), milliseconds(took[len(took)-1])}
}

// mirrored times calls that aren't copied, beside others like them and beside ones that are copied, and counts what comes to a mirror.
func mirrored(t *harness.Scope, s *harness.Served, got *counter) []string {
	plain, copied := policyCall(s, "Plain"), policyCall(s, "Copied")
	before, _, failed := besideLoad(t, s, plain, plain)
	quarter := got.of("quarter")
	after, calls, bad := besideLoad(t, s, plain, copied)
	bad += failed
	for ; calls < shareCalls; calls++ {
		if s.Client.Do(copied).Code != codes.OK {
			bad++
		}
	}
	share := 100 * float64(got.of("quarter")-quarter) / float64(calls+mirroredStreams)
	was, is := percentiles(before), percentiles(after)
	ratio := float64(after[len(after)*99/100]) / float64(before[len(before)*99/100])
	return []string{fmt.Sprint(len(before)), was[0], was[1], fmt.Sprint(len(after)), is[0], is[1], fmt.Sprintf("%.2f", ratio), fmt.Sprint(calls),
		fmt.Sprint(bad), fmt.Sprintf("%.2f %%", share)}
}

// besideLoad times a call while callers and streams make another one. It returns how long it took each time, sorted, how many of the
// other calls were made, and how many of all failed.
func besideLoad(t *harness.Scope, s *harness.Served, call, other harness.Call) (took []time.Duration, calls, bad int) {
	var streams []*harness.Stream
	for range mirroredStreams {
		quiet := other
		quiet.Metadata = metadata.Pairs(harness.AskMode, harness.ModeQuiet)
		stream, err := s.Client.Stream(quiet)
		if err != nil {
			t.Fatalf("a stream: %v", err)
		}
		streams = append(streams, stream)
	}
	end := make(chan struct{})
	var callers sync.WaitGroup
	var mu sync.Mutex
	for range mirroredCallers {
		client := harness.NewClient(t)
		callers.Go(func() {
			pause := time.NewTicker(20 * callerPause)
			defer pause.Stop()
			for {
				select {
				case <-end:
					return
				case <-pause.C:
				}
				r := client.Do(other)
				mu.Lock()
				calls++
				if r.Code != codes.OK {
					bad++
				}
				mu.Unlock()
			}
		})
	}
	took, failed := timedFor(t, call, mirrorTime)
	close(end)
	callers.Wait()
	for _, stream := range streams {
		stream.Close()
	}
	return took, calls, bad + failed
}
