package model_test

import (
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// TestAge is the order of R12 and R25: by age, then "namespace/name" as one string, in which "-" and "." go before "/" and digits
// after it.
func TestAge(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	sorted := []model.Age{
		{at(1), "z", "z"}, {at(2), "a-b", "a"}, {at(2), "a.b", "a"}, {at(2), "a", "a"}, {at(2), "a", "b"}, {at(3), "a", "a"},
		{time.Time{}, "a-b", "a"}, {time.Time{}, "a", "a"}, {time.Time{}, "a", "b"}, {time.Time{}, "a0", "a"},
	}
	for i := range sorted {
		for j := range sorted {
			if got, want := sorted[i].Compare(sorted[j]), i-j; got*want < 0 || (got == 0) != (want == 0) {
				t.Errorf("%v and %v: %d", sorted[i], sorted[j], got)
			}
		}
	}
}
