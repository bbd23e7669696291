package generators

import (
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// Refused is a part of a model that a generator can't write, and that everything else can be served without (R31).
type Refused struct {
	// Rule is the rule's source; nil when it is a cluster.
	Rule *model.Source
	// Cluster is the name of the cluster.
	Cluster string
	Err     error
}

// Refusals is the error of Render about parts that it knows: all that it has found, so that one more rendering
// without them is enough.
type Refusals []Refused

// Rule notes that a rule can't be written, once.
func (r *Refusals) Rule(s *model.Source, err error) {
	if n := len(*r); n > 0 && (*r)[n-1].Rule != nil && *(*r)[n-1].Rule == *s {
		return
	}
	*r = append(*r, Refused{Rule: s, Err: err})
}

// Cluster notes that a cluster can't be written.
func (r *Refusals) Cluster(name string, err error) {
	*r = append(*r, Refused{Cluster: name, Err: err})
}

// OrNil is the error: nil when nothing was noted.
func (r Refusals) OrNil() error {
	if len(r) == 0 {
		return nil
	}
	return r
}

// named is how many parts a message names.
const named = 3

func (r Refusals) Error() string {
	var texts []string
	for i := range r[:min(len(r), named)] {
		what := "cluster " + r[i].Cluster
		if r[i].Rule != nil {
			what = r[i].Rule.String()
		}
		texts = append(texts, fmt.Sprintf("%s: %v", what, r[i].Err))
	}
	if more := len(r) - named; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns what was wrong with each part.
func (r Refusals) Unwrap() []error {
	errs := make([]error, len(r))
	for i := range r {
		errs[i] = r[i].Err
	}
	return errs
}
