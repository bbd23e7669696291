package nginx

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLonger: the expression matches the numbers above its own, however they are written.
func TestLonger(t *testing.T) {
	for _, n := range []int64{1, 8, 9, 10, 99, 100, 1000, 1009, 1999, 2000, 65536, 1<<40 - 1} {
		r := regexp.MustCompile(strings.ReplaceAll(longer(n), `\z`, `$`))
		for _, d := range []int64{-n, -1000, -101, -100, -11, -10, -9, -1, 0, 1, 2, 9, 10, 11, 90, 99, 100, 101, 1000, 9 * n} {
			if m := n + d; m >= 0 {
				for _, zeros := range []string{"", "0", "00"} {
					if text := zeros + strconv.FormatInt(m, 10); r.MatchString(text) != (m > n) {
						t.Errorf("%s for %d: %t, by %s", text, n, !(m > n), r)
					}
				}
			}
		}
		for _, text := range []string{"", "-5", "x"} {
			if r.MatchString(text) {
				t.Errorf("%q is above %d", text, n)
			}
		}
	}
}
