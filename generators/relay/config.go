package relay

import (
	"fmt"
	"net/netip"
	"time"
)

// Version is that of the configurations.
const Version = 1

// File is the name of a configuration beside the proxy's files.
const File = "bridge.json"

// HeaderTarget is how the proxy tells the id of a call's Action. It replaces what a client sends, and no endpoint gets it.
const HeaderTarget = "x-gw-target"

// HeaderSession is how the proxy tells which session a call is of, where those of one session are to reach one endpoint. It replaces
// what a client sends as well.
const HeaderSession = "x-gw-session"

// Config is what a bridge does. It comes as a file of JSON that is replaced as a whole, by renaming.
type Config struct {
	// Version is the constant of that name.
	Version int `json:"version"`
	// Generation is whatever the writer wants to be told when this configuration runs.
	Generation string `json:"generation,omitempty"`
	// Actions are what may be done with a call, by id: what the proxy puts into HeaderTarget. An id stands for the same thing for
	// ever: calls of an older configuration of the proxy still come with theirs.
	Actions map[string]Action `json:"actions"`
	// Upstreams are where calls are sent, by id.
	Upstreams map[string]Upstream `json:"upstreams"`
}

// Action is what is done with a call.
type Action struct {
	// Source is what asked for it, in the words of messages: "GRPCRoute shop/cart rule 2".
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

// Protocol is what endpoints are spoken to with.
type Protocol string

// The protocols. A call comes to the bridge by the one that its upstream has; a copy is put into that of its mirror.
const (
	// HTTP2 is HTTP/2 with prior knowledge.
	HTTP2 Protocol = ""
	HTTP1 Protocol = "HTTP/1.1"
)

// Upstream is a set of endpoints that answer the same.
type Upstream struct {
	// Source is what it stands for, in the words of messages: "Service shop/cart, port 50051".
	Source string `json:"source,omitempty"`
	// Protocol is what its endpoints are spoken to with.
	Protocol Protocol `json:"protocol,omitempty"`
	// Endpoints are addresses and ports. Without any, calls are UNAVAILABLE.
	Endpoints []netip.AddrPort `json:"endpoints"`
	// TLS has them spoken to by TLS; null is in cleartext.
	TLS *TLS `json:"tls,omitempty"`
}

// TLS is how the endpoints of an upstream are spoken to, and who they must be. A change of anything in it makes connections anew:
// what isn't trusted any more serves no further call.
type TLS struct {
	// ServerName is what is asked for (SNI), and the name that the certificate must have unless SubjectAltNames says others.
	ServerName string `json:"serverName"`
	// SubjectAltNames are names of which the certificate must have one, instead of ServerName.
	SubjectAltNames []SubjectAltName `json:"subjectAltNames,omitempty"`
	// CAs are who may have signed it, as certificates in PEM. Where it is "", CAsFile is a file with them on the bridge's machine, which
	// is read with the configuration; both "" is those that the system trusts.
	CAs     string `json:"cas,omitempty"`
	CAsFile string `json:"casFile,omitempty"`
	// Certificate and Key are the bridge's own, in PEM, for endpoints that ask for one.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

// SubjectAltName is a name in a certificate: one of the two.
type SubjectAltName struct {
	// Hostname is a DNS name. "*.example.com" is a certificate's that has it so.
	Hostname string `json:"hostname,omitempty"`
	// URI is compared as it stands: "spiffe://cluster.local/ns/shop/sa/cart".
	URI string `json:"uri,omitempty"`
}

// String is the name.
func (n SubjectAltName) String() string { return n.Hostname + n.URI }

// Retry is when a call is sent again. That is done only until the client has something of a response, and only for what On names.
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
