package model

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Handling is what is done to the calls that go to one backend, and to their answers.
type Handling struct {
	// RequestHeaders and ResponseHeaders are one entry a header, sorted by name.
	RequestHeaders  []HeaderChange `json:"requestHeaders,omitempty"`
	ResponseHeaders []HeaderChange `json:"responseHeaders,omitempty"`
	// Rewrite changes the host or the path that a backend is asked for; nil for neither.
	Rewrite *Rewrite `json:"rewrite,omitempty"`
	// CORS says which other sites' pages may ask; nil leaves that to the backend.
	CORS *CORS `json:"cors,omitempty"`
	// Timeouts end what takes too long.
	Timeouts Timeouts `json:"timeouts,omitzero"`
	// Retry tries again what a backend failed; nil tries again only what no endpoint has taken.
	Retry *Retry `json:"retry,omitempty"`
	// Calls is what happens to gRPC calls besides; nil for nothing.
	Calls *CallPolicy `json:"calls,omitempty"`
	// Persistence keeps sessions at one endpoint; nil where the cluster's own says.
	Persistence *Persistence `json:"persistence,omitempty"`
	// Web has calls of gRPC-Web become gRPC: the rule takes them.
	Web bool `json:"web,omitempty"`
	// Mirrors get copies of calls.
	Mirrors []Mirror `json:"mirrors,omitempty"`
}

// HeaderChange is what becomes of one header: set is Keep false with a value, add is Keep true with values,
// remove is Keep false with none.
type HeaderChange struct {
	// Name is lower case.
	Name string `json:"name"`
	// Keep says that existing values stay.
	Keep bool `json:"keep,omitempty"`
	// Values are added, in order.
	Values []string `json:"values,omitempty"`
}

// Then is what two handlings come to, one after the other (R19).
func (h Handling) Then(next Handling) Handling {
	return Handling{
		RequestHeaders:  thenHeaders(h.RequestHeaders, next.RequestHeaders),
		ResponseHeaders: thenHeaders(h.ResponseHeaders, next.ResponseHeaders),
		// Those of a rule are the rule's alone.
		Timeouts: h.Timeouts,
		Retry:    h.Retry,
		Calls:    h.Calls,
		Web:      h.Web,
		Rewrite:  h.Rewrite.then(next.Rewrite),
		CORS:     cmp.Or(next.CORS, h.CORS),
		Mirrors:  slices.Concat(h.Mirrors, next.Mirrors),

		Persistence: h.Persistence,
	}
}

func thenHeaders(first, second []HeaderChange) []HeaderChange {
	switch {
	case len(second) == 0:
		return first
	case len(first) == 0:
		return second
	}
	out := slices.Clone(first)
	for _, c := range second {
		i := slices.IndexFunc(out, func(h HeaderChange) bool { return h.Name == c.Name })
		switch {
		case i < 0:
			out = append(out, c)
		case c.Keep:
			out[i].Values = slices.Concat(out[i].Values, c.Values)
		default:
			out[i] = c
		}
	}
	SortHeaderChanges(out)
	return out
}

// SortHeaderChanges brings a list into its order.
func SortHeaderChanges(list []HeaderChange) {
	slices.SortFunc(list, func(a, b HeaderChange) int { return cmp.Compare(a.Name, b.Name) })
}

// Describe says what is done, a line for each thing: "request header x-a becomes \"1\"".
func (h Handling) Describe() []string {
	var lines []string
	for _, side := range []struct {
		name    string
		changes []HeaderChange
	}{{"request", h.RequestHeaders}, {"response", h.ResponseHeaders}} {
		for _, c := range side.changes {
			lines = append(lines, side.name+" header "+c.describe())
		}
	}
	lines = append(lines, h.Rewrite.describe()...)
	lines = append(lines, h.CORS.describe()...)
	lines = append(lines, h.Timeouts.describe()...)
	lines = append(lines, h.Calls.describe()...)
	lines = append(lines, h.Persistence.describe()...)
	if h.Web {
		lines = append(lines, "calls of gRPC-Web become gRPC")
	}
	for i := range h.Mirrors {
		lines = append(lines, h.Mirrors[i].describe())
	}
	return append(lines, h.Retry.describe()...)
}

func (c HeaderChange) describe() string {
	quoted := make([]string, len(c.Values))
	for i, v := range c.Values {
		quoted[i] = strconv.Quote(v)
	}
	values := strings.Join(quoted, ", ")
	switch {
	case len(c.Values) == 0:
		return c.Name + " is removed"
	case c.Keep:
		return fmt.Sprintf("%s gets %s as well", c.Name, values)
	}
	return fmt.Sprintf("%s becomes %s", c.Name, values)
}
