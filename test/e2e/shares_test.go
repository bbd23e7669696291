package e2e

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// shares makes the call n times and returns the part of the calls that each ended with.
func shares(t *testing.T, s *harness.Served, c call, n int) map[string]float64 {
	t.Helper()
	h := c.at(t, s)
	var mu sync.Mutex
	counts := map[string]int{}
	concurrently(n, func() {
		name := s.Client.Do(h).Backend()
		mu.Lock()
		defer mu.Unlock()
		counts[name]++
	})
	parts := map[string]float64{}
	for name, count := range counts {
		parts[name] = float64(count) / float64(n)
	}
	return parts
}

// concurrently runs a function n times, many at once.
func concurrently(n int, f func()) {
	queue := make(chan struct{})
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			for range queue {
				f()
			}
		})
	}
	for range n {
		queue <- struct{}{}
	}
	close(queue)
	callers.Wait()
}

// wantShares makes n calls and fails when a share is off by more than the tolerance, or anybody else answers.
func wantShares(t *testing.T, s *harness.Served, c call, n int, want map[string]float64, tolerance float64) {
	t.Helper()
	got := shares(t, s, c, n)
	for name, part := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%v: %s answers %.4f of the calls, want none", c, name, part)
		}
	}
	for name, part := range want {
		if math.Abs(got[name]-part) > tolerance {
			t.Errorf("%v: %s answers %.4f of the calls, want %.4f", c, name, got[name], part)
		}
	}
}

// wantHeader fails unless the metadata has exactly these values. A proxy may join several in one line, with or
// without a space after the comma (RFC 9110, section 5.3).
func wantHeader(t *testing.T, md metadata.MD, name string, want ...string) {
	t.Helper()
	got := md.Get(name)
	if slices.Equal(got, want) {
		return
	}
	if len(got) != 1 || got[0] != strings.Join(want, ", ") && got[0] != strings.Join(want, ",") {
		t.Errorf("header %s is %q, want %q", name, got, want)
	}
}
