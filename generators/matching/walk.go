package matching

import (
	"fmt"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
)

// Trace is the way of one call through the tables.
type Trace struct {
	// Port is where the call arrives; nil when nothing listens there.
	Port *Port
	// Listener owns the host; nil when no listener of the port does (R7).
	Listener *Listener
	// Handshake is the listener that the server name chose; nil where TLS is refused, or not spoken.
	Handshake *Listener
	// Misdirected says that the host belongs to another listener than the server name: HTTP 421 (R7).
	Misdirected bool
	// Class is the pattern that the host was found by.
	Class *Class
	// Kind is the kind of routes that the request is matched against, and of the answer where none matches.
	Kind model.RouteKind
	// Ambiguous says that the request is refused for its path: HTTP 400 (R36).
	Ambiguous bool
	// Steps are the candidates that were looked at, in order; the last one wins when Rule is set.
	Steps []Step
	// Rule is the winner and Match which of its matches it was; nil when no rule matches (R13).
	Rule  *model.Rule
	Match int
}

// Step is one candidate that a lookup found.
type Step struct {
	Scope     *Scope
	Stage     *Stage
	Candidate *Candidate
	// Rule is the candidate's.
	Rule *model.Rule
	// Failed is the first condition that doesn't hold; nil for the winner.
	Failed *Condition
	// Why says so in words.
	Why string
}

// Walk decides a call as a proxy with these tables does.
func (t *Tables) Walk(call model.Call) Trace {
	trace := Trace{Kind: kindOf(call.GRPC())}
	trace.Port = t.port(call)
	if trace.Port == nil {
		return trace
	}
	class := trace.Port.class(call.Host())
	if trace.Port.Protocol == model.HTTPS {
		handshake := trace.Port.class(model.Hostname(call.SNI))
		if handshake == nil {
			return trace
		}
		trace.Handshake = &trace.Port.Listeners[handshake.Listener]
		if class != nil && class.Listener != handshake.Listener {
			trace.Misdirected = true
			trace.Listener = &trace.Port.Listeners[class.Listener]
			return trace
		}
	}
	if class != nil {
		trace.Class, trace.Listener = class, &trace.Port.Listeners[class.Listener]
		trace.Kind = class.Kind(call.GRPC() || t.TakesWeb(class) && call.WebPreflight())
	}
	if trace.Ambiguous = trace.Kind == model.HTTPRoute && model.Ambiguous(call.PathOnly()); trace.Ambiguous || class == nil {
		return trace
	}
	for s := class.scope(trace.Kind); s >= 0; s = t.Scopes[s].Parent {
		if t.walkScope(&t.Scopes[s], call, &trace) {
			break
		}
	}
	return trace
}

// port finds the port of a call by its Gateway and number. A call that names neither arrives at the first
// port with a listener for its host, or at the first port at all.
func (t *Tables) port(call model.Call) *Port {
	var first *Port
	for i := range t.Ports {
		p := &t.Ports[i]
		if call.Port != 0 && p.Port != call.Port || call.Gateway != "" && p.Listeners[0].Gateway != call.Gateway {
			continue
		}
		if p.class(call.Host()) != nil {
			return p
		}
		if first == nil {
			first = p
		}
	}
	return first
}

// class finds the most specific class of a host, or nil.
func (p *Port) class(host string) *Class {
	find := func(pattern string) *Class {
		i, ok := slices.BinarySearchFunc(p.Classes, pattern, func(c Class, h string) int {
			return model.CompareHostnames(c.Hostname, h)
		})
		if !ok {
			return nil
		}
		return &p.Classes[i]
	}
	if c := find(host); c != nil {
		return c
	}
	for wider := range model.HostnameParents(host) {
		if c := find(wider); c != nil {
			return c
		}
	}
	return nil
}

// walkScope looks at the stages of one scope and says whether one of their candidates wins.
func (t *Tables) walkScope(s *Scope, call model.Call, trace *Trace) bool {
	for i := range s.Stages {
		stage := &s.Stages[i]
		entry := stage.find(call)
		if entry == nil {
			continue
		}
		for j := range entry.Candidates {
			c := &entry.Candidates[j]
			step := Step{Scope: s, Stage: stage, Candidate: c, Rule: t.Rules[c.Rule]}
			step.Failed, step.Why = firstFailed(c.Conditions, call)
			trace.Steps = append(trace.Steps, step)
			if step.Failed == nil {
				trace.Rule, trace.Match = step.Rule, c.Match
				return true
			}
		}
	}
	return false
}

// find looks the stage's key of a call up.
func (s *Stage) find(call model.Call) *Entry {
	value, ok := keyOf(s, call)
	if !ok {
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.Entries, value, func(e Entry, v string) int {
		switch {
		case e.Value < v:
			return -1
		case e.Value > v:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &s.Entries[i]
}

func keyOf(s *Stage, call model.Call) (string, bool) {
	switch s.Key {
	case KeyPath:
		return call.PathOnly(), true
	case KeyService:
		return call.Service()
	case KeyMethod:
		return call.GRPCMethod()
	case KeyPrefix:
		return segments(call.PathOnly(), s.Depth)
	}
	return "", true
}

// segments cuts a path behind its first n segments, and says whether it has as many.
func segments(path string, n int) (string, bool) {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		if n == 0 {
			return path[:i], true
		}
		n--
	}
	return path, n == 0
}

// Miss says in words why a match by itself doesn't match a call; "" when it does.
func Miss(m *model.Match, call model.Call) string {
	at := placeOf(m)
	value, ok := keyOf(&Stage{Key: at.key, Depth: at.depth}, call)
	switch {
	case at.key == KeyNone:
	case !ok:
		return fmt.Sprintf("the path has no %s", at.key)
	case value != at.value:
		return fmt.Sprintf("%s is %q, not %q", at.key, value, at.value)
	}
	_, why := firstFailed(conditionsOf(m), call)
	return why
}

// firstFailed returns the first condition that doesn't hold, with the reason in words.
func firstFailed(conditions []Condition, call model.Call) (*Condition, string) {
	for i := range conditions {
		c := &conditions[i]
		value, ok := c.subject(call)
		name := string(c.Subject)
		if c.Name != "" {
			name += " " + c.Name
		}
		switch {
		case !ok:
			return c, name + " is absent"
		case c.Regex != nil && !c.Regex.Match(value):
			return c, fmt.Sprintf("%s is %q, which doesn't match %q", name, value, c.Regex)
		case c.Regex == nil && value != c.Value:
			return c, fmt.Sprintf("%s is %q, not %q", name, value, c.Value)
		}
	}
	return nil, ""
}

// subject returns what of a call a condition looks at, and whether the call has it.
func (c *Condition) subject(call model.Call) (string, bool) {
	switch c.Subject {
	case SubjectPath:
		return call.PathOnly(), true
	case SubjectService:
		return call.Service()
	case SubjectMethod:
		return call.GRPCMethod()
	case SubjectHTTPMethod:
		return call.Method, call.Method != ""
	case SubjectQuery:
		return call.QueryParameter(c.Name)
	}
	return call.Header(c.Name)
}
