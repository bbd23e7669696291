package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/relay"
)

// The shape of a configuration; package relay says what it means.
type (
	Config         = relay.Config
	Action         = relay.Action
	Upstream       = relay.Upstream
	TLS            = relay.TLS
	SubjectAltName = relay.SubjectAltName
	Retry          = relay.Retry
	RetryBudget    = relay.RetryBudget
	Condition      = relay.Condition
	Duration       = relay.Duration
	Protocol       = relay.Protocol
)

// Version is that of the files which are read, HeaderTarget how the proxy tells the id of a call's Action, HeaderSession how it tells
// its session, and HTTP2 and HTTP1 are what endpoints speak.
const (
	Version       = relay.Version
	HeaderTarget  = relay.HeaderTarget
	HeaderSession = relay.HeaderSession
	HTTP2         = relay.HTTP2
	HTTP1         = relay.HTTP1
)

// The conditions.
const (
	ConnectFailure    = relay.ConnectFailure
	RefusedStream     = relay.RefusedStream
	Cancelled         = relay.Cancelled
	DeadlineExceeded  = relay.DeadlineExceeded
	Internal          = relay.Internal
	ResourceExhausted = relay.ResourceExhausted
	Unavailable       = relay.Unavailable
)

// Conditions are all of them.
var Conditions = relay.Conditions

// maxID is how long an id may be: it is a header of each call.
const maxID = 256

// Parse reads a configuration. What it doesn't know it refuses: a policy that is passed over in silence would be none.
func Parse(text []byte) (Config, error) {
	var version struct{ Version int }
	if err := json.Unmarshal(text, &version); err != nil {
		return Config{}, fmt.Errorf("it is not a configuration in JSON: %w", err)
	}
	if version.Version != Version {
		return Config{}, fmt.Errorf("version %d: this bridge reads version %d; use the bridge of the gatewright that wrote it",
			version.Version, Version)
	}
	var c Config
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("something stands behind the configuration")
	}
	return c, check(c)
}

// check finds what can't be done, all of it.
func check(c Config) error {
	var problems []error
	for _, id := range slices.Sorted(maps.Keys(c.Actions)) {
		if err := checkID(id); err != nil {
			problems = append(problems, fmt.Errorf("actions[%q]: %w", id, err))
		}
		for _, err := range checkAction(c, c.Actions[id]) {
			problems = append(problems, fmt.Errorf("actions[%q].%w", id, err))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Upstreams)) {
		if p := c.Upstreams[id].Protocol; p != "" && p != HTTP1 {
			problems = append(problems, fmt.Errorf("upstreams[%q].protocol: want %q, or none for HTTP/2 with prior knowledge; not %q", id, HTTP1, p))
		}
		if t := c.Upstreams[id].TLS; t != nil {
			if _, err := tlsConfig(t, ""); err != nil {
				problems = append(problems, fmt.Errorf("upstreams[%q].%w", id, err))
			}
		}
		for i, e := range c.Upstreams[id].Endpoints {
			if !e.IsValid() || e.Port() == 0 {
				problems = append(problems, fmt.Errorf("upstreams[%q].endpoints[%d]: want an address and a port, such as 192.0.2.1:50051", id, i))
			}
		}
	}
	return errors.Join(problems...)
}

func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return fmt.Errorf("an id has 1 to %d bytes", maxID)
	}
	if strings.Trim(id, " \t") != id || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("an id is a header's value: letters, digits and signs of ASCII")
	}
	return nil
}

func checkAction(c Config, a Action) []error {
	var problems []error
	if _, ok := c.Upstreams[a.Upstream]; !ok {
		problems = append(problems, fmt.Errorf("upstream: no upstream has the id %q", a.Upstream))
	}
	for i, m := range a.Mirrors {
		if _, ok := c.Upstreams[m]; !ok {
			problems = append(problems, fmt.Errorf("mirrors[%d]: no upstream has the id %q", i, m))
		}
	}
	if c.Upstreams[a.Upstream].Protocol == HTTP1 {
		// Both are about statuses of gRPC, which needs HTTP/2.
		if a.Retry != nil {
			problems = append(problems, fmt.Errorf("retry: its conditions are gRPC's, and upstream %q speaks %s: leave it out", a.Upstream, HTTP1))
		}
		if a.Web {
			problems = append(problems, fmt.Errorf("web: it makes calls of gRPC, and upstream %q speaks %s: leave it out", a.Upstream, HTTP1))
		}
	}
	if a.Retry != nil {
		problems = append(problems, checkRetry(a.Retry)...)
	}
	return problems
}

// What a retry policy may ask for.
const (
	maxRetries      = 100
	maxRequestBytes = 16 << 20
)

func checkRetry(r *Retry) []error {
	var problems []error
	problem := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("retry.%s: "+format, append([]any{field}, args...)...))
	}
	if r.Retries < 1 || r.Retries > maxRetries {
		problem("retries", "want 1 to %d", maxRetries)
	}
	if len(r.On) == 0 {
		problem("on", "name at least one condition")
	}
	for i, on := range r.On {
		if !slices.Contains(Conditions, on) {
			problem(fmt.Sprintf("on[%d]", i), "there is no condition %q; there are %v", on, Conditions)
		}
	}
	if r.RequestBytes < 0 || r.RequestBytes > maxRequestBytes {
		problem("requestBytes", "want at most %d", maxRequestBytes)
	}
	if b := r.Budget; b != nil && (b.Percent < 0 || b.PerSecond < 0) {
		problem("budget", "percent and perSecond are 0 or more")
	}
	return problems
}
