package serve

import (
	"slices"
	"testing"
)

// TestPublisher: what wasn't published yet gives way to what is newer, and the newest is never lost.
func TestPublisher(t *testing.T) {
	p := NewPublisher()
	var got []int
	put := func(n int) { p.Put(func() { got = append(got, n) }) }
	put(1)
	put(2)
	p.Flush()
	p.Flush()
	if !slices.Equal(got, []int{2}) {
		t.Errorf("published %v", got)
	}
	stop := p.Start()
	for n := range 100 {
		put(n)
	}
	stop()
	if last := len(got) - 1; got[last] != 99 || !slices.IsSorted(got[1:]) {
		t.Errorf("published %v", got)
	}
}
