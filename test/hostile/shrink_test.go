package hostile

import (
	"maps"
	"slices"
	"time"
)

// shrinkTime is how long a failure may be made smaller.
const shrinkTime = 20 * time.Second

// shrink takes away whatever can go while the same thing goes wrong.
func (r *runner) shrink(list []object, f *failure) ([]object, *failure) {
	small := runner{proxies: r.proxies, dir: r.dir, reader: r.reader}
	end := time.Now().Add(shrinkTime)
	for again := true; again; {
		again = false
		for _, change := range smaller(list) {
			if time.Now().After(end) {
				return list, f
			}
			next := change()
			if g := small.run(next); g != nil && g.what == f.what {
				list, f, again = next, g, true
				break
			}
		}
	}
	return list, f
}

// smaller are the ways to make a list of objects smaller, the largest steps first.
func smaller(list []object) []func() []object {
	var all []func() []object
	for n := len(list) / 2; n >= 1; n /= 2 {
		for i := 0; i+n <= len(list); i += n {
			all = append(all, func() []object { return slices.Delete(slices.Clone(list), i, i+n) })
		}
	}
	for i, o := range list {
		for _, spec := range []string{"spec", "endpoints"} {
			if o[spec] == nil {
				continue
			}
			for _, v := range less(o[spec]) {
				all = append(all, func() []object {
					c := slices.Clone(list)
					c[i] = maps.Clone(o)
					c[i][spec] = v
					return c
				})
			}
		}
	}
	return all
}

// less are copies of a value with one thing less in it, outer things first.
func less(value any) []any {
	var all []any
	switch v := value.(type) {
	case string:
		if len(v) > 1 {
			all = append(all, v[:len(v)/2], v[len(v)/2:], v[:len(v)-1])
		}
	case []any:
		for n := len(v) / 2; n >= 1; n /= 2 {
			for i := 0; i+n <= len(v); i += n {
				all = append(all, slices.Delete(slices.Clone(v), i, i+n))
			}
		}
		for i := range v {
			for _, smaller := range less(v[i]) {
				c := slices.Clone(v)
				c[i] = smaller
				all = append(all, c)
			}
		}
	case object:
		keys := slices.Sorted(maps.Keys(v))
		for _, k := range keys {
			c := maps.Clone(v)
			delete(c, k)
			all = append(all, c)
		}
		for _, k := range keys {
			for _, smaller := range less(v[k]) {
				c := maps.Clone(v)
				c[k] = smaller
				all = append(all, c)
			}
		}
	}
	return all
}
