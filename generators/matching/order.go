package matching

import (
	"cmp"

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

// compareRules orders rules that match equally well: by their routes, then the first rule of one.
func compareRules(a, b *model.Rule) int {
	return cmp.Or(ageOf(&a.Source).Compare(ageOf(&b.Source)), cmp.Compare(a.Source.Rule, b.Source.Rule))
}

// CompareMatches orders matches of rules under one hostname by precedence (R12), the one that goes first first. i and j
// number them in their rules.
func CompareMatches(a *model.Rule, i int, b *model.Rule, j int) int {
	x, y := rankOf(&a.Matches[i]), rankOf(&b.Matches[j])
	return cmp.Or(x.compare(&y), compareRules(a, b), cmp.Compare(i, j))
}

// compare is negative when a rank goes before another.
func (x *rank) compare(y *rank) int {
	for i := range x {
		if x[i] != y[i] {
			return y[i] - x[i]
		}
	}
	return 0
}

func ageOf(s *model.Source) model.Age {
	return model.Age{Created: s.Created, Namespace: s.Namespace, Name: s.Name}
}
