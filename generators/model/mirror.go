package model

import (
	"cmp"
	"fmt"
	"slices"
)

// Mirror is a cluster that gets copies of calls, and whose answers nobody sees (R20).
type Mirror struct {
	Cluster string `json:"cluster"`
	// Numerator of Denominator calls are copied; never more than all of them, and never none.
	Numerator   int32 `json:"numerator"`
	Denominator int32 `json:"denominator"`
}

// All says whether every call is copied.
func (m *Mirror) All() bool { return m.Numerator == m.Denominator }

func (m *Mirror) describe() string {
	if m.All() {
		return "copied to " + m.Cluster
	}
	return fmt.Sprintf("%d of %d are copied to %s", m.Numerator, m.Denominator, m.Cluster)
}

// mostWeight is what the weights of shares are scaled to when mirrors part them.
const mostWeight = 1 << 30

// Shares are the backends of the rule, parted so that a mirror gets all calls of a share or none. One draw decides on all
// mirrors of a backend, so that there is one share more for each mirror that gets some.
func (r *Rule) Shares() []Backend {
	if !slices.ContainsFunc(r.Backends, func(b Backend) bool { return len(b.Mirrors) > 0 && !b.mirrorsAll() }) {
		return r.Backends
	}
	var sum float64
	for i := range r.Backends {
		sum += float64(r.Backends[i].Weight)
	}
	var shares []Backend
	for i := range r.Backends {
		b := &r.Backends[i]
		for _, p := range b.parts() {
			share := *b
			share.Mirrors = p.mirrors
			share.Weight = int32(max(1, float64(b.Weight)/sum*p.size*mostWeight))
			shares = append(shares, share)
		}
	}
	return shares
}

func (b *Backend) mirrorsAll() bool {
	return !slices.ContainsFunc(b.Mirrors, func(m Mirror) bool { return !m.All() })
}

// part is a share of a backend's calls, and the mirrors that get all of it.
type part struct {
	size    float64
	mirrors []Mirror
}

// parts part the calls of a backend where one of its mirrors gets no more of them.
func (b *Backend) parts() []part {
	sorted := slices.Clone(b.Mirrors)
	slices.SortStableFunc(sorted, func(x, y Mirror) int { return cmp.Compare(x.share(), y.share()) })
	var list []part
	from := 0.0
	for i := 0; i <= len(sorted); i++ {
		to := 1.0
		if i < len(sorted) {
			to = sorted[i].share()
		}
		if to <= from {
			continue
		}
		p := part{size: to - from}
		for _, m := range b.Mirrors {
			if m.share() >= to {
				p.mirrors = append(p.mirrors, Mirror{m.Cluster, 1, 1})
			}
		}
		list = append(list, p)
		from = to
	}
	return list
}

func (m *Mirror) share() float64 { return float64(m.Numerator) / float64(m.Denominator) }
