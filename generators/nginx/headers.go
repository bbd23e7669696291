package nginx

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// Profile is a location that passes calls on: there is one for each distinct set of header changes.
type Profile struct {
	// Name begins with "@".
	Name string
	// Host says that the client's authority is passed on: no filter sets it.
	Host bool
	// TLS says that endpoints are spoken to by TLS.
	TLS bool
	// Directives are lines without indentation: grpc_set_header, grpc_hide_header, add_header, and files for TLS.
	Directives []string
}

// profiles are those in use.
type profiles struct {
	tls   *backendTLS
	names map[string]string
	list  []Profile
	// forwarded are headers of the proxy's own.
	forwarded []forwardedHeader
}

// of returns the name of the location for a backend's header changes (R19) and TLS, with lines of its own.
func (ps *profiles) of(b *model.Backend, tls *model.BackendTLS, bs *blocks, own []string) (string, error) {
	p := Profile{Host: true, TLS: tls != nil}
	if tls != nil {
		lines, err := ps.tls.lines("grpc", tls)
		if err != nil {
			return "", err
		}
		p.Directives = lines
	}
	changed := map[string]bool{}
	for i := range b.RequestHeaders {
		h := &b.RequestHeaders[i]
		if h.Name == "host" {
			p.Host = false
		}
		lines, err := ownedHeader("grpc", h, ps.forwarded, bs)
		if err != nil {
			return "", fmt.Errorf("request header %q: %w", h.Name, err)
		}
		changed[h.Name] = true
		p.Directives = append(p.Directives, lines...)
	}
	p.Directives = append(p.Directives, forwardedLines("grpc", ps.forwarded, changed)...)
	for i := range b.ResponseHeaders {
		h := &b.ResponseHeaders[i]
		lines, err := responseHeader("grpc", h, bs)
		if err != nil {
			return "", fmt.Errorf("response header %q: %w", h.Name, err)
		}
		p.Directives = append(p.Directives, lines...)
	}
	p.Directives = append(p.Directives, own...)
	key := strings.Join(p.Directives, "\n")
	if name, ok := ps.names[key]; ok {
		return name, nil
	}
	if ps.names == nil {
		ps.names = map[string]string{}
	}
	p.Name = "@gw_pass"
	if key != "" {
		p.Name += "_" + bs.ids.Of(key)
	}
	ps.names[key] = p.Name
	ps.list = append(ps.list, p)
	return p.Name, nil
}

// requestHeader sets a header to what it has and what is added, a line each: nginx leaves empty ones out, and
// sends a header none of whose lines has a value not at all.
func requestHeader(module string, h *model.HeaderChange, bs *blocks) ([]string, error) {
	name, err := headerName(h.Name)
	if err != nil {
		return nil, err
	}
	directive := module + "_set_header " + name
	var lines []string
	if h.Keep {
		if err := readable(h.Name); err != nil {
			return nil, err
		}
		lines = append(lines, directive+" $http_"+variable(h.Name)+";")
	}
	values, err := headerLines(directive, "", h.Values, bs)
	if err != nil {
		return nil, err
	}
	lines = append(lines, values...)
	if len(lines) == 0 {
		lines = append(lines, directive+` "";`)
	}
	return lines, nil
}

// responseHeader hides the backend's header unless it stays, and adds values.
func responseHeader(module string, h *model.HeaderChange, bs *blocks) ([]string, error) {
	name, err := headerName(h.Name)
	if err != nil {
		return nil, err
	}
	var lines []string
	if !h.Keep {
		lines = append(lines, module+"_hide_header "+name+";")
	}
	values, err := headerLines("add_header "+name, " always", h.Values, bs)
	return append(lines, values...), err
}

func headerLines(directive, end string, values []string, bs *blocks) ([]string, error) {
	var lines []string
	for _, v := range values {
		token, err := bs.pieces(v)
		if err != nil {
			return nil, err
		}
		lines = append(lines, directive+" "+token+end+";")
	}
	return lines, nil
}

// pieceBytes is how much of a long value one variable holds: half a token, since each byte may take two.
const pieceBytes = 2000

// pieces writes text as a value of any length: of several variables, when it doesn't fit in one token.
func (bs *blocks) pieces(text string) (string, error) {
	token, err := bs.value(text)
	var long *TooLongError
	if !errors.As(err, &long) {
		return token, err
	}
	var b strings.Builder
	b.WriteByte('"')
	for len(text) > 0 {
		n := min(len(text), pieceBytes)
		name, err := bs.hoist(text[:n])
		if err != nil {
			return "", err
		}
		b.WriteString("${" + name + "}")
		text = text[n:]
	}
	b.WriteByte('"')
	return b.String(), nil
}

// headerName writes the name of a header: token characters only (RFC 9110).
func headerName(name string) (string, error) {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(model.TokenCharacters, c) < 0 {
			return "", fmt.Errorf("the name has the character %q, which no header's name may have", c)
		}
	}
	if name == "" {
		return "", errors.New("the name is empty")
	}
	return Token(name)
}

// readable says whether nginx has a variable for a request header.
func readable(name string) error {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return fmt.Errorf("nginx can't read a header whose name has the character %q, so it can't add to it; set it instead", c)
		}
	}
	return nil
}

// server writes an endpoint as an address of an upstream.
func server(e model.Endpoint) (string, error) {
	if e.Port < 1 || e.Port > 65535 {
		return "", fmt.Errorf("endpoint %s has the port %d", e.Address, e.Port)
	}
	port := ":" + strconv.Itoa(int(e.Port))
	if ip, err := netip.ParseAddr(e.Address); err == nil {
		if ip.Zone() != "" {
			return "", fmt.Errorf("endpoint %q has a zone, which nginx can't use", e.Address)
		}
		if ip.Is6() {
			return "[" + ip.String() + "]" + port, nil
		}
		return ip.String() + port, nil
	}
	for i := range len(e.Address) {
		c := e.Address[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return "", fmt.Errorf("endpoint %q is neither an IP address nor a DNS name", e.Address)
		}
	}
	if e.Address == "" || e.Address[0] == '.' || e.Address[0] == '-' {
		return "", fmt.Errorf("endpoint %q is neither an IP address nor a DNS name", e.Address)
	}
	return e.Address + port, nil
}
