package model

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestShares: whatever mirrors backends have, each backend keeps its part of the calls, each mirror gets its own part of them, and a
// share's mirrors get all of it.
func TestShares(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var r Rule
		total := 0.0
		for i := range 1 + rnd.IntN(4) {
			b := Backend{Weight: 1 + rnd.Int32N(1000), Cluster: "c" + strconv.Itoa(i)}
			for j := range rnd.IntN(4) {
				d := 1 + rnd.Int32N(1000)
				b.Mirrors = append(b.Mirrors, Mirror{"m" + strconv.Itoa(j), 1 + rnd.Int32N(d), d})
			}
			total += float64(b.Weight)
			r.Backends = append(r.Backends, b)
		}
		shares := r.Shares()
		sum, backends, mirrors := 0.0, map[string]float64{}, map[string]float64{}
		for _, s := range shares {
			w := float64(s.Weight)
			sum += w
			backends[s.Cluster] += w
			for _, m := range s.Mirrors {
				if !m.All() {
					t.Errorf("seed %d: a share with a mirror for a part of it: %+v", seed, m)
				}
				mirrors[s.Cluster+m.Cluster] += w
			}
		}
		for _, b := range r.Backends {
			part := float64(b.Weight) / total
			if got := backends[b.Cluster] / sum; math.Abs(got-part) > 1e-6 {
				t.Errorf("seed %d: %s gets %f of the calls, want %f", seed, b.Cluster, got, part)
			}
			for _, m := range b.Mirrors {
				want := part * float64(m.Numerator) / float64(m.Denominator)
				if got := mirrors[b.Cluster+m.Cluster] / sum; math.Abs(got-want) > 1e-6 {
					t.Errorf("seed %d: %s gets copies of %f of the calls, want %f", seed, m.Cluster, got, want)
				}
			}
		}
	}
	whole := Rule{Backends: []Backend{{Weight: 3, Cluster: "c", Handling: Handling{Mirrors: []Mirror{{"m", 1, 1}}}}}}
	if got := whole.Shares(); len(got) != 1 || got[0].Weight != 3 {
		t.Errorf("a mirror for all calls parts them: %+v", got)
	}
}

func TestBridged(t *testing.T) {
	for want, list := range map[bool][]*CallPolicy{
		false: {nil, {}, {Retry: &CallRetry{Retries: 1, On: []string{ConnectFailure}}}},
		true: {{Timeout: 1}, {Retry: &CallRetry{Retries: 1, On: []string{"internal"}}},
			{Retry: &CallRetry{Retries: 1, On: []string{ConnectFailure}, PerTry: 1}},
			{Retry: &CallRetry{Retries: 1, On: []string{ConnectFailure, "unavailable"}}}},
	} {
		for _, p := range list {
			if p.Bridged() != want {
				t.Errorf("%+v: %t", p, !want)
			}
		}
	}
}
