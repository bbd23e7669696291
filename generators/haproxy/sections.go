package haproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/relay"
)

// Section is a backend section: a cluster with one set of header changes and one way to try again.
type Section struct {
	Name string
	// Comment says whose endpoints these are.
	Comment string
	// Changes are http-request and http-response rules, and settings.
	Changes []string
	Servers []Server
	// Settings are what all servers have in common: the protocol, and how they are left where that isn't the usual way.
	Settings string
	// Once says that a server's connection takes one call: when it ends before the answer, HAProxy tells the client so.
	// On one that has taken a call before, it says that no endpoint has seen the call, and clients send it again.
	Once    bool
	service string
}

// Server is a server line.
type Server struct {
	// Name is the address and port, and ":only" behind them for one without checks that may be replaced by one
	// with checks while HAProxy runs.
	Name    string
	Address string
	// DNS says that the address is a name to resolve.
	DNS bool
	// Bridge says that it is the bridge, and Backup that it gets calls only while that is gone.
	Bridge, Backup bool
	// Check says that the endpoint is left while it fails. One without others has nobody to leave calls to.
	Check bool
	// Weight is its share of calls, from 1 to 256; 0 is HAProxy's own, 1.
	Weight int
	// ID is a number of its own in its section, where that decides on sessions; 0 is HAProxy's own.
	ID uint32
}

// sections finds the section of a cluster and its header changes.
type sections struct {
	byKey map[string]*Section
	names map[string]int
	// live says that servers come and go while HAProxy runs.
	live bool
	// once says whose calls run once at most; nil for nobody's.
	once    func(*model.Cluster) bool
	version model.Version
	// bridge is the address of the bridge's socket, or "".
	bridge string
	tls    *backendTLS
}

func newSections(live bool, v model.Version) *sections {
	return &sections{byKey: map[string]*Section{}, names: map[string]int{}, live: live, version: v}
}

// timeLines are what sections for HTTPRoutes begin with: how long a server may be silent is the rule's to say. What has
// become a tunnel may be silent for long.
var timeLines = []string{"timeout tunnel 24h", "http-request set-timeout server var(txn.timeout)"}

// Plain says whether a section's settings leave nothing to do that one with others, for both kinds of routes, doesn't do: those
// of GRPCRoutes have no timeouts to set.
func Plain(settings, spare string) bool {
	return settings == spare || settings+"\n"+strings.Join(timeLines, "\n") == spare
}

// serverSettings are those of all servers of a protocol. HTTP/2 towards HTTPRoutes' backends leaves WebSocket to HTTP/1.1.
// An endpoint isn't left for the statuses that it answers to HTTP requests; where HAProxy sees nothing else of a refused
// HTTP/2 connection, endpoints are asked every other second.
func serverSettings(protocol model.BackendProtocol, v model.Version) string {
	observe := ""
	if protocol != model.BackendGRPC && observed(v) != observed(oldest) {
		observe = " observe " + observed(oldest)
	}
	switch protocol {
	case model.BackendHTTP1:
		return strings.TrimSpace(observe)
	case model.BackendH2C:
		if observe != "" {
			observe += " inter 2s"
		}
		return "proto h2 ws h1" + observe
	}
	return "proto h2"
}

// changesOf are the lines of a share's handling that a section has for itself.
func changesOf(b *model.Backend) ([]string, error) {
	request, err := changeLines("http-request", b.RequestHeaders)
	if err != nil {
		return nil, err
	}
	response, err := changeLines("http-response", b.ResponseHeaders)
	if err != nil {
		return nil, err
	}
	return slices.Concat(request, response, retryLines(b.Retry)), nil
}

// retryLines are how often a request is tried again, and on what: HAProxy keeps a request's body for that as far as it fits in
// a buffer, and tries longer ones once. It doesn't wait between attempts.
func retryLines(r *model.Retry) []string {
	if r == nil {
		return nil
	}
	lines := []string{"retries " + strconv.Itoa(r.Attempts)}
	if r.Attempts == 0 {
		return append(lines, "no option redispatch")
	}
	on := "retry-on conn-failure empty-response"
	for _, code := range r.Codes {
		on += " " + strconv.Itoa(code)
		if code == 504 {
			on += " response-timeout"
		}
	}
	return append(lines, on)
}

// waits says whether HAProxy waits a second before it tries an endpoint without others again, three times. Later
// versions don't see that an HTTP/2 connection in cleartext was refused, and try nothing.
func waits(v model.Version) bool { return !v.AtLeast(3, 1, 0) }

// again is a second server for an endpoint without others. HAProxy that waits doesn't where a server is left to turn to,
// so that a call to an endpoint that refuses fails at once. It gets a call now and then.
func again(s Server) Server {
	s.Name += ":again"
	s.Weight = 1
	return s
}

// lastly are the servers once more, for when all are left alone: where endpoints are left for what they answer, a client can make
// them fail its own calls, and nobody else's are to fail for that (R41).
func lastly(servers []Server) []Server {
	list := slices.Clone(servers)
	for i := range list {
		list[i].Name, list[i].Check, list[i].Backup = list[i].Name+":last", false, true
	}
	return list
}

