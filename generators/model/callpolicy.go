package model

import (
	"fmt"
	"strings"
	"time"
)

// CallPolicy is what happens to gRPC calls besides being sent on (R21).
type CallPolicy struct {
	// Timeout is how long a call may take; 0 is no limit.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Retry says when a call is sent again; nil is never.
	Retry *CallRetry `json:"retry,omitempty"`
	// Bypass has calls go on without the policy while no bridge runs; false has them fail.
	Bypass bool `json:"bypass,omitempty"`
	// TimeoutFrom and RetryFrom are whose default the timeout and the retry are, "GatewayParameters ns/name"; "" for the rule's own.
	TimeoutFrom string `json:"timeoutFrom,omitempty"`
	RetryFrom   string `json:"retryFrom,omitempty"`
}

// CallRetry sends a call again that failed before the first message of its response.
type CallRetry struct {
	// Retries is how often, beside the first time.
	Retries int `json:"retries"`
	// On are the conditions by their names in gRPC, sorted.
	On []string `json:"on"`
	// PerTry is how long each try may take to answer, 0 for no limit, and Backoff about how long the first retry waits.
	PerTry  time.Duration `json:"perTry,omitempty"`
	Backoff time.Duration `json:"backoff,omitempty"`
	// RequestBytes is how much of a request is kept.
	RequestBytes int `json:"requestBytes,omitempty"`
	// Percent of calls, and PerSecond in any case, are the most retries.
	Percent   int `json:"percent"`
	PerSecond int `json:"perSecond"`
}

// ConnectFailure is the condition that the proxies see to by themselves: no endpoint took the connection.
const ConnectFailure = "connect-failure"

// Bridged says whether it takes a bridge.
func (p *CallPolicy) Bridged() bool { return p != nil && (p.Timeout > 0 || p.Retry.bridged()) }

func (r *CallRetry) bridged() bool {
	return r != nil && (len(r.On) != 1 || r.On[0] != ConnectFailure || r.PerTry > 0)
}

func (p *CallPolicy) describe() []string {
	if p == nil {
		return nil
	}
	var lines []string
	if p.Timeout > 0 {
		lines = append(lines, fmt.Sprintf("a call may take %s", p.Timeout)+byDefault(p.TimeoutFrom))
	}
	if r := p.Retry; r != nil {
		line := fmt.Sprintf("sent again up to %d times on %s", r.Retries, strings.Join(r.On, ", "))
		if r.PerTry > 0 {
			line += fmt.Sprintf("; a try may take %s", r.PerTry)
		}
		lines = append(lines, line+byDefault(p.RetryFrom))
	}
	if p.Bridged() && p.Bypass {
		lines = append(lines, "goes on without that while no bridge runs")
	}
	return lines
}

// byDefault says whose default something is; "" for nobody's.
func byDefault(from string) string {
	if from == "" {
		return ""
	}
	return ", by default of " + from
}
