package e2e

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/matching/reference"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

var (
	httpConfigsFlag  = flag.Int("http-configs", 16, "how many random configurations of both kinds of routes to serve")
	httpRequestsFlag = flag.Int("http-requests", 300, "how many requests to make to each, in each version of HTTP")
)

// TestHTTPProperty is TestProperty for HTTPRoutes beside GRPCRoutes, on the same listeners and for the same hosts: who
// answers a random request, what it got, and where a redirect leads, is what the reference evaluator says. It takes the
// flags -seed and -config too.
func TestHTTPProperty(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d -http-configs %d -http-requests %d", seed, *httpConfigsFlag, *httpRequestsFlag)
	secret := harness.Secret("default", "certificate", harness.Certificate(t, "example.com"))
	backends := harness.NewBackends(t)
	var configurations []func() configuration
	for number := range *httpConfigsFlag {
		if *onlyFlag < 0 || number == *onlyFlag {
			configurations = append(configurations, sync.OnceValue(func() configuration { return newHTTPConfiguration(t, seed, number, secret) }))
		}
	}
	for _, proxy := range harness.Proxies(t) {
		t.Run(proxy.String(), func(t *testing.T) {
			t.Parallel()
			p := property{proxy: proxy, backends: backends, secret: secret, ends: map[string]int{}, ask: askHTTP, want: expectedHTTP,
				options: harness.Options{HTTP: true}}
			for _, c := range configurations {
				if p.check(t, c()); t.Failed() {
					return
				}
			}
			t.Logf("%d requests, none wrong; they ended so: %s", p.calls, p.summary())
		})
	}
}

func newHTTPConfiguration(t harness.T, seed uint64, number int, secret string) configuration {
	r := newRandom(seed, uint64(number))
	r.paths, r.parameters = few(r, 6, somePaths), few(r, 3, someParameters)
	o := r.objects()
	r.addHTTP(o)
	c := configuration{seed: seed, number: number, objects: o, calls: make([]model.Call, *httpRequestsFlag)}
	for i := range c.calls {
		c.calls[i] = r.request(o)
	}
	c.snapshot = o.snapshot(t, secret)
	return c
}

// askHTTP makes a request in each version of HTTP that its listener speaks.
func askHTTP(served *harness.Served, call model.Call) []string {
	r := harness.HTTPRequest{
		Address: fmt.Sprintf("%s:%d", served.Address(call.Gateway), call.Port), Method: call.Method, Target: call.Path, Host: call.Authority,
	}
	if protocol(served.Model, call) == model.HTTPS {
		r.TLS, r.Unverified, r.SNI = true, true, call.SNI
		if r.SNI == "" {
			r.SNI = "-"
		}
	}
	for _, h := range call.Headers {
		r.Headers = append(r.Headers, h.Name, h.Value)
	}
	if call.GRPC() {
		r.Headers = append(r.Headers, "te", "trailers")
	}
	if call.Method == "POST" || call.Method == "PUT" {
		r.Body = harness.Message(nil)
	}
	http1, http2 := served.Versions(r.Address)
	var answers []string
	if http1 {
		answers = append(answers, answerHTTP(served, r))
	}
	if r.HTTP2 = true; http2 {
		answers = append(answers, answerHTTP(served, r))
	}
	return answers
}

// reset is the answer of a stream of HTTP/2, or of a connection, that ends without one.
const reset = "reset"

// answerHTTP makes a request and says who answered: a Service with what it was asked for, where it says so.
func answerHTTP(served *harness.Served, r harness.HTTPRequest) string {
	reply := served.HTTP.Do(r)
	var handshake harness.Handshake
	switch {
	case reply.Err != nil && reply.Status == 0 && strings.HasPrefix(reply.Err.Error(), reset):
		return reset
	case errors.As(reply.Err, &handshake), r.TLS && reply.Err != nil && reply.Status == 0 && !reply.Waits():
		// HAProxy ends the connection for such a name right behind the handshake: see answerGRPC.
		return noHandshake
	case errors.Is(reply.Err, syscall.ECONNREFUSED):
		return noListener
	case errors.Is(reply.Err, io.ErrUnexpectedEOF) && reply.Status == 0:
		return reset
	case reply.Err != nil:
		return reply.String()
	case reply.Status/100 == 3:
		return fmt.Sprintf("%d %s", reply.Status, sameLocation(reply.Headers.Get("location")))
	case reply.Echo.Target != "":
		return passed(reply.Backend(), &reply.Echo.Target, reply.Echo.Host)
	}
	return reply.Backend()
}

func passed(service string, target *string, host string) string {
	return fmt.Sprintf("%s: %s for %s", service, *target, host)
}

// sameLocation is a place as it is compared: case and a last dot don't matter in a host, nor does a "?" with nothing behind.
func sameLocation(text string) string {
	u, err := url.Parse(strings.TrimSuffix(text, "?"))
	if err != nil {
		return text
	}
	_, rest, _ := strings.Cut(strings.TrimSuffix(text, "?"), u.Host)
	host := strings.ToLower(u.Host)
	if name, port, found := strings.Cut(host, ":"); found {
		host = strings.TrimSuffix(name, ".") + ":" + port
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ".") + rest
}

