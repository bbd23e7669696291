package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// Culprit is a part that is left out, for it can't be rendered or the proxy refuses it (R31).
type Culprit struct {
	Part
	// Message is the generator's or the proxy's own.
	Message string
	// Reason is PortUnavailable or AddressNotUsable of a listener that has nothing to listen at; "" for all else.
	Reason string
	hash   hash
}

// quarantine remembers what was refused, so that the next change costs no new search. A part that has
// changed since is given another try.
type quarantine struct {
	culprits map[Part]Culprit
	// busy are listeners whose port somebody else has. It is found out anew for every job.
	busy map[Part]Culprit
}

// forget gives everything another try.
func (q *quarantine) forget() { q.culprits = nil }

// list is what is left out, in the order of kinds and names.
func (q *quarantine) list() []Culprit {
	var out []Culprit
	for _, c := range q.culprits {
		out = append(out, c)
	}
	for _, c := range q.busy {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Culprit) int { return strings.Compare(a.Part.String(), b.Part.String()) })
	return out
}

// heal drops the culprits that have changed or that the model no longer has.
func (q *quarantine) heal(m model.Gateways) error {
	if len(q.culprits) == 0 {
		return nil
	}
	parts := map[Part]bool{}
	for p := range q.culprits {
		parts[p] = true
	}
	now, err := hashes(m, parts)
	if err != nil {
		return err
	}
	for p, c := range q.culprits {
		if h, ok := now[p]; !ok || h != c.hash {
			delete(q.culprits, p)
		}
	}
	return nil
}

// keeps is for reduce.
func (q *quarantine) keeps(p Part) bool {
	_, refused := q.culprits[p]
	_, busy := q.busy[p]
	return !refused && !busy
}

// served is the model without what is left out.
func (q *quarantine) served(m model.Gateways) model.Gateways {
	if len(q.culprits)+len(q.busy) == 0 {
		return m
	}
	return reduce(m, q.keeps)
}

// check tries a model: "" is fine, else the generator's or the proxy's message. An error means that nobody could be asked.
type check func(ctx context.Context, m model.Gateways) (message string, err error)

// errNotOurs says that the proxy refuses even a configuration that serves nothing: no object is to blame.
var errNotOurs = errors.New("it refuses even an empty configuration, so no object is to blame")

// search finds what makes a model refused and puts it into quarantine: for each culprit a search by halves, so
// that the number of checks grows with the logarithm of the number of parts. Parts are added in the order of
// the model, and the one that turns a good configuration into a bad one is the culprit.
type search struct {
	*quarantine
	model model.Gateways
	check check
	// checks counts them, for the log.
	checks int
}

func (s *search) run(ctx context.Context) error {
	if message, err := s.try(ctx, func(Part) bool { return false }); err != nil || message != "" {
		if err == nil {
			err = fmt.Errorf("%w: %s", errNotOurs, message)
		}
		return err
	}
	// Listeners come first, with no rules on them: whatever fails then is theirs or their certificates'.
	if err := s.phase(ctx, listeners(s.model), func(p Part) bool { return p.Kind != RulePart }, s.blameListener); err != nil {
		return err
	}
	return s.phase(ctx, rules(s.model), func(Part) bool { return true }, s.blameRule)
}

// try checks the model with the parts that keep allows and that aren't in quarantine.
func (s *search) try(ctx context.Context, keep func(Part) bool) (string, error) {
	s.checks++
	return s.check(ctx, reduce(s.model, func(p Part) bool { return s.keeps(p) && keep(p) }))
}

// phase finds all culprits among parts that are all of one kind. Parts of other kinds are there as base says.
func (s *search) phase(ctx context.Context, parts []Part, base func(Part) bool,
	blame func(ctx context.Context, suspect Part, with func(Part) bool, message string) error) error {
	index := make(map[Part]int, len(parts))
	for i, p := range parts {
		index[p] = i
	}
	first := func(n int) func(Part) bool {
		return func(p Part) bool {
			if i, ok := index[p]; ok {
				return i < n
			}
			return base(p)
		}
	}
	good := 0 // this many parts from the first are known to be fine together
	for {
		message, err := s.try(ctx, first(len(parts)))
		if err != nil || message == "" {
			return err
		}
		bad := len(parts)
		for bad-good > 1 {
			middle := good + (bad-good)/2
			m, err := s.try(ctx, first(middle))
			if err != nil {
				return err
			}
			if m == "" {
				good = middle
			} else {
				bad, message = middle, m
			}
		}
		if bad == 0 || bad == good {
			// What was fine before no longer is: something outside the configuration has changed meanwhile.
			return fmt.Errorf("the proxy refuses what it took a moment ago: %s", message)
		}
		before := len(s.culprits)
		if err := blame(ctx, parts[bad-1], first(bad), message); err != nil {
			return err
		}
		if len(s.culprits) == before {
			return fmt.Errorf("%s is refused again after it was left out: %s", parts[bad-1], message)
		}
	}
}

