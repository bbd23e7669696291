package haproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// A policy of CORS is some lines of cors.map, which begin with its name:
//
//	NAME|p          "1" for credentials, the age, methods, headers and headers to see, with ";" between; lists in base64
//	NAME|*          any origin may ask
//	NAME|o|ORIGIN   an origin, or one with a wildcard, may ask

// policy writes a policy, once, and returns its name.
func (t *targets) policy(c *model.CORS) (string, error) {
	credentials := ""
	if c.AllowCredentials {
		credentials = "1"
	}
	origins := slices.Compact(slices.Sorted(slices.Values(c.AllowOrigins)))
	text := strings.Join([]string{credentials, strconv.Itoa(int(c.MaxAge)), names(c.AllowMethods), names(c.AllowHeaders),
		names(c.ExposeHeaders)}, ";")
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", text, origins))
	name := "cors-" + hex.EncodeToString(sum[:8])
	if t.policies[name] {
		return name, nil
	}
	if err := checkLine(name+"|p"+t.sides.suffix, text); err != nil {
		return "", fmt.Errorf("CORS: %w", err)
	}
	t.used.cors, t.policies[name] = true, true
	t.cors.add(name+"|p"+t.sides.suffix, text)
	for _, o := range origins {
		if o == "*" {
			t.cors.add(name+"|*"+t.sides.suffix, "1")
			continue
		}
		if key := name + "|o|" + o + t.sides.suffix; MapKey(key) {
			t.cors.add(key, "1")
		}
		if _, wild, ok := strings.Cut(o, "://*"); ok {
			if n := strings.Count(wild, "."); !slices.Contains(t.used.depths, n) {
				t.used.depths = append(t.used.depths, n)
			}
		}
	}
	return name, nil
}

// names are names as a list of a header has them, or "*" where that is one of them.
func names(list []string) string {
	if slices.Contains(list, "*") {
		list = []string{"*"}
	}
	return Value(strings.Join(list, ", "))
}

// wildcardLines find a policy's origin with a wildcard for the first labels of the host, the longest first. A wildcard stands for
// whatever has no ":" and no "/".
func wildcardLines(depths []int, side, folder string) []string {
	if len(depths) == 0 {
		return nil
	}
	lines := []string{
		`acl simple var(txn.origin) -m reg '\A[a-z][a-z0-9+.-]*://[^/:\[\]]+(?::[0-9]+)?\z'`,
		"acl tried var(txn.site) -m found",
		"http-request set-var(txn.site) 'var(txn.origin),field(3,/)' if asking !allowed simple",
		"http-request set-var(txn.wild) 'var(txn.origin),field(1,:)' if tried !allowed",
	}
	slices.SortFunc(depths, func(a, b int) int { return cmp.Compare(b, a) })
	add := func(start, end, condition string) {
		lines = append(lines, fmt.Sprintf("http-request set-var(txn.allowed) 'var(txn.cors),concat(|o|,txn.wild,://*%s)%s%s,"+
			"map_str(%scors.map)' if tried !allowed %s", start, end, side, folder, condition))
	}
	rest := func(expression string) {
		lines = append(lines, "http-request set-var(txn.rest) '"+expression+"' if tried !allowed")
	}
	for _, n := range depths {
		if n == 0 {
			add("", "", "!{ 'var(txn.site),field(2,:)' -m found }")
			rest("var(txn.site),field(2,:)")
			add(":", ",concat(,txn.rest)", "{ 'var(txn.site),field(2,:)' -m found }")
			continue
		}
		rest(fmt.Sprintf("var(txn.site),field(-1,.,%d)", n))
		add(".", ",concat(,txn.rest)", fmt.Sprintf("{ 'var(txn.site),field(-%d,.,0)' -m len gt 0 }", n+1))
	}
	return lines
}
