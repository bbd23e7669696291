package http1

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// ErrMalformed is the error, or is in it, of a message that isn't well formed, or that could be read in two ways.
var ErrMalformed = errors.New("the message is malformed")

// Reason is the field with the reason phrase of a response. HTTP/2 has no such thing.
const Reason = ":reason"

// maxFields is how many lines a head may have.
const maxFields = 8192

// head is what the first lines of a message say.
type head struct {
	fields  []hpack.HeaderField // as HTTP/2 has them, but for capitals in names
	method  string
	status  string
	length  int64 // Content-Length; -1 for none
	chunked bool
	old     bool // HTTP/1.0
	keep    bool // the connection stays
	upgrade bool // it asks for a WebSocket, or becomes one
}

// parseRequest reads the head of a request, up to the empty line.
func parseRequest(text string, fields []hpack.HeaderField) (head, error) {
	h := head{fields: fields[:0]}
	line, rest := cutLine(text)
	method, target, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(target, " ")
	if !ok || !ok2 || !ValidMethod(method) || method == "CONNECT" || !h.version(version) {
		return h, ErrMalformed
	}
	authority, path, err := splitTarget(method, target)
	if err != nil {
		return h, err
	}
	h.method = method
	h.fields = append(h.fields, hpack.HeaderField{Name: ":method", Value: method}, hpack.HeaderField{Name: ":scheme", Value: "http"},
		hpack.HeaderField{Name: ":path", Value: path}, hpack.HeaderField{Name: ":authority"})
	c, err := h.read(rest)
	if err != nil {
		return h, err
	}
	switch host := c.host; {
	case c.hosts > 1, c.hosts == 0 && !h.old, !ValidAuthority(host), authority != "" && !strings.EqualFold(host, authority):
		return h, ErrMalformed
	case host == "":
		h.fields = slices.Delete(h.fields, 3, 4)
	default:
		h.fields[3].Value = host
	}
	h.upgrade = c.upgrade && method == "GET" && !h.old && h.length <= 0 && !h.chunked
	h.strip(c)
	return h, nil
}

// parseResponse reads the head of a response to a method.
func parseResponse(text string, fields []hpack.HeaderField) (head, error) {
	h := head{fields: fields[:0]}
	line, rest := cutLine(text)
	version, line, ok := strings.Cut(line, " ")
	status, reason, _ := strings.Cut(line, " ")
	if !ok || !h.version(version) || !ValidStatus(status) || !httpguts.ValidHeaderFieldValue(reason) {
		return h, ErrMalformed
	}
	h.status = status
	h.fields = append(h.fields, hpack.HeaderField{Name: ":status", Value: status}, hpack.HeaderField{Name: Reason, Value: reason})
	c, err := h.read(rest)
	if err != nil {
		return h, err
	}
	h.upgrade = c.upgrade && status == "101"
	h.strip(c)
	return h, nil
}

// parseTrailers reads the lines behind a chunked body. What says how a message is framed or where it goes has no place there.
func parseTrailers(text string, fields []hpack.HeaderField) ([]hpack.HeaderField, error) {
	h := head{fields: fields[:0]}
	c, err := h.read(text)
	if err != nil {
		return nil, err
	}
	h.strip(c)
	return slices.DeleteFunc(h.fields, leads), nil
}

// leads says whether a field says how a message is framed or where it goes.
func leads(f hpack.HeaderField) bool {
	return equal(f.Name, "content-length") || equal(f.Name, "host") || equal(f.Name, "trailer") || equal(f.Name, "te")
}

func cutLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\r\n")
	return line, rest
}

func (h *head) version(text string) bool {
	h.old = text == "HTTP/1.0"
	h.length = -1
	return h.old || text == "HTTP/1.1"
}

// splitTarget takes a request's target apart. That of a proxy's proxy has the authority in it.
func splitTarget(method, target string) (authority, path string, err error) {
	if scheme, rest, ok := strings.Cut(target, "://"); ok && (equal(scheme, "http") || equal(scheme, "https")) {
		at := strings.IndexAny(rest, "/?")
		if at < 0 {
			at = len(rest)
		}
		authority, target = rest[:at], rest[at:]
		if authority == "" {
			return "", "", ErrMalformed
		}
		switch {
		case target == "" && method == "OPTIONS":
			target = "*"
		case target == "" || target[0] == '?':
			target = "/" + target
		}
	}
	if !ValidPath(method, target) {
		return "", "", ErrMalformed
	}
	return authority, target, nil
}

