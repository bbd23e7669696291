package haproxy

import (
	"testing"

	"github.com/gatewright/gatewright/generators/matching"
)

// TestVariables: no name of a user's choice gives a column the variable of another one, in any form (R32).
func TestVariables(t *testing.T) {
	header := func(name string) column { return column{subject: matching.SubjectHeader, name: name} }
	query := func(name string) column { return column{subject: matching.SubjectQuery, name: name} }
	v, columns := newVariables(), map[string]column{}
	for _, c := range []column{
		query("a"), query("A"), query("a__2"), query("a__3"), query("a_"), query("a___2"), query("a_base64"), query("a_sha1"), query("a__2_sha1"),
		header("x!role"), header("x-role"), header("x-role--2"), header("x-role-base64"), header("x_role"), header("x_role__2"),
		{subject: matching.SubjectPath}, {subject: matching.SubjectHTTPMethod}, header(""), query(""), query("base64"),
	} {
		for _, f := range forms {
			name := v.of(c, f)
			if other, ok := columns[name]; ok {
				t.Errorf("%s and %s share %s", c, other, name)
			}
			columns[name] = c
		}
	}
}
