package haproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/relay"
)

// Session is how the session of a request is known where a draw decides on its Service.
type Session struct {
	// ID stands behind the key of a draw.
	ID string
	// Token is a word: the token that a client sends. Good is the condition that it is one.
	Token, Good string
}

// sessionOf makes it; fetch is what HAProxy reads it with.
func sessionOf(p *model.Persistence) (Session, error) {
	fetch := "req.fhdr(" + p.Header + ")"
	if p.Cookie != nil {
		fetch = "req.cook(" + p.Cookie.Name + ")"
	}
	token, err := Arg(fetch)
	if err != nil {
		return Session{}, err
	}
	sum := sha256.Sum256([]byte(fetch))
	return Session{hex.EncodeToString(sum[:4]), token, "{ " + token + " -m reg ^" + model.SessionToken + "$ }"}, nil
}

// mostSessions is how many different ones draws look for on behalf of the rules of one namespace: every call that is drawn pays for
// each.
const mostSessions = 16

// session notes that sessions stay with their shares, for a rule of a namespace, and returns what stands behind the key of a draw.
func (t *targets) session(p *model.Persistence, namespace string) (string, error) {
	if p == nil {
		return "", nil
	}
	s, err := sessionOf(p)
	if err != nil {
		return "", err
	}
	own := t.sessionsOf[namespace]
	if !slices.Contains(own, s.ID) {
		if len(own) == mostSessions {
			return "", fmt.Errorf("rules with weights of namespace %s know sessions by %d headers and cookies already, which is the most; use one "+
				"of those", namespace, mostSessions)
		}
		if t.sessionsOf == nil {
			t.sessionsOf = map[string][]string{}
		}
		t.sessionsOf[namespace] = append(own, s.ID)
	}
	if !slices.Contains(t.used.sessions, s) {
		t.used.sessions = append(t.used.sessions, s)
		slices.SortFunc(t.used.sessions, func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	}
	return ":" + s.ID, nil
}

// sessionLines are the lines of a section whose endpoints get a session each. A draw may have found the session before. The first ones
// read what the client says, before filters change it; told tell it of a new session, when filters are done.
func sessionLines(p *model.Persistence, bridged bool) (lines, told []string, err error) {
	if p == nil {
		return nil, nil, nil
	}
	s, err := sessionOf(p)
	if err != nil {
		return nil, nil, err
	}
	lines = []string{
		"balance hash var(txn.session)", "hash-type consistent",
		"http-request set-var(txn.session) " + s.Token + " if !{ var(txn.session) -m found } " + s.Good,
		"http-request set-var(txn.fresh) uuid() if !{ var(txn.session) -m found }",
		"http-request set-var(txn.session) var(txn.fresh) if !{ var(txn.session) -m found }",
	}
	if bridged {
		lines = append(lines, "http-request set-header "+relay.HeaderSession+" %[var(txn.session)]")
	}
	told, err = toldLines(p)
	return lines, told, err
}

// toldLines tell a client of a session that is new.
func toldLines(p *model.Persistence) ([]string, error) {
	c := p.Cookie
	if c == nil {
		name, err := Arg(p.Header)
		return []string{"http-response set-header " + name + " %[var(txn.fresh)] if { var(txn.fresh) -m found }"}, err
	}
	before, err := LogFormat(c.Name + "=")
	if err != nil {
		return nil, fmt.Errorf("the cookie's name: %w", err)
	}
	var lines []string
	for _, x := range []struct{ more, condition string }{{"", "!{ ssl_fc }"}, {"; Secure", "{ ssl_fc }"}} {
		attributes, err := LogFormat(c.Attributes() + x.more)
		if err != nil {
			return nil, fmt.Errorf("the cookie's path: %w", err)
		}
		lines = append(lines, "http-response add-header set-cookie "+before+"%[var(txn.fresh)]"+attributes+" if { var(txn.fresh) -m found } "+
			x.condition)
	}
	return lines, nil
}

// Sessions are spread by weight: with one of 1 each server has so few places on the ring that shares differ widely.
const sessionWeight = 16

// identify gives servers numbers that depend on their names only: on those their places on the ring depend, and a session moves when
// they change.
func identify(servers []Server) {
	taken := map[uint32]bool{}
	for i := range servers {
		h := fnv.New32a()
		h.Write([]byte(servers[i].Name))
		id := h.Sum32()>>1 | 1
		for taken[id] {
			id = (id + 2) & (1<<31 - 1)
		}
		taken[id] = true
		servers[i].ID = id
		if servers[i].Weight == 0 {
			servers[i].Weight = sessionWeight
		}
	}
}
