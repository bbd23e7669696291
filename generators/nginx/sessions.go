package nginx

import (
	"cmp"
	"fmt"
	"regexp"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/relay"
)

// session is how nginx knows the session of a request: the names of variables, without dollars.
type session struct {
	// token is the client's own where it sends a good one, or a new one. What tells the client of a new one is in answer, and
	// empty for others.
	token, answer string
	// header is what answer is sent in.
	header string
	id     string
}

// secure is a variable with the attribute that cookies of TLS have.
const secure = "gw_secure"

// persistence is that of a share.
func persistence(b *model.Backend, u *Upstream) *model.Persistence {
	return cmp.Or(b.Persistence, u.Persistence)
}

// session makes the variables of a persistence, once. nil is for none.
func (a *actions) session(p *model.Persistence) (*session, error) {
	if p == nil {
		return nil, nil
	}
	header := p.Header
	source, own := "$http_"+variable(header), "^("+model.SessionToken+`)\z`
	told := "$request_id"
	if c := p.Cookie; c != nil {
		name, err := Value(c.Name)
		if err != nil {
			return nil, fmt.Errorf("the cookie's name: %w", err)
		}
		attributes, err := Value(c.Attributes())
		if err != nil {
			return nil, fmt.Errorf("the cookie's path: %w", err)
		}
		header, source = "set-cookie", "$http_cookie"
		own = `(?:\A|;[ ]*)` + regexp.QuoteMeta(c.Name) + "=(" + model.SessionToken + `)[ ]*(?:;|\z)`
		told = `"` + unquoted(name) + "=$request_id" + unquoted(attributes) + "$" + secure + `"`
	} else if err := readable(p.Header); err != nil {
		return nil, err
	}
	key := source + " " + own + " " + told
	s := &session{header: header, id: a.blocks.ids.Of("session " + key)}
	s.token, s.answer = "gw_session_"+s.id, "gw_session_told_"+s.id
	if a.sessions[s.id] {
		return s, nil
	}
	a.sessions[s.id] = true
	if p.Cookie != nil && !a.sessions[secure] {
		a.sessions[secure] = true
		a.blocks.add(Map{Comment: "What a cookie that came by TLS says of itself.", Source: "$https", Name: secure}).entry("on", `"; Secure"`, "")
	}
	token, err := Regex(own)
	if err != nil {
		return nil, fmt.Errorf("the session's token: %w", err)
	}
	a.blocks.add(Map{Comment: "The session of a request: what the client says, or a new one,", Source: source, Name: s.token,
		Default: "$request_id"}).entry(token, "$1", "")
	a.blocks.add(Map{Comment: "which it is told.", Source: source, Name: s.answer, Default: told}).entry(token, `""`, "")
	return s, nil
}

// way is how the calls of an action go to their upstream, besides what filters say.
type way struct {
	session *session // nil for none
	// limit are lines that bound their bodies.
	limit []string
	// relayed is what the bridge does with them, "" where they don't pass it.
	relayed string
}

// lines are those of the location: they tell the client of a new session, and the bridge of what it has to know.
func (w *way) lines(module string) []string {
	var lines []string
	if s := w.session; s != nil {
		lines = append(lines, "add_header "+s.header+" $"+s.answer+" always;")
		if w.relayed != "" {
			lines = append(lines, module+"_set_header "+relay.HeaderSession+" $"+s.token+";")
		}
	}
	lines = append(lines, w.limit...)
	if w.relayed != "" && w.session == nil {
		lines = append(lines, module+"_set_header "+relay.HeaderSession+` "";`) // A client doesn't choose its endpoint.
	}
	if w.relayed != "" {
		lines = append(lines, module+"_set_header "+relay.HeaderTarget+" "+relayVariable+";")
	}
	return lines
}

// bySession is the upstream with the endpoints of a cluster where each session has one of them. An endpoint isn't left alone for its
// failures, for nginx takes no other in the place of all: each call finds the next one by itself. All stand there by their addresses:
// those that a resolver tells of are one place on nginx's ring.
func (a *actions) bySession(u *Upstream, s *session) *Upstream {
	if s == nil || u.Bridge != "" {
		return u
	}
	name := u.Name + "_session_" + s.id
	r := a.bySessions[name]
	if r == nil {
		one := *u
		one.Name, one.Hash, one.Backup = name, s.token, false
		one.Servers, one.Resolve = u.all, ""
		one.Fails = "max_fails=0"
		if r = &one; !r.serves() {
			return r
		}
		a.bySessions[name] = r
	}
	return r
}
