package translate

import "strings"

// hostSet is a set of hostnames that knows which of them have hosts in common with another, and whose they
// are. Looking one up takes a step for each label.
type hostSet struct {
	any      string            // who has ""
	exact    map[string]string // a.example.com
	wildcard map[string]string // example.com, for *.example.com
	below    map[string]string // suffixes that something in the set is under
}

func newHostSet() *hostSet {
	return &hostSet{exact: map[string]string{}, wildcard: map[string]string{}, below: map[string]string{}}
}

// add puts a hostname in. The first owner of one stays.
func (s *hostSet) add(hostname, owner string) {
	suffix, wild := strings.CutPrefix(hostname, "*.")
	switch {
	case hostname == "":
		if s.any == "" {
			s.any = owner
		}
		return
	case wild:
		first(s.wildcard, suffix, owner)
		first(s.below, suffix, owner)
	default:
		first(s.exact, hostname, owner)
		suffix = hostname
	}
	for rest := parentDomain(suffix); rest != ""; rest = parentDomain(rest) {
		first(s.below, rest, owner)
	}
}

// intersects returns the owner of a hostname in the set that has hosts in common with this one, or "".
func (s *hostSet) intersects(hostname string) string {
	if s.any != "" {
		return s.any
	}
	if hostname == "" {
		for _, m := range []map[string]string{s.exact, s.wildcard} {
			if owner := least(m); owner != "" {
				return owner
			}
		}
		return ""
	}
	suffix, wild := strings.CutPrefix(hostname, "*.")
	if wild {
		if owner := s.below[suffix]; owner != "" {
			return owner
		}
	} else {
		if owner := s.exact[hostname]; owner != "" {
			return owner
		}
		suffix = hostname
	}
	for rest := parentDomain(suffix); rest != ""; rest = parentDomain(rest) {
		if owner := s.wildcard[rest]; owner != "" {
			return owner
		}
	}
	return ""
}

// parentDomain drops the first label.
func parentDomain(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	return rest
}

func first[K comparable, V any](m map[K]V, key K, value V) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// least returns the value of the smallest key, so that the same one is named every time.
func least(m map[string]string) string {
	key, value := "", ""
	for k, v := range m {
		if key == "" || k < key {
			key, value = k, v
		}
	}
	return value
}