// connection is what a head says of the connection and of framing.
type connection struct {
	host      string
	hosts     int
	lengths   int
	codings   int
	close     bool
	keep      bool
	upgrade   bool     // Connection: upgrade, and Upgrade: websocket
	nominated []string // by Connection, beside those that are known
	asked     bool     // Connection: upgrade
	socket    int      // Upgrade: websocket
	protocols int      // Upgrade
	fields    int
}

// read reads lines of fields up to the empty one.
func (h *head) read(text string) (connection, error) {
	var c connection
	for {
		var line string
		if line, text = cutLine(text); line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if c.fields++; !ok || c.fields > maxFields || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return c, ErrMalformed
		}
		keep, err := h.field(&c, name, value)
		if err != nil {
			return c, err
		}
		if keep {
			h.fields = append(h.fields, hpack.HeaderField{Name: name, Value: value})
		}
	}
	if text != "" || c.lengths > 1 || c.codings > 1 || c.lengths > 0 && c.codings > 0 || c.codings > 0 && h.old {
		return c, ErrMalformed
	}
	c.upgrade = c.asked && c.socket == 1 && c.protocols == 1
	h.keep = !c.close && (c.keep || !h.old)
	return c, nil
}

// field heeds a field, and says whether it is passed on.
func (h *head) field(c *connection, name, value string) (bool, error) {
	switch len(name) { // Most names have a length that is none of these.
	case 2, 4, 7, 10, 14, 16, 17:
	default:
		return true, nil
	}
	switch {
	case equal(name, "host"):
		c.host = value
		c.hosts++
	case equal(name, "content-length"):
		c.lengths++
		return true, h.readLength(value)
	case equal(name, "transfer-encoding"):
		c.codings++
		if !equal(value, "chunked") {
			return false, ErrMalformed
		}
		h.chunked = true
		return false, nil
	case equal(name, "connection"):
		c.options(value)
		return false, nil
	case equal(name, "keep-alive"), equal(name, "proxy-connection"):
		return false, nil
	case equal(name, "te"):
		return hasToken(value, "trailers"), nil
	case equal(name, "upgrade"):
		c.protocols++
		if equal(value, "websocket") {
			c.socket++
		}
	}
	return true, nil
}

func (h *head) readLength(value string) error {
	if !ValidLength(value) {
		return ErrMalformed
	}
	h.length, _ = strconv.ParseInt(value, 10, 64) // It has digits, and not too many.
	return nil
}

// options reads a Connection field.
func (c *connection) options(value string) {
	for option := range strings.SplitSeq(value, ",") {
		switch option = strings.Trim(option, " \t"); {
		case equal(option, "close"):
			c.close = true
		case equal(option, "keep-alive"):
			c.keep = true
		case equal(option, "upgrade"):
			c.asked = true
		case option == "", equal(option, "te"), equal(option, "host"), equal(option, "content-length"):
			// What frames a message, or says where it goes, is of no one connection whoever says so.
		case httpguts.ValidHeaderFieldName(option):
			c.nominated = append(c.nominated, option)
		}
	}
}

// strip takes away what is about this connection only.
func (h *head) strip(c connection) {
	if len(c.nominated) == 0 && (c.protocols == 0 || h.upgrade) {
		return
	}
	h.fields = slices.DeleteFunc(h.fields, func(f hpack.HeaderField) bool {
		if f.IsPseudo() || Ours(f.Name) {
			return false // What the proxy says to the bridge is taken away by that.
		}
		return equal(f.Name, "upgrade") && !h.upgrade || slices.ContainsFunc(c.nominated, func(n string) bool { return equal(f.Name, n) })
	})
}

// Ours says whether a name is of the words between proxy and bridge, also as programs read it for which "_" is "-".
func Ours(name string) bool {
	return len(name) >= 5 && (name[4] == '-' || name[4] == '_') && (name[1] == '-' || name[1] == '_') && equal(name[:1], "x") &&
		equal(name[2:4], "gw")
}

func hasToken(list, token string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if equal(strings.Trim(t, " \t"), token) {
			return true
		}
	}
	return false
}

func equal(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
