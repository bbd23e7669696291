package matching

import (
	"cmp"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// ref is one match of one rule.
type ref struct{ rule, match int }

// rank is how a match's path stands in the order of precedence (R12): numbers to compare one by one, the
// larger first. The hostname isn't among them: a scope has but one.
type rank [6]int

// How a part of a path is matched, the stronger the larger.
const (
	byNothing = iota
	byRegex
	byName
)

// rankOf works a match's rank out. For gRPC: characters of the service, then of the method, a name before a
// regular expression before none. For HTTP: an exact path, a regular expression, then the longest prefix,
// then a method match. Then the number of headers, then of query parameters.
func rankOf(m *model.Match) rank {
	p := &m.Path
	method := 0
	if m.Method != "" {
		method = 1
	}
	switch p.Kind {
	case model.ExactPath:
		if p.Service == "" {
			return rank{byName, len(p.Value), method, 0, len(m.Headers), len(m.Query)}
		}
		return rank{byName, len(p.Service), byName, len(p.Method), len(m.Headers)}
	case model.ServicePath:
		return rank{byName, len(p.Service), 0, 0, len(m.Headers)}
	case model.MethodPath:
		return rank{0, 0, byName, len(p.Method), len(m.Headers)}
	case model.SegmentsPath:
		r := rank{4: len(m.Headers)}
		if p.ServiceRegex != nil {
			r[0], r[1] = byRegex, len(p.ServiceRegex.String())
		}
		if p.MethodRegex != nil {
			r[2], r[3] = byRegex, len(p.MethodRegex.String())
		}
		return r
	case model.RegexPath:
		return rank{byRegex, len(p.Regex.String()), method, 0, len(m.Headers), len(m.Query)}
	}
	return rank{0, len(p.Value), method, 0, len(m.Headers), len(m.Query)}
}

// compareRules orders rules that match equally well: the oldest route, then "namespace/name" by the alphabet,
// then the first rule. A route whose age isn't known counts as the newest.
func compareRules(a, b *model.Rule) int {
	x, y := &a.Source, &b.Source
	if !x.Created.Equal(y.Created) {
		if x.Created.IsZero() || y.Created.IsZero() {
			return cmp.Compare(boolInt(x.Created.IsZero()), boolInt(y.Created.IsZero()))
		}
		return x.Created.Compare(y.Created)
	}
	return cmp.Or(
		compareNames(x, y),
		cmp.Compare(x.Rule, y.Rule),
	)
}

// compareNames compares "namespace/name" without building it.
func compareNames(x, y *model.Source) int {
	if x.Namespace == y.Namespace {
		return strings.Compare(x.Name, y.Name)
	}
	return strings.Compare(x.Namespace+"/"+x.Name, y.Namespace+"/"+y.Name)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
