package haproxy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/relay"
)

// A target is what a map file says about a call that found its rule. It is one of
//
//	SECTION;RULE;SERVICE         the backend section, and the names for messages; actions of HTTP rules behind them
//	redirect:CODE;RULE;;…        another place to ask
//	status:CODE:MESSAGE:CORS:;RULE  an answer of HAProxy itself, a gRPC status or an HTTP status, with a policy of CORS or none
//	weights:N:KEY                a draw from the N columns of KEY in weights.map; with ":SESSION" behind it one for each session
//
// with names and messages percent-encoded, so that no part has a separator of another one.
type targets struct {
	clusters map[string]*model.Cluster
	sections *sections
	sides    sides
	// weights are the lines of weights.map.
	weights mapFile
	// drawn holds the columns of each key in use.
	drawn map[string]string
	// cors are the lines of cors.map, and policies the names that are in it.
	cors     mapFile
	policies map[string]bool
	used     used
	// sessionsOf are the sessions that rules of a namespace have draws look for.
	sessionsOf map[string][]string
}

func newTargets(clusters []model.Cluster, side sides, v model.Version, refused *generators.Refusals) *targets {
	t := &targets{clusters: make(map[string]*model.Cluster, len(clusters)), sections: newSections(side != (sides{}), v), sides: side,
		drawn: map[string]string{}, policies: map[string]bool{}}
	for i := range clusters {
		c := &clusters[i]
		t.clusters[c.Name] = c
		for _, e := range c.Endpoints {
			if _, err := serverOf(e); err != nil {
				refused.Cluster(c.Name, err)
				break
			}
		}
	}
	return t
}

// of returns the target of a rule.
func (t *targets) of(r *model.Rule) (string, error) {
	if len(r.Backends) == 0 {
		if r.Status == nil {
			return t.status(r, answers.NoBackends)
		}
		return t.status(r, *r.Status)
	}
	name := answers.EncodeAll(r.Source.String())
	shares := r.Shares()
	columns := make([]string, len(shares))
	for i := range shares {
		var err error
		if columns[i], err = t.backend(r, name, &shares[i]); err != nil {
			return "", err
		}
	}
	if len(columns) == 1 {
		return columns[0], nil
	}
	return t.draw(r, shares, columns)
}

// backend returns the target of one share.
func (t *targets) backend(r *model.Rule, name string, b *model.Backend) (string, error) {
	switch {
	case b.Status != nil:
		return t.status(r, *b.Status)
	case b.Redirect != nil:
		if !slices.Contains(t.used.codes, b.Redirect.Code) {
			t.used.codes = append(t.used.codes, b.Redirect.Code)
		}
		actions, err := t.actions(&b.Handling, b.Redirect, "")
		return fmt.Sprintf("redirect:%d;%s;", b.Redirect.Code, name) + actions, err
	}
	c := t.clusters[b.Cluster]
	if c == nil {
		return "", fmt.Errorf("cluster %q isn't in the model", b.Cluster)
	}
	if len(c.Endpoints) == 0 && t.sides == (sides{}) {
		return t.status(r, answers.NoEndpoints(c))
	}
	section, err := t.sections.of(c, b)
	if err != nil {
		return "", err
	}
	if len(c.Endpoints) == 0 {
		// Its section is there for endpoints to come while HAProxy runs.
		return t.status(r, answers.NoEndpoints(c))
	}
	target, relayed := section.Name+";"+name+";"+section.service, relay.ID(r, b, c.TLS)
	if r.Source.Kind == model.HTTPRoute || relayed != "" {
		var actions string
		h := b.Handling
		if r.Web != nil {
			h.CORS, t.used.web = r.Web, true
		}
		actions, err = t.actions(&h, nil, relayed)
		target += actions
	}
	return target, err
}

// status is an answer of a rule: a gRPC status, or an HTTP status where the rule is an HTTPRoute's.
func (t *targets) status(r *model.Rule, s model.Status) (string, error) {
	s = answers.Of(r, s)
	code := int(s.Code)
	if r.Source.Kind == model.HTTPRoute {
		if code = s.HTTPStatus(); !slices.Contains(t.used.statuses, code) {
			t.used.statuses = append(t.used.statuses, code)
		}
	}
	policy, err := "", error(nil)
	if r.Web != nil {
		t.used.web = true
		policy, err = t.policy(r.Web)
	}
	return fmt.Sprintf("status:%d:%s:%s:;%s", code, answers.EncodeAll(s.Message), policy, answers.EncodeAll(r.Source.String())), err
}

// draws is what a threshold of weights.map is a part of.
const draws = 1 << 30

// draw adds a rule's columns to weights.map and returns the target that draws among them (R14).
func (t *targets) draw(r *model.Rule, shares []model.Backend, columns []string) (string, error) {
	weights := make([]int64, len(columns))
	for i := range shares {
		weights[i] = int64(shares[i].Weight)
	}
	var lines []string
	s := &r.Source
	session, err := t.session(r.Persistence(), r.Source.Namespace)
	if err != nil {
		return "", fmt.Errorf("sessions: %w", err)
	}
	first := fmt.Sprintf("weights:%d:%s/%s/%s/%d", len(columns), s.Kind, s.Namespace, s.Name, s.Rule)
	key := first + session
	for i, a := range aliases(weights) {
		line := fmt.Sprintf("%d|%s|%s", a.threshold, columns[i], columns[a.other])
		if err := checkLine(key, line); err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	for n := 2; t.drawn[key] != "" && t.drawn[key] != text; n++ {
		key = first + "+" + strconv.Itoa(n) + session
	}
	if t.drawn[key] == "" {
		t.drawn[key] = text
		t.weights.comment(s.String() + ": " + weightsText(weights))
		for i, line := range lines {
			t.weights.add(key+"|"+strconv.Itoa(i)+t.sides.suffix, line)
		}
	}
	return key, nil
}

func weightsText(weights []int64) string {
	texts := make([]string, len(weights))
	for i, w := range weights {
		texts[i] = strconv.FormatInt(w, 10)
	}
	return "weights " + strings.Join(texts, ", ")
}

// alias is one column of an alias table: a draw below the threshold stays in the column, all others go to the
// other one.
type alias struct {
	threshold int64
	other     int
}

// aliases makes the alias table of weights: columns are drawn alike, and each one splits its calls between
// itself and one other column so that the weights come out, exact but for the rounding to 1/draws.
func aliases(weights []int64) []alias {
	n := int64(len(weights))
	var sum int64
	for _, w := range weights {
		sum += w
	}
	// A column's share is weight×n of sum, so that the average is 1.
	left := make([]int64, n)
	table := make([]alias, n)
	var small, large []int
	for i, w := range weights {
		left[i], table[i] = w*n, alias{draws, i}
		if cmp.Compare(left[i], sum) < 0 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		table[s] = alias{(left[s]*draws + sum/2) / sum, l}
		left[l] -= sum - left[s]
		if left[l] < sum {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return table
}
