package e2e

import (
	"fmt"
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

// callers is how many make calls concurrently, each one at a time.
const callers = 32

// concurrently runs a function n times, many at once.
func concurrently(n int, f func()) {
	queue := make(chan struct{})
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range queue {
				f()
			}
		})
	}
	for range n {
		queue <- struct{}{}
	}
	close(queue)
	group.Wait()
}

// wantShares fails unless n calls fall to who answers in the wanted parts. A proxy that draws each call at random
// misses a tolerance of two standard deviations now and then, so calls are added, n at a time, while the parts of all
// of them are off: six times as many draws come near enough, a wrong share doesn't.
func wantShares(t *testing.T, s *harness.Served, c call, n int, want map[string]float64, tolerance float64) {
	t.Helper()
	const most = 6
	got := map[string]float64{}
	for round := 1; ; round++ {
		for name, part := range shares(t, s, c, n) {
			got[name] += part
		}
		off := ""
		for name, sum := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("%v: %s answers %.4f of the calls, want none", c, name, sum/float64(round))
			}
		}
		for name, part := range want {
			if share := got[name] / float64(round); math.Abs(share-part) > tolerance {
				off = fmt.Sprintf("%s answers %.4f of %d calls, want %.4f", name, share, round*n, part)
			}
		}
		if off == "" || t.Failed() {
			return
		}
		if round == most {
			t.Errorf("%v: %s", c, off)
			return
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
