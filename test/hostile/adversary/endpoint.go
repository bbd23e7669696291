package adversary

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/test/harness"
)

// Port is where hostile endpoints listen.
const Port = 50051

// Endpoint speaks HTTP/2 frame by frame, so that it can say what no library lets a server say.
type Endpoint struct {
	// Service is the Service whose only endpoint it is; Address is that endpoint's, and Port its port.
	Service, Address string
	answer           func(*Call)

	mu sync.Mutex
	// seen counts the calls, got is all that came in.
	seen int
	got  bytes.Buffer
}

// StartEndpoint starts an endpoint that gives an answer to each call. It stops with the test.
func StartEndpoint(t harness.T, service string, answer func(*Call)) *Endpoint {
	t.Helper()
	e := &Endpoint{Service: service, Address: harness.Address(t), answer: answer}
	l, err := net.Listen("tcp", net.JoinHostPort(e.Address, strconv.Itoa(Port)))
	if err != nil {
		t.Fatalf("a hostile endpoint: %v", err)
	}
	var open sync.WaitGroup
	stop := make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		_ = l.Close() // Nothing was written.
		open.Wait()
	})
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { e.serve(conn, stop) })
		}
	})
	return e
}

// Seen is how many calls came in.
func (e *Endpoint) Seen() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen
}

// Got says whether a text is in what came in, outside of blocks of headers.
func (e *Endpoint) Got(text string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Contains(e.got.Bytes(), []byte(text))
}

// serve answers the calls of one connection until an end closes it.
func (e *Endpoint) serve(conn net.Conn, stop chan struct{}) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-stop:
		case <-done:
		}
		_ = conn.Close() // What matters was sent, or is not to be.
	}()
	in := io.TeeReader(conn, record{e})
	if _, err := io.ReadFull(in, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, in)
	framer.AllowIllegalWrites = true
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.MaxHeaderListSize = 16 << 20
	// Windows are wide open, so that nothing waits for an update.
	if framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20}) != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			_ = framer.WritePing(true, f.Data)
		case *http2.MetaHeadersFrame:
			e.mu.Lock()
			e.seen++
			e.mu.Unlock()
			e.answer(&Call{Conn: conn, Framer: framer, Stream: f.StreamID, Request: f.Fields})
		}
	}
}

// record keeps what a connection reads.
type record struct{ *Endpoint }

func (r record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.Write(p)
}

// Call is one call that waits for its answer. Errors of its methods are left to the reader: the connection ends.
type Call struct {
	Conn    net.Conn
	Framer  *http2.Framer
	Stream  uint32
	Request []hpack.HeaderField
}

// Fine is a whole answer with an empty message.
func (c *Call) Fine() {
	c.Headers(false, ":status", "200", "content-type", "application/grpc")
	c.Message()
	c.Headers(true, "grpc-status", "0")
}

// Head is the start of a good answer with more headers, names and values in turn.
func (c *Call) Head(more ...string) {
	c.Headers(false, append([]string{":status", "200", "content-type", "application/grpc"}, more...)...)
}

// Rest is the message and the trailers of a good answer, with more trailers.
func (c *Call) Rest(more ...string) {
	c.Message()
	c.Headers(true, append([]string{"grpc-status", "0"}, more...)...)
}

// Headers sends names and values in turn as one block of headers.
func (c *Call) Headers(end bool, fields ...string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // A buffer takes all.
	}
	c.Block(end, block.Bytes())
}

// Block sends a block of headers that is encoded already, in frames of 16 kB.
func (c *Call) Block(end bool, rest []byte) {
	const frame = 16000
	part := rest[:min(len(rest), frame)]
	rest = rest[len(part):]
	_ = c.Framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.Stream, BlockFragment: part, EndStream: end, EndHeaders: len(rest) == 0})
	for len(rest) > 0 {
		part = rest[:min(len(rest), frame)]
		rest = rest[len(part):]
		_ = c.Framer.WriteContinuation(c.Stream, len(rest) == 0, part)
	}
}

// Message sends an empty gRPC message.
func (c *Call) Message() { _ = c.Framer.WriteData(c.Stream, false, make([]byte, 5)) }

// Reset ends the call with an error of HTTP/2.
func (c *Call) Reset(code http2.ErrCode) { _ = c.Framer.WriteRSTStream(c.Stream, code) }

// HangUp ends the connection.
func (c *Call) HangUp() { _ = c.Conn.Close() }

// Manifests are the endpoint's Service, and a route that sends it all calls of a gRPC service of that name; of every one
// where matches is "".
func (e *Endpoint) Manifests(matches string) string {
	if matches != "" {
		matches = "matches: [{" + matches + "}]\n    "
	}
	return fmt.Sprintf(`%[1]s---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[2]s-1, labels: {kubernetes.io/service-name: %[2]s}}
addressType: IPv4
ports: [{name: p%[3]d, port: %[3]d}]
endpoints: [{addresses: ["%[4]s"]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: %[2]s}
spec:
  parentRefs: [{name: gw}]
  rules:
  - %[5]sbackendRefs: [{name: %[2]s, port: %[3]d}]
`, harness.Service("default", e.Service, Port), e.Service, Port, e.Address, matches)
}
