package haproxy

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/matching"
)

// longest is the most bytes of a value that stand in a map's key as they are. A digest stands for a longer
// one, so that the keys of many long values fit in HAProxy's buffers.
const longest = 256

// column is what of a request a condition looks at.
type column struct {
	subject matching.Subject
	name    string
	// digest says that the value's digest is looked up.
	digest bool
}

func columnOf(c *matching.Condition) column {
	return column{c.Subject, c.Name, c.Regex == nil && len(c.Value) > longest}
}

// String names a column: a header's name, or what can't be one.
func (c column) String() string {
	text := ":" + string(c.subject)
	switch c.subject {
	case matching.SubjectHeader:
		text = c.name
	case matching.SubjectQuery:
		text = "?" + c.name
	}
	if c.digest {
		text += "="
	}
	return text
}

func compareColumns(a, b column) int { return cmp.Compare(a.String(), b.String()) }

// valuesOf are the values of exact conditions as a key has them, a "|" before each.
func valuesOf(conditions []matching.Condition) string {
	var values strings.Builder
	for i := range conditions {
		values.WriteByte('|')
		if columnOf(&conditions[i]).digest {
			// Nobody can make another value with the digest of a given one.
			sum := sha1.Sum([]byte(conditions[i].Value))
			values.WriteString(strings.ToUpper(hex.EncodeToString(sum[:])))
		} else {
			values.WriteString(Value(conditions[i].Value))
		}
	}
	return values.String()
}

// form is how a column's value is kept in a variable.
type form struct{ suffix, converter string }

var (
	// plain is for regular expressions, encoded and digested are for keys.
	plain    = form{"", ""}
	encoded  = form{"_base64", ",base64"}
	digested = form{"_sha1", ",sha1,hex"}

	forms = []form{plain, encoded, digested}
)

// formOf is how a column is looked at, by regular expressions or in a key.
func formOf(c column, regex bool) form {
	switch {
	case regex:
		return plain
	case c.digest:
		return digested
	}
	return encoded
}

// variables names the variables of a frontend and knows how they are set.
type variables struct {
	names map[string]string
	// used counts the columns whose names look alike in a variable, taken has the variables of all columns in all forms.
	used  map[string]int
	taken map[string]bool
}

func newVariables() *variables {
	return &variables{map[string]string{}, map[string]int{}, map[string]bool{}}
}

// nameBytes is how much of a header's name stands in a variable's: many of those stand in one line.
const nameBytes = 40

// of returns the variable of a column in a form.
func (v *variables) of(c column, f form) string {
	c.digest = false
	key := c.String()
	if _, ok := v.names[key]; !ok {
		v.names[key] = v.free(strings.Map(func(r rune) rune {
			if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
				return r
			}
			return '_'
		}, strings.ToLower(string(c.subject)+"_"+c.name[:min(len(c.name), nameBytes)])))
	}
	return "txn." + v.names[key] + f.suffix
}

// free takes a name that no column has in any form: names of a user's choice may end like those of forms and numbers.
func (v *variables) free(base string) string {
	for {
		v.used[base]++
		name := base
		if n := v.used[base]; n > 1 {
			name = fmt.Sprintf("%s__%d", base, n)
		}
		if !slices.ContainsFunc(forms, func(f form) bool { return v.taken[name+f.suffix] }) {
			for _, f := range forms {
				v.taken[name+f.suffix] = true
			}
			return name
		}
	}
}

// fetch is an expression that yields a column, where a condition holds.
type fetch struct{ expression, condition string }

// set returns the lines that set the variable of a column, where the condition holds.
func (v *variables) set(c column, f form, condition string) ([]string, error) {
	fetches, err := c.fetches()
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(fetches))
	for i, x := range fetches {
		word, err := Arg(x.expression + f.converter)
		if err != nil {
			return nil, err
		}
		lines[i] = fmt.Sprintf("http-request set-var(%s) %s %s", v.of(c, f), word, strings.TrimRight(condition+" "+x.condition, " "))
	}
	return lines, nil
}

// fetches are how a column is found: the last one whose condition holds counts.
func (c column) fetches() ([]fetch, error) {
	switch c.subject {
	case matching.SubjectPath:
		return []fetch{{"path", ""}}, nil
	case matching.SubjectService:
		return []fetch{{"path,field(2,/)", "{ path,field(3,/) -m found }"}}, nil
	case matching.SubjectMethod:
		return []fetch{{"path,field(3,/)", "{ path,field(2,/) -m len gt 0 } !{ path,field(4,/) -m found }"}}, nil
	case matching.SubjectHTTPMethod:
		// A method is of a type of its own, which isn't text to all versions.
		return []fetch{{"method,concat()", ""}}, nil
	}
	if strings.ContainsAny(c.name, "\"'|\\/ ") {
		return nil, fmt.Errorf("the name %q has characters that HAProxy can't match", c.name)
	}
	if c.subject == matching.SubjectQuery {
		return []fetch{{fmt.Sprintf(`var(txn.query),regsub("`+queryValue+`","\1"),url_dec(1)`, hexQuoted(c.name)), ""}}, nil
	}
	// Several lines of a header are one value: the block of headers is cut down to them, then to their values.
	name := hexQuoted(c.name)
	joined := `req.hdrs,regsub("\A((?:` + name + `: [^\n]*\n)*)(?!` + name + `: )[^\n]+\n","\1",g),` +
		`regsub("\r\n` + name + `: ",", ",g),regsub("\A` + name + `: ",),regsub("\r\n\z",)`
	return []fetch{
		{`req.fhdr("` + c.name + `")`, ""},
		{joined, `{ 'req.fhdr_cnt("` + c.name + `")' gt 1 }`},
	}, nil
}

// queryLines set the query with a "&" before each parameter.
var queryLines = []string{"http-request set-var(txn.query) query", "http-request set-var(txn.query) 'str(&),concat(,txn.query)'"}

// queryValue finds the value of the first parameter of a name in txn.query, whole, where nothing in it is a control
// character or a broken code once it is decoded (R35). What is found is empty otherwise. It gives nothing back that it has
// taken, so that long queries are no burden.
const queryValue = `\A(?:&(?!%[1]s(?:[=&]|\z))[^&]*+)*+` +
	`(?:&%[1]s(?:=((?:[^&%%\x00-\x1f\x7f]|%%(?:[2-68-9A-Fa-f][0-9A-Fa-f]|7[0-9A-Ea-e]))*+)(?=&|\z))?.*+)?\z`

// hexQuoted writes the name of a header or a parameter as a regular expression for itself, without a backslash before a letter.
func hexQuoted(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
