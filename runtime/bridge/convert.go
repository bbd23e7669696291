package bridge

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/runtime/bridge/http1"
)

// Where a call comes in by one protocol and goes out by the other, its fields are made those of that. What is about one connection
// is no field of any call: both sides take it away when they read.

// errInexpressible is a head of HTTP/2 that HTTP/1.1 has no words for.
var errInexpressible = errors.New("its headers can't be said in HTTP/1.1")

// spoken are a request's fields as an endpoint is sent them, or trailers.
func (e *endpoint) spoken(fields []hpack.HeaderField, http1 bool) ([]hpack.HeaderField, error) {
	switch {
	case http1 && !e.http1:
		fields = toFrames(fields)
	case e.http1 && !http1:
		var err error
		if fields, err = toText(fields); err != nil {
			return nil, err
		}
	}
	return e.schemed(fields), nil
}

// trailers are a request's trailers as an endpoint is sent them.
func (e *endpoint) trailers(fields []hpack.HeaderField, http1 bool) []hpack.HeaderField {
	if http1 && !e.http1 {
		return toFrames(fields)
	}
	return fields
}

// translate makes headers or trailers of a response those of the protocol that the client speaks. A response that can't be said in
// that ends the call. The lock is held.
func (c *call) translate(a *attempt, fields []hpack.HeaderField) ([]hpack.HeaderField, bool) {
	switch {
	case !c.http1:
		return toFrames(fields), true
	case pseudo(fields, ":status") == "":
		return fields, true // Trailers.
	}
	out, err := toText(fields)
	if err != nil {
		c.drop(cancelCode)
		c.answer(c.unanswered(codes.Internal, "bridge: "+err.Error()))
		return nil, false
	}
	return out, true
}

// begin makes a tunnel of a call whose endpoint has switched to WebSockets. No copy has a part in that, and no time bounds it.
func (c *call) begin() {
	c.ended = false
	if c.timer != nil {
		c.timer.Stop()
	}
	for _, m := range c.mirrors {
		m.left(true)
	}
	c.mirrors = nil
}

// toFrames makes fields of HTTP/1.1 those of HTTP/2.
func toFrames(fields []hpack.HeaderField) []hpack.HeaderField {
	out := make([]hpack.HeaderField, 0, len(fields))
	for _, f := range fields {
		switch f.Name = strings.ToLower(f.Name); f.Name {
		case http1.Reason, "host", "upgrade": // The host is the authority by now.
		case "te":
			out = append(out, hpack.HeaderField{Name: f.Name, Value: "trailers"})
		default:
			out = append(out, f)
		}
	}
	return out
}

// toText makes fields of HTTP/2 those of HTTP/1.1, which has several cookies in one line. What could begin a line of its own, or end
// the first one early, or says two lengths, is an error.
func toText(fields []hpack.HeaderField) ([]hpack.HeaderField, error) {
	out := make([]hpack.HeaderField, 0, len(fields))
	var cookies []string
	authority, length := pseudo(fields, ":authority"), 0
	trailed := pseudo(fields, "trailer") != "" // A body whose length is said has no place for trailers there.
	for _, f := range fields {
		ok := true
		switch f.Name {
		case ":path":
			ok = http1.ValidPath(pseudo(fields, ":method"), f.Value)
		case ":method":
			ok = http1.ValidMethod(f.Value) && f.Value != "CONNECT"
		case ":authority":
			ok = http1.ValidAuthority(f.Value)
		case ":status":
			ok = http1.ValidStatus(f.Value) && f.Value != "101"
		case "content-length":
			length++
			if ok = length == 1 && http1.ValidLength(f.Value); ok && trailed {
				continue
			}
		case "host":
			if ok = authority == "" && http1.ValidAuthority(f.Value); ok {
				authority = f.Value
			} else if ok = f.Value == authority; ok {
				continue // It is said already.
			}
		case "cookie":
			cookies = append(cookies, f.Value)
			continue
		}
		if !ok {
			return nil, errInexpressible
		}
		out = append(out, f)
	}
	if len(cookies) > 0 {
		out = append(out, hpack.HeaderField{Name: "cookie", Value: strings.Join(cookies, "; ")})
	}
	return out, nil
}

// pseudo is a field's value; "" when it isn't there.
func pseudo(fields []hpack.HeaderField, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// withoutUpgrade is a request that asks for no WebSocket: what a mirror gets.
func withoutUpgrade(fields []hpack.HeaderField) []hpack.HeaderField {
	return slices.DeleteFunc(slices.Clone(fields), func(f hpack.HeaderField) bool { return strings.EqualFold(f.Name, "upgrade") })
}

// repeatable says whether a request may be sent again though an endpoint may have seen it (RFC 9110, 9.2.2).
func repeatable(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