// expectedHTTP are the answers that the reference evaluator allows. A "#" is for browsers: HAProxy takes none in a request.
func expectedHTTP(m model.Gateways, call model.Call) []string {
	v := reference.Evaluate(m, call)
	if served := !v.NoPort && !v.Handshake; served && (call.Method == "CONNECT" || call.Method == "TRACE") {
		return []string{"405", "400", reset, noRule, misdirected, codes.Internal.String()} // Whatever it says, no rule.
	}
	answers := expectedOf(m, v, call)
	if v.NoPort || v.Handshake {
		return answers
	}
	switch {
	case call.PathOnly() == "*":
		// From 3.0 on HAProxy takes that for "/" where HTTP/2 has it, before any line of its configuration, or, from 3.2
		// on, ends the connection. nginx refuses it before it knows the host.
		root := call
		root.Path = "/" + strings.TrimPrefix(call.Path, "*")
		answers = append(append(answers, "400", "404", reset, noHandshake, codes.Internal.String()),
			expectedOf(m, reference.Evaluate(m, root), root)...)
	case !strings.HasPrefix(call.Path, "/"):
		// It is no path at all: HAProxy from 3.2 on ends the connection for it.
		answers = append(answers, "400", "404", reset, noHandshake, codes.Internal.String())
	case strings.Contains(call.Path, "#"):
		answers = append(answers, "400", reset)
	}
	return answers
}

// brokenOff is what nginx may make of the answer of a gRPC server that doesn't wait for the body.
const brokenOff = "200, then reset: INTERNAL_ERROR"

// unreadable are paths that nginx can't read: with a "%" that begins no code, a zero, what no request line has, or too many "..".
var unreadable = regexp.MustCompile(`%00|%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)|[\x00-\x20\x7f]|\.\.`)

func expectedOf(m model.Gateways, v reference.Verdict, call model.Call) []string {
	switch {
	case v.Misdirected && unreadable.MatchString(call.PathOnly()):
		return append(expected(m, call), "400", codes.Internal.String()) // nginx looks at the path first.
	case v.NoPort, v.Handshake, v.Misdirected:
		return expected(m, call)
	case !v.HTTP:
		answers := expectedGRPC(m, v, call)
		if model.Ambiguous(call.PathOnly()) {
			answers = append(answers, codes.Internal.String(), "400", reset) // A path that no gRPC client sends.
		}
		if call.Method != "POST" {
			answers = append(answers, "405", noRule, codes.Internal.String()) // A method that no gRPC client uses.
		}
		if !strings.Contains(strings.TrimPrefix(call.PathOnly(), "/"), "/") {
			answers = append(answers, noRule, brokenOff) // The servers of the tests have no such method.
		}
		return answers
	case v.Ambiguous && unreadable.MatchString(call.PathOnly()):
		// nginx refuses such a path before it has read the host, and can't know whose that is.
		return []string{"400", codes.Internal.String()}
	case v.Ambiguous:
		return []string{"400"}
	case v.Rule == nil:
		return []string{"404"}
	case v.Rule.Status != nil:
		return []string{strconv.Itoa(v.Rule.Status.HTTPStatus())}
	}
	var answers []string
	for _, b := range v.Rule.Backends {
		c := clusterOf(m, b.Cluster)
		switch {
		case b.Status != nil:
			answers = append(answers, strconv.Itoa(b.Status.HTTPStatus()))
		case b.Redirect != nil:
			answers = append(answers, fmt.Sprintf("%d %s", b.Redirect.Code, sameLocation(location(m, call, b.Redirect))))
		case c == nil || len(c.Endpoints) == 0:
			answers = append(answers, "503")
		default:
			target, host := rewritten(call, b.Rewrite)
			// A backend that is asked by HEAD, or takes the request for a call, doesn't say what it got.
			answers = append(answers, passed(c.Service, &target, host), c.Service)
			if call.GRPC() {
				// What the gRPC server at the endpoint says to paths that are no method, and to requests that are no calls.
				answers = append(answers, noRule, codes.Internal.String(), brokenOff)
			}
		}
	}
	return answers
}

// expectedGRPC are the answers to what is for GRPCRoutes. Backends answer requests that are no calls too.
func expectedGRPC(m model.Gateways, v reference.Verdict, call model.Call) []string {
	answers := expected(m, call)
	if v.Rule == nil {
		return answers
	}
	for _, b := range v.Rule.Backends {
		if c := clusterOf(m, b.Cluster); c != nil && len(c.Endpoints) > 0 {
			answers = append(answers, passed(c.Service, &call.Path, call.Authority))
			if call.Method == "POST" || call.Method == "PUT" {
				answers = append(answers, codes.Internal.String(), brokenOff) // nginx, to a server that answers before the body's end.
			}
		}
	}
	return answers
}

func clusterOf(m model.Gateways, name string) *model.Cluster {
	i := slices.IndexFunc(m.Clusters, func(c model.Cluster) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Clusters[i]
}

// rewritten is what a backend is asked for.
func rewritten(call model.Call, r *model.Rewrite) (target, host string) {
	target, host = call.Path, call.Authority
	if r == nil {
		return target, host
	}
	if r.Hostname != "" {
		host = r.Hostname
	}
	if r.Path != nil {
		target = changed(call, r.Path)
	}
	return target, host
}

// changed is a path that has been changed, with the query that was there.
func changed(call model.Call, c *model.PathChange) string {
	path, query, found := strings.Cut(call.Path, "?")
	if c != nil {
		path = c.Of(path)
	}
	if found && query != "" {
		path += "?" + query
	}
	return path
}

// location is where a redirect leads.
func location(m model.Gateways, call model.Call, r *model.Redirect) string {
	scheme, host, port := "http", call.Host(), call.Port
	if protocol(m, call) == model.HTTPS {
		scheme = "https"
	}
	if r.Scheme != "" {
		scheme, port = r.Scheme, map[string]int32{"http": 80, "https": 443}[r.Scheme]
	}
	if r.Hostname != "" {
		host = r.Hostname
	}
	if r.Port != 0 {
		port = r.Port
	}
	text := scheme + "://" + host
	if port != map[string]int32{"http": 80, "https": 443}[scheme] {
		text += fmt.Sprintf(":%d", port)
	}
	return text + changed(call, r.Path)
}