// blameListener tells a bad listener from a bad certificate: with each certificate alone, the listener is taken
// or refused.
func (s *search) blameListener(ctx context.Context, suspect Part, with func(Part) bool, message string) error {
	l := s.listener(suspect)
	var refused []Culprit
	var names []string
	for _, name := range l.KeyPairs {
		if s.keeps(keyPairOf(name)) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		m, err := s.try(ctx, func(p Part) bool {
			return with(p) && (p.Kind != KeyPairPart || p.Name == name || !slices.Contains(names, p.Name))
		})
		if err != nil {
			return err
		}
		if m != "" {
			refused = append(refused, Culprit{Part: keyPairOf(name), Message: m})
		}
	}
	// When every certificate is refused the listener itself may be the reason. Both proxies name the file of a
	// certificate that they refuse.
	named := func(c Culprit) bool { return strings.Contains(c.Message, c.Name) }
	if len(refused) == 0 || len(refused) == len(names) && !slices.ContainsFunc(refused, named) {
		return s.add(Culprit{Part: suspect, Message: message})
	}
	if len(refused) == len(names) {
		refused = slices.DeleteFunc(refused, func(c Culprit) bool { return !named(c) })
	}
	return s.add(refused...)
}

// blameRule tells a bad rule from a bad backend: a plain rule in its place that sends to one of its clusters is
// taken or refused.
func (s *search) blameRule(ctx context.Context, suspect Part, with func(Part) bool, message string) error {
	for _, name := range s.rule(suspect).Clusters() {
		if !s.keeps(clusterOf(name)) {
			continue
		}
		kept := reduce(s.model, func(p Part) bool { return s.keeps(p) && with(p) })
		s.checks++
		m, err := s.check(ctx, probe(kept, suspect, name))
		if err != nil {
			return err
		}
		if m != "" {
			return s.add(Culprit{Part: clusterOf(name), Message: m})
		}
	}
	return s.add(Culprit{Part: suspect, Message: message})
}

// probe is the model with a rule replaced by one that matches a path of no service and sends to one cluster.
func probe(m model.Gateways, rule Part, cluster string) model.Gateways {
	out := m
	out.Gateways = slices.Clone(m.Gateways)
	for i := range out.Gateways {
		out.Gateways[i].Listeners = slices.Clone(out.Gateways[i].Listeners)
		for j := range out.Gateways[i].Listeners {
			l := &out.Gateways[i].Listeners[j]
			l.Scopes = slices.Clone(l.Scopes)
			for k := range l.Scopes {
				l.Scopes[k].Rules = slices.Clone(l.Scopes[k].Rules)
				for n, r := range l.Scopes[k].Rules {
					if RuleOf(r.Source) == rule {
						l.Scopes[k].Rules[n] = &model.Rule{
							Source: r.Source,
							Matches: []model.Match{{Path: model.Path{Kind: model.ExactPath, Value: "/gatewright.check/check", Service: "gatewright.check",
								Method: "check"}}},
							Backends: []model.Backend{{Weight: 1, Cluster: cluster}},
						}
					}
				}
			}
		}
	}
	return out
}

func (s *search) listener(p Part) *model.Listener {
	for i := range s.model.Gateways {
		for j := range s.model.Gateways[i].Listeners {
			if l := &s.model.Gateways[i].Listeners[j]; ListenerOf(&s.model.Gateways[i], l) == p {
				return l
			}
		}
	}
	return &model.Listener{}
}

func (s *search) rule(p Part) *model.Rule {
	found := &model.Rule{}
	eachRule(s.model, func(_ *model.Listener, _ string, r *model.Rule) {
		if RuleOf(r.Source) == p {
			found = r
		}
	})
	return found
}

// add puts culprits into quarantine with the hash that they have now.
func (s *search) add(culprits ...Culprit) error {
	parts := map[Part]bool{}
	for _, c := range culprits {
		parts[c.Part] = true
	}
	now, err := hashes(s.model, parts)
	if err != nil {
		return err
	}
	if s.culprits == nil {
		s.culprits = map[Part]Culprit{}
	}
	for _, c := range culprits {
		c.hash = now[c.Part]
		s.culprits[c.Part] = c
	}
	return nil
}
