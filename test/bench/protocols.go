package main

import (
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

// protocol is a protocol that proxies are measured with.
type protocol struct {
	name string
	// workload are the manifests of so many rules and Services.
	workload func(rules, services int) string
	// path is what a configuration by hand looks up for the calls of a rule.
	path func(rule int) string
	// web says that the backends speak HTTP/1.1, and http2 that the calls are HTTP/2.
	web, http2 bool
	// client opens a client for a proxy's address. It makes a call that a rule is for.
	client func(t harness.T, address string) func(rule int) error
}

// gRPC are unary calls.
var gRPC = &protocol{name: "gRPC", workload: workload, http2: true, client: callGRPC, path: func(rule int) string {
	_, path, _ := target(rule/rulesOfRoute, rule%rulesOfRoute)
	return path
}}

// web are GET requests by both versions, over connections that are used again.
var web = []*protocol{webTraffic("HTTP/1.1", false), webTraffic("HTTP/2", true)}

func webTraffic(name string, http2 bool) *protocol {
	return &protocol{name: name, workload: webWorkload, web: true, http2: http2,
		path: func(rule int) string { return webRequest(rule).Target },
		client: func(t harness.T, address string) func(int) error {
			client := harness.NewHTTPClient(t)
			return func(rule int) error {
				r := webRequest(rule)
				r.Address, r.HTTP2 = address, http2
				if reply := client.Do(r); reply.Err != nil || reply.Status != 200 {
					return fmt.Errorf("%s%s: %s", r.Host, r.Target, reply.String())
				}
				return nil
			}
		},
	}
}

func callGRPC(t harness.T, address string) func(rule int) error {
	client := harness.NewClient(t)
	return func(rule int) error {
		call := harness.Call{Address: address}
		call.Authority, call.Path, call.Metadata = target(rule/rulesOfRoute, rule%rulesOfRoute)
		if r := client.Do(call); r.Code != codes.OK {
			return fmt.Errorf("%s%s: %s %s", call.Authority, call.Path, r.Code, r.Message)
		}
		return nil
	}
}

// served says whether a proxy serves the calls in cleartext: nginx before 1.25.1 speaks HTTP/1.1 where HTTPRoutes are.
func (f *protocol) served(p harness.Proxy) bool {
	return !f.web || !f.http2 || p.Name != "nginx" || p.Capabilities.Version.AtLeast(1, 25, 1)
}
