package e2e

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/test/harness"
)

// The names of anyRoute's rule and Service in messages.
const anyRule, anyService = "GRPCRoute default/any rule 0", "Service default/any port 50051"

// failing are the HTTP statuses that both proxies can be made to fail with. A 502 hangs on what an endpoint did: TestAnswers
// in test/hostile.
var failing = []int{400, 401, 403, 404, 405, 408, 413, 429, 500, 501, 503, 504}

// TestFailures is R18: whatever HTTP status a proxy fails with, the call gets the same gRPC status with the same
// message from all of them.
func TestFailures(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		var rules strings.Builder
		for _, status := range failing {
			if p.Name == "nginx" {
				fmt.Fprintf(&rules, "    if ($http_x_fail = %d) { return %d; }\n", status, status)
			} else {
				fmt.Fprintf(&rules, "    http-request deny deny_status %d if { req.fhdr(x-fail) %d }\n", status, status)
			}
		}
		if p.Name == "nginx" {
			s.Edit("    return 418;\n", rules.String()+"    return 418;\n")
		} else {
			const section = "backend service:default:any:50051 from gatewright\n"
			s.Edit(section, section+rules.String())
		}
		for _, status := range failing {
			i := slices.IndexFunc(answers.Failures, func(f answers.Failure) bool { return slices.Contains(f.Statuses, status) })
			if i < 0 {
				t.Fatalf("no failure has the HTTP status %d", status)
			}
			f := answers.Failures[i]
			message := f.Answer.Message
			if f.Message != nil {
				message = f.Message(anyRule, anyService)
			}
			h.Metadata = map[string][]string{"x-fail": {strconv.Itoa(status)}}
			r := s.Client.Do(h)
			if status == 408 && p.Name == "nginx" {
				// nginx never answers with this one: it resets the call.
				if r.Code != codes.Internal || r.FromServer() {
					t.Errorf("HTTP status 408: got %s %q, want a reset", r.Code, r.Message)
				}
				continue
			}
			if r.Code != codes.Code(f.Answer.Code) || r.Message != message || !r.FromServer() {
				t.Errorf("HTTP status %d: got %s %q, want %s %q", status, r.Code, r.Message, codes.Code(f.Answer.Code), message)
			}
		}
	})
}

// deaf is an address that takes no connection and refuses none: its queue is full.
func deaf(t *testing.T, address string, port int) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) }) // Nothing was written.
	at := &syscall.SockaddrInet4{Port: port}
	copy(at.Addr[:], net.ParseIP(address).To4())
	if err := syscall.Bind(fd, at); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, strconv.Itoa(port)), 200*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue doesn't fill")
}

