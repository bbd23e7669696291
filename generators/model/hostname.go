package model

import "strings"

// HostnameCovers says whether every host that the pattern narrow matches is matched by wide too. Patterns are
// names, "*.suffix" for one or more labels before the suffix (R5), or "" for every host; a plain host is a
// pattern that matches itself.
func HostnameCovers(wide, narrow string) bool {
	switch {
	case wide == "" || wide == narrow:
		return true
	case strings.HasPrefix(wide, "*."):
		// What comes before the suffix has at least one character: a label, or the star.
		return strings.HasSuffix(narrow, wide[1:]) && len(narrow) >= len(wide)
	}
	return false
}

// HostnameIntersection is the pattern of the hosts that both patterns match, and false when there are none:
// one of two patterns that have hosts in common covers the other.
func HostnameIntersection(a, b string) (string, bool) {
	switch {
	case HostnameCovers(a, b):
		return b, true
	case HostnameCovers(b, a):
		return a, true
	}
	return "", false
}

// HostnameParents yields the patterns that cover a pattern, from the most specific to "", itself left out.
func HostnameParents(pattern string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if pattern == "" {
			return
		}
		rest := strings.TrimPrefix(pattern, "*.")
		for {
			_, suffix, dot := strings.Cut(rest, ".")
			if !dot {
				break
			}
			if !yield("*." + suffix) {
				return
			}
			rest = suffix
		}
		yield("")
	}
}

// CompareHostnames orders patterns as precedence does, the most specific first: names, then wildcards, the
// longer before the shorter, then "". Equal ones of each kind go by the alphabet.
func CompareHostnames(a, b string) int {
	rank := func(h string) int {
		switch {
		case h == "":
			return 2
		case strings.HasPrefix(h, "*."):
			return 1
		}
		return 0
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra - rb
	}
	if len(a) != len(b) {
		return len(b) - len(a)
	}
	return strings.Compare(a, b)
}

// HostnameText is a hostname of a listener or a route for a person to read.
func HostnameText(h string) string {
	if h == "" {
		return "any host"
	}
	return h
}
