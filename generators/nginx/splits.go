package nginx

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
)

// Split is a split_clients{} block.
type Split struct {
	// Name is the variable; the key is salted with it, so that splits don't depend on each other.
	Name string
	// Key is the variable that is drawn by, without its dollar: of a request, or of a session.
	Key string
	// Parts are in order.
	Parts []Part
}

// Part is a share of a split: Percent is "12.34%" or "*", Value the index of the backend.
type Part struct {
	Percent string
	Value   int
}

// parts is what split_clients can tell apart: hundredths of a percent.
const parts = 10000

// split returns the variable that shares calls by weight (R14).
func (a *actions) split(backends []model.Backend, by string) (string, error) {
	if len(backends) > parts {
		return "", fmt.Errorf("%d backends with a weight are more than nginx can share calls among (%d)", len(backends), parts)
	}
	shares := sharesOf(backends)
	key := fmt.Sprint(shares)
	if by != "request_id" {
		key += " " + by
	}
	if name, ok := a.bySplit[key]; ok {
		return name, nil
	}
	s := Split{Name: "gw_split_" + a.blocks.ids.Of(key), Key: by}
	for i, n := range shares {
		percent := "*"
		if i < len(shares)-1 {
			percent = fmt.Sprintf("%d.%02d%%", n/100, n%100)
		}
		s.Parts = append(s.Parts, Part{percent, i})
	}
	a.bySplit[key] = s.Name
	a.splits = append(a.splits, s)
	return s.Name, nil
}

// sharesOf rounds weights to shares of parts by the largest remainder. No share is 0.
func sharesOf(backends []model.Backend) []int {
	var sum int64
	for i := range backends {
		sum += int64(backends[i].Weight)
	}
	shares, left := make([]int, len(backends)), parts
	order := make([]int, len(backends))
	for i := range backends {
		order[i] = i
		shares[i] = max(1, int(int64(backends[i].Weight)*parts/sum))
		left -= shares[i]
	}
	remainder := func(i int) int64 { return int64(backends[i].Weight) * parts % sum }
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(remainder(y), remainder(x)) })
	for i := 0; left > 0; i, left = (i+1)%len(order), left-1 {
		shares[order[i]]++
	}
	// Shares that were lifted from 0 are taken from the largest.
	for ; left < 0; left++ {
		largest := 0
		for i := range shares {
			if shares[i] > shares[largest] {
				largest = i
			}
		}
		shares[largest]--
	}
	return shares
}