// TestEndpointTimeouts is R18: an endpoint that doesn't take a connection in time is unavailable; one that has
// the call and doesn't answer in time has missed a deadline.
func TestEndpointTimeouts(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml"), services("any", "deaf"), anyRoute, `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: deaf}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: s.Deaf}}]
    backendRefs: [{name: deaf, port: 50051}]
`), harness.Options{Endpoints: map[string][]bool{"default/deaf": {false}}})
		for _, c := range s.Model.Clusters {
			if c.Service == "deaf" {
				deaf(t, c.Endpoints[0].Address, int(c.Endpoints[0].Port))
			}
		}
		s.Edit(map[string][]string{
			"nginx":   {"grpc_connect_timeout 2s", "grpc_connect_timeout 300ms"},
			"haproxy": {"timeout connect 1200ms", "timeout connect 300ms", "tcp-ut 10s", "tcp-ut 300ms"},
		}[p.Name]...)
		h := s.Call("gw/http")
		h.Authority, h.Path = "any.example.com", "/s.Deaf/Get"
		want := answers.NotTaken("GRPCRoute default/deaf rule 0", "Service default/deaf port 50051")
		// HAProxy up to 3.0 refuses the stream instead, which clients take for the same and may try again.
		refused := p.Name == "haproxy" && !p.Capabilities.Version.AtLeast(3, 1, 0)
		r := s.Client.Do(h)
		if r.Code != codes.Unavailable || r.Message != want && !(refused && strings.Contains(r.Message, "REFUSED_STREAM")) {
			t.Errorf("no connection: got %s %q, want Unavailable %q", r.Code, r.Message, want)
		}
		s.Edit(map[string][]string{
			"nginx":   {"grpc_read_timeout 24h", "grpc_read_timeout 500ms"},
			"haproxy": {"timeout server 24h", "timeout server 500ms"},
		}[p.Name]...)
		h.Path, h.Metadata = "/s.A/Get", map[string][]string{harness.AskDelay: {"5s"}}
		want = answers.TooLong(anyRule, anyService)
		// The other connection may still be the workers' of before.
		if r := harness.NewClient(t).Do(h); r.Code != codes.DeadlineExceeded || r.Message != want {
			t.Errorf("no answer: got %s %q, want DeadlineExceeded %q", r.Code, r.Message, want)
		}
	})
}

// answer is how a proxy ended a request.
type answer struct {
	// headers are of all header blocks; nil when the stream or the connection was reset.
	headers map[string]string
	ended   string
}

// raw sends one request over HTTP/2 as it stands, and returns what came back.
func raw(t *testing.T, address string, fields [][2]string, body int, end bool) answer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	// A proxy may end the connection while this is written: what it said is still read.
	_, _ = conn.Write([]byte(http2.ClientPreface))
	_ = framer.WriteSettings()
	rest := block.Bytes()
	for first := true; first || len(rest) > 0; first = false {
		part := rest[:min(len(rest), 16000)]
		rest = rest[len(part):]
		if first {
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: part, EndHeaders: len(rest) == 0,
				EndStream: end && body == 0})
		} else {
			_ = framer.WriteContinuation(1, len(rest) == 0, part)
		}
	}
	if body > 0 {
		_ = framer.WriteData(1, end, make([]byte, body))
	}
	a := answer{headers: map[string]string{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return answer{ended: "the connection ended: " + err.Error()}
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				a.headers[h.Name] = h.Value
			}
			if f.StreamEnded() {
				a.ended = "whole"
				return a
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				a.ended = "whole"
				return a
			}
		case *http2.RSTStreamFrame:
			return answer{ended: "reset: " + f.ErrCode.String()}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return answer{ended: "GOAWAY: " + f.ErrCode.String()}
			}
		}
	}
}

// TestRawRequests is R18: requests that no gRPC library sends end in a gRPC status or in a reset, which a client
// decodes too; never in an HTTP status of an error.
func TestRawRequests(t *testing.T) {
	plain := [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/s.A/Get"}, {":authority", "any.example.com"},
		{"content-type", "application/grpc"}, {"te", "trailers"}}
	// with replaces fields, takes those with the value "-" out and appends new ones.
	with := func(changes ...[2]string) [][2]string {
		fields := slices.Clone(plain)
		for _, c := range changes {
			i := slices.IndexFunc(fields, func(f [2]string) bool { return f[0] == c[0] })
			switch {
			case i < 0:
				fields = append(fields, c)
			case c[1] == "-":
				fields = slices.Delete(fields, i, i+1)
			default:
				fields[i] = c
			}
		}
		return fields
	}
	large := strings.Repeat("x", 20000)
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		for _, c := range []struct {
			name   string
			fields [][2]string
			body   int
		}{
			{"a call without a message", with(), 0},
			{"a message that is none", with(), 3},
			{"no authority", with([2]string{":authority", "-"}), 5},
			{"a bad authority", with([2]string{":authority", "a b"}), 5},
			{"a path with a space", with([2]string{":path", "/s.A/G t"}), 5},
			{"a path without a slash", with([2]string{":path", "s.A/Get"}), 5},
			{"a path that leaves the root", with([2]string{":path", "/../../x"}), 5},
			{"an empty path", with([2]string{":path", ""}), 5},
			{"no path", with([2]string{":path", "-"}), 5},
			{"a long path", with([2]string{":path", "/s.A/" + large}), 5},
			{"GET", with([2]string{":method", "GET"}), 0},
			{"TRACE", with([2]string{":method", "TRACE"}), 0},
			{"CONNECT", with([2]string{":method", "CONNECT"}), 0},
			{"no method", with([2]string{":method", "-"}), 0},
			{"a large header", with([2]string{"x-large", large}), 5},
			{"many large headers", with([2]string{"x-1", large}, [2]string{"x-2", large}, [2]string{"x-3", large}, [2]string{"x-4", large},
				[2]string{"x-5", large}, [2]string{"x-6", large}), 5},
			{"a content length that is wrong", with([2]string{"content-length", "1000"}), 5},
			{"a content length that is no number", with([2]string{"content-length", "ten"}), 5},
			{"a header in upper case", with([2]string{"X-Upper", "v"}), 5},
			{"a header of connections", with([2]string{"connection", "close"}), 5},
			{"a header with a NUL", with([2]string{"x-nul", "a\x00b"}), 5},
			{"expect", with([2]string{"expect", "100-continue"}), 5},
			{"a path for nginx itself", with([2]string{":path", "/./gatewright/late"}), 5},
		} {
			a := raw(t, h.Address, c.fields, c.body, true)
			status, _ := strconv.Atoi(a.headers[":status"])
			_, isGRPC := a.headers["grpc-status"]
			t.Logf("%s %s: HTTP %d, grpc-status %q %q, %s", p, c.name, status, a.headers["grpc-status"], a.headers["grpc-message"], a.ended)
			if p.Name == "haproxy" && status == 400 && !isGRPC {
				continue // HAProxy couldn't read it, and doesn't know what it is for: clients of gRPC take that for INTERNAL.
			}
			if a.headers != nil && (!isGRPC || a.headers["content-type"] != "application/grpc") {
				t.Errorf("%s: HTTP status %d, %v", c.name, status, a.headers)
			}
		}
		check(t, s, []call{{listener: "gw/http", authority: "any.example.com", path: "/s.A/Get", want: "any"}})
	})
}
