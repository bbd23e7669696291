package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Version is that of the files which are read.
const Version = 1

// What the proxy tells of a call in its headers. It replaces those that a client sends, and none of them reaches an endpoint.
const (
	// HeaderTarget is the id of the call's Action.
	HeaderTarget = "x-gw-target"
)

// HTTP1 is the Protocol of endpoints that speak HTTP/1.1.
const HTTP1 = "HTTP/1.1"

// Config is what a bridge does. It comes as a file of JSON that is replaced as a whole, by renaming.
type Config struct {
	// Version is the constant of that name.
	Version int `json:"version"`
	// Generation is whatever the writer wants to be told when this configuration runs.
	Generation string `json:"generation,omitempty"`
	// Actions are what may be done with a call, by id: what the proxy puts into HeaderTarget.
	Actions map[string]Action `json:"actions"`
	// Upstreams are where calls are sent, by id.
	Upstreams map[string]Upstream `json:"upstreams"`
}

// Action is what is done with a call.
type Action struct {
	// Source is what asked for it, in the words of messages: "GRPCRoute shop/cart, rule 2".
	Source string `json:"source,omitempty"`
	// Upstream is the id of the Upstream that gets the call.
	Upstream string `json:"upstream"`
	// Mirrors are the ids of those that get a copy.
	Mirrors []string `json:"mirrors,omitempty"`
	// Timeout is how long the whole call may take; "" or "0s" is no limit. A client's own that is shorter counts.
	Timeout Duration `json:"timeout,omitempty"`
	// Retry is when a call is sent again; null is never.
	Retry *Retry `json:"retry,omitempty"`
	// Web has calls of gRPC-Web, as browsers make them, become gRPC; others pass as they are. CORS is the proxy's.
	Web bool `json:"web,omitempty"`
}

// Upstream is a set of endpoints that answer the same.
type Upstream struct {
	// Source is what it stands for, in the words of messages: "Service shop/cart, port 50051".
	Source string `json:"source,omitempty"`
	// Endpoints are addresses and ports that take Protocol. Without any, calls are UNAVAILABLE, and requests that aren't gRPC 503.
	Endpoints []netip.AddrPort `json:"endpoints"`
	// Protocol is what they speak: "" is HTTP/2 with prior knowledge, HTTP1 is HTTP/1.1. The proxy may speak either to the bridge.
	Protocol string `json:"protocol,omitempty"`
	// TLS has them spoken to by TLS; null is in cleartext.
	TLS *TLS `json:"tls,omitempty"`
}

// Retry is when a call is sent again. That is done only until the first headers of a response, and only for what On names.
type Retry struct {
	// Retries is how often, beside the first time.
	Retries int `json:"retries"`
	// On are the conditions.
	On []Condition `json:"on"`
	// PerTry is how long each try may take to answer; "" or "0s" is no limit. One that takes longer is a DeadlineExceeded.
	PerTry Duration `json:"perTry,omitempty"`
	// Backoff is about how long the first retry waits, each further one twice as long, at most ten times; 25ms unless set.
	Backoff Duration `json:"backoff,omitempty"`
	// RequestBytes is how much of a request is kept for it; a larger one isn't sent again. 64 KiB unless set.
	RequestBytes int `json:"requestBytes,omitempty"`
	// Budget bounds the retries of all calls of the action; null is the default.
	Budget *RetryBudget `json:"budget,omitempty"`
}

// RetryBudget keeps retries from making a bad thing worse.
type RetryBudget struct {
	// Percent is how many retries there may be for a hundred calls of the last ten seconds; 20 by default.
	Percent int `json:"percent"`
	// PerSecond is how many there may be in any case; 10 by default.
	PerSecond int `json:"perSecond"`
}

// Condition is a reason to send a call again, by its name in gRPC.
type Condition string

// The conditions.
const (
	// ConnectFailure: no endpoint took the connection.
	ConnectFailure Condition = "connect-failure"
	// RefusedStream: the endpoint said that it hasn't begun with the call (REFUSED_STREAM, GOAWAY).
	RefusedStream Condition = "refused-stream"
	// These are statuses that the call ended with, where the endpoint said nothing else before. A connection that is lost is
	// Unavailable, a stream that is reset what gRPC makes of its code, and a try that took longer than PerTry DeadlineExceeded.
	Cancelled         Condition = "cancelled"
	DeadlineExceeded  Condition = "deadline-exceeded"
	Internal          Condition = "internal"
	ResourceExhausted Condition = "resource-exhausted"
	Unavailable       Condition = "unavailable"
)

// Conditions are all of them.
var Conditions = []Condition{Cancelled, ConnectFailure, DeadlineExceeded, Internal, RefusedStream, ResourceExhausted, Unavailable}

// Duration is a time.Duration that is written as one: "300ms".
type Duration time.Duration

// MarshalText writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it; "" is 0.
func (d *Duration) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	v, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return err
	case v < 0:
		return fmt.Errorf("%s is less than nothing", v)
	}
	*d = Duration(v)
	return nil
}

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
	return c, c.check()
}

// check finds what can't be done, all of it.
func (c Config) check() error {
	var problems []error
	for _, id := range slices.Sorted(maps.Keys(c.Actions)) {
		if err := checkID(id); err != nil {
			problems = append(problems, fmt.Errorf("actions[%q]: %w", id, err))
		}
		for _, err := range c.checkAction(c.Actions[id]) {
			problems = append(problems, fmt.Errorf("actions[%q].%w", id, err))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Upstreams)) {
		if p := c.Upstreams[id].Protocol; p != "" && p != HTTP1 {
			problems = append(problems, fmt.Errorf("upstreams[%q].protocol: want %q, or none for HTTP/2 with prior knowledge; not %q", id, HTTP1, p))
		}
		if t := c.Upstreams[id].TLS; t != nil {
			if _, err := t.config(""); err != nil {
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

func (c Config) checkAction(a Action) []error {
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
		problems = append(problems, a.Retry.check()...)
	}
	return problems
}

// What a retry policy may ask for.
const (
	maxRetries      = 100
	maxRequestBytes = 16 << 20
)

func (r Retry) check() []error {
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