// of returns the section that a share goes to. Its name depends on the cluster, the changes and the way there only.
func (ss *sections) of(c *model.Cluster, b *model.Backend) (*Section, error) {
	key, bridged, required := c.Name, relay.Needed(b, c.TLS), relay.Required(b, c.TLS)
	service := answers.Service(c)
	if bridged {
		if ss.bridge == "" {
			return nil, errors.New("it takes a bridge beside the proxy, and none was named")
		}
		if key += ":bridge"; required {
			key += ":only"
			service = answers.Bridge + service
		}
	}
	changes, err := changesOf(b)
	if err != nil {
		return nil, err
	}
	sessions := cmp.Or(b.Persistence, c.Persistence)
	known, told, err := sessionLines(sessions, bridged)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	changes = slices.Concat(known, changes, told)
	if len(changes) > 0 {
		sum := sha256.Sum256([]byte(strings.Join(changes, "\n")))
		key += ":" + hex.EncodeToString(sum[:6])
	}
	if s, ok := ss.byKey[key]; ok {
		return s, nil
	}
	name := sectionName("service", key)
	if n := ss.names[name]; n > 0 {
		// Two clusters whose names differ only in what a section's name can't hold.
		ss.names[name]++
		name += "_" + strconv.Itoa(n+1)
	}
	ss.names[name]++
	s := &Section{
		Name: name, Comment: Comment(service), Changes: changes,
		service: answers.EncodeAll(service), Once: ss.once != nil && ss.once(c), Settings: serverSettings(c.Protocol, ss.version),
	}
	if c.TLS != nil && !bridged {
		secure, err := ss.tls.settings(c.TLS, c.Protocol)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
		}
		// By the time that ALPN has chosen the protocol a connection is verified: one that can't be is a connection that failed, to
		// which no call was given. With the protocol stated, versions from 3.1 on give it a call first.
		s.Settings = strings.TrimSpace(secure + " " + strings.TrimSpace(strings.TrimPrefix(s.Settings, "proto h2")))
	}
	if o := c.Outliers; o != nil {
		s.Settings = strings.TrimSpace(fmt.Sprintf("%s error-limit %d fastinter %[3]dms downinter %[3]dms", s.Settings, o.Failures,
			o.Time.Milliseconds()))
	}
	if c.Protocol != model.BackendGRPC {
		s.Changes = append(slices.Clone(timeLines), s.Changes...)
	}
	if bridged {
		s.Changes = slices.Concat(bridgeLines, s.Changes)
		if sessions == nil {
			// A client doesn't choose its endpoint.
			s.Changes = append(s.Changes, "http-request del-header "+relay.HeaderSession)
		}
	}
	endpoints := c.Endpoints
	if required {
		endpoints = nil
	}
	for _, e := range endpoints {
		server, err := serverOf(e)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
		}
		if server.Check = len(c.Endpoints) > 1; !server.Check && ss.live {
			// It is another server than the one that is checked: a running one isn't given checks.
			server.Name += ":only"
		}
		s.Servers = append(s.Servers, server)
	}
	if len(s.Servers) == 1 && (c.Protocol == model.BackendHTTP1 || c.TLS != nil || waits(ss.version)) {
		s.Servers[0].Weight = 256
		s.Servers = append(s.Servers, again(s.Servers[0]))
	}
	if len(endpoints) > 1 && (c.Outliers != nil || c.Protocol == model.BackendGRPC && observed(ss.version) != observed(oldest)) {
		s.Servers = append(s.Servers, lastly(s.Servers)...)
	}
	if sessions != nil {
		identify(s.Servers)
	}
	if bridged {
		for i := range s.Servers {
			s.Servers[i].Backup = true
		}
		bridge := Server{Name: "bridge", Address: ss.bridge, Check: !required, Bridge: true}
		if s.Servers = slices.Insert(s.Servers, 0, bridge); required && (c.Protocol == model.BackendHTTP1 || waits(ss.version)) {
			s.Servers = append(s.Servers, again(bridge))
		}
	}
	ss.byKey[key] = s
	return s, nil
}

// bridgeLines tell the bridge what to do with a call.
var bridgeLines = []string{
	"http-request set-header " + relay.HeaderTarget + " %[var(txn.target),field(" + strconv.Itoa(relayField) + ",;)]",
}

// list returns all sections by name.
func (ss *sections) list() []Section {
	list := make([]Section, 0, len(ss.byKey))
	for _, s := range ss.byKey {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Section) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func serverOf(e model.Endpoint) (Server, error) {
	port := strconv.Itoa(int(e.Port))
	if ip, err := netip.ParseAddr(e.Address); err == nil && ip.Zone() == "" {
		s := Server{Name: ip.String() + ":" + port, Address: "ipv4@" + ip.String() + ":" + port}
		if ip.Is6() {
			s.Address = "ipv6@[" + ip.String() + "]:" + port
		}
		return s, nil
	}
	name := strings.TrimSuffix(e.Address, ".")
	for i := range len(name) {
		if c := name[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return Server{}, fmt.Errorf("the endpoint %q is neither an IP address nor a DNS name", e.Address)
		}
	}
	if name == "" {
		return Server{}, fmt.Errorf("an endpoint has no address")
	}
	return Server{Name: name + ":" + port, Address: name + ":" + port, DNS: true}, nil
}

// changeLines writes changes of headers (R19) as rules.
func changeLines(rules string, changes []model.HeaderChange) ([]string, error) {
	var lines []string
	for _, c := range changes {
		name, err := Arg(c.Name)
		if err != nil {
			return nil, fmt.Errorf("the header's name: %w", err)
		}
		if !c.Keep && len(c.Values) == 0 {
			lines = append(lines, rules+" del-header "+name)
		}
		for i, value := range c.Values {
			text, err := LogFormat(value)
			if err != nil {
				return nil, fmt.Errorf("the value of header %s: %w", c.Name, err)
			}
			verb := " add-header "
			if i == 0 && !c.Keep {
				verb = " set-header "
			}
			lines = append(lines, rules+verb+name+" "+text)
		}
	}
	return lines, nil
}
