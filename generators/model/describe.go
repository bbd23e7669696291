package model

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/pattern"
)

// Describe says what a match asks for, in one line: "/a.B/Get and x-env = \"canary\"".
func (m *Match) Describe() string {
	parts := []string{m.Path.describe()}
	if m.Method != "" {
		parts = append(parts, "HTTP method "+m.Method)
	}
	for _, h := range m.Headers {
		parts = append(parts, h.describe(""))
	}
	for _, q := range m.Query {
		parts = append(parts, q.describe("query parameter "))
	}
	return strings.Join(parts, " and ")
}

func (p *Path) describe() string {
	switch p.Kind {
	case ExactPath:
		return p.Value
	case PrefixPath:
		return p.Value + "/…"
	case RegexPath:
		return fmt.Sprintf("path ~ %#q", p.Regex)
	case ServicePath:
		return "/" + p.Service + "/*"
	case MethodPath:
		return "/*/" + p.Method
	case SegmentsPath:
		return p.segments()
	}
	return "any method"
}

func (p *Path) segments() string {
	var parts []string
	for _, s := range []struct {
		what, exact string
		regex       *pattern.Pattern
	}{{"service", p.Service, p.ServiceRegex}, {"method", p.Method, p.MethodRegex}} {
		switch {
		case s.regex != nil:
			parts = append(parts, fmt.Sprintf("%s ~ %#q", s.what, s.regex))
		case s.exact != "":
			parts = append(parts, s.what+" "+s.exact)
		}
	}
	return strings.Join(parts, ", ")
}

func (m ValueMatch) describe(what string) string {
	if m.Regex != nil {
		return fmt.Sprintf("%s%s ~ %#q", what, m.Name, m.Regex)
	}
	return fmt.Sprintf("%s%s = %q", what, m.Name, m.Value)
}

// Label names a rule by its first match in a few words, for a drawing: "/a.B/Get x-env +2".
func (r *Rule) Label() string {
	label := r.Matches[0].Path.label()
	for _, h := range r.Matches[0].Headers {
		label += " " + h.Name
	}
	if n := len(r.Matches) - 1; n > 0 {
		label += " +" + strconv.Itoa(n)
	}
	return label
}

func (p *Path) label() string {
	segment := func(p *pattern.Pattern) string {
		if p == nil {
			return "*"
		}
		return p.String()
	}
	switch p.Kind {
	case ExactPath, PrefixPath:
		return p.Value
	case RegexPath:
		return "~" + p.Regex.String()
	case ServicePath:
		return "/" + p.Service + "/"
	case MethodPath:
		return "/*/" + p.Method
	case SegmentsPath:
		return "~/" + segment(p.ServiceRegex) + "/" + segment(p.MethodRegex)
	}
	return "/*"
}

// Describe says in words which clients may connect; "" for all of them, without a word of certificates.
func (v *ClientValidation) Describe() string {
	switch {
	case v == nil:
		return ""
	case v.InsecureFallback:
		return "with any certificate or none"
	}
	return "with a certificate that is valid by " + strings.Join(v.CAs, " or ")
}
