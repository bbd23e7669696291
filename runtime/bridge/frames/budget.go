package frames

import "sync/atomic"

// Budget is how many bytes the streams of all connections may hold. While there is room, a byte that came in costs its
// stream's window only, so a stream that stands still stops no other on its connection; beyond that it costs the
// connection's window too, until it is written on. So what is held is the budget and a connection's window for each.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget is a budget of so many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{limit: bytes} }

// Take says whether there is room for n more, and takes it.
func (b *Budget) Take(n int) bool {
	if b.used.Add(int64(n)) <= b.limit {
		return true
	}
	b.used.Add(-int64(n))
	return false
}

// Roomy says whether streams may hold more than they need.
func (b *Budget) Roomy() bool { return b.used.Load() < b.limit/4 }

// Release gives so many back.
func (b *Budget) Release(n int) { b.used.Add(-int64(n)) }

// Used is how many bytes are held.
func (b *Budget) Used() int64 { return b.used.Load() }
