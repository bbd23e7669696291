package model

import (
	"fmt"
	"strings"
	"time"
)

// Timeouts are how long an HTTP request may take; 0 is no limit. A request that takes longer is answered 504.
type Timeouts struct {
	// Request is for the whole request, Backend for each attempt of it at a backend.
	Request time.Duration `json:"request,omitempty"`
	Backend time.Duration `json:"backend,omitempty"`
}

func (t Timeouts) describe() []string {
	var lines []string
	for _, x := range []struct {
		what string
		time time.Duration
	}{{"a request", t.Request}, {"an attempt", t.Backend}} {
		if x.time > 0 {
			lines = append(lines, fmt.Sprintf("%s may take %s", x.what, x.time))
		}
	}
	return lines
}

// Retry tries a request again.
type Retry struct {
	// Attempts is how many times at most, besides the first; 0 is never, not even where no endpoint took the request.
	Attempts int `json:"attempts"`
	// Codes are the HTTP statuses of a backend that are tried again, ascending.
	Codes []int `json:"codes,omitempty"`
}

func (r *Retry) describe() []string {
	switch {
	case r == nil:
		return nil
	case r.Attempts == 0:
		return []string{"nothing is tried again"}
	}
	codes := make([]string, len(r.Codes))
	for i, c := range r.Codes {
		codes[i] = fmt.Sprint(c)
	}
	text := fmt.Sprintf("what fails is tried again, up to %d times", r.Attempts)
	if len(codes) > 0 {
		text += ", on " + strings.Join(codes, ", ") + " too"
	}
	return []string{text}
}
