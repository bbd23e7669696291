package hostile

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/test/harness"
)

// backendPort is where hostile backends listen.
const backendPort = 50051

// Backend speaks HTTP/2 frame by frame, so that it can say what no library lets a server say.
type Backend struct {
	// Service is the Service whose only endpoint it is; Address is that endpoint's, and backendPort its port.
	Service, Address string
	answer           func(*Answer)

	mu sync.Mutex
	// seen counts the calls, got is all that came in.
	seen int
	got  bytes.Buffer
}

// newBackend starts a backend that gives an answer to each call. It stops with the test.
func newBackend(t *testing.T, service string, answer func(*Answer)) *Backend {
	t.Helper()
	b := &Backend{Service: service, Address: harness.Address(t), answer: answer}
	l, err := net.Listen("tcp", net.JoinHostPort(b.Address, strconv.Itoa(backendPort)))
	if err != nil {
		t.Fatal(err)
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
			open.Go(func() { b.serve(conn, stop) })
		}
	})
	return b
}

// Seen is how many calls came in.
func (b *Backend) Seen() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

// Got says whether a text is in what came in, outside of blocks of headers.
func (b *Backend) Got(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Contains(b.got.Bytes(), []byte(text))
}

// serve answers the calls of one connection until an end closes it.
func (b *Backend) serve(conn net.Conn, stop chan struct{}) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-stop:
		case <-done:
		}
		_ = conn.Close() // What matters was sent, or is not to be.
	}()
	in := io.TeeReader(conn, record{b})
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
			b.mu.Lock()
			b.seen++
			b.mu.Unlock()
			b.answer(&Answer{conn: conn, framer: framer, Stream: f.StreamID, Request: f.Fields})
		}
	}
}

// record keeps what a connection reads.
type record struct{ *Backend }

func (r record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.Write(p)
}

// Answer is one call that waits for its answer. Errors of its methods are left to the reader: the connection ends.
type Answer struct {
	conn    net.Conn
	framer  *http2.Framer
	Stream  uint32
	Request []hpack.HeaderField
}

// fine is a whole answer with an empty message.
func (a *Answer) fine() {
	a.headers(false, ":status", "200", "content-type", "application/grpc")
	a.message()
	a.headers(true, "grpc-status", "0")
}

// head is the start of a good answer with more headers, names and values in turn.
func (a *Answer) head(more ...string) {
	a.headers(false, append([]string{":status", "200", "content-type", "application/grpc"}, more...)...)
}

// rest is the message and the trailers of a good answer, with more trailers.
func (a *Answer) rest(more ...string) {
	a.message()
	a.headers(true, append([]string{"grpc-status", "0"}, more...)...)
}

// headers sends names and values in turn as one block of headers.
func (a *Answer) headers(end bool, fields ...string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // A buffer takes all.
	}
	a.block(end, block.Bytes())
}

// block sends a block of headers that is encoded already, in frames of 16 kB.
func (a *Answer) block(end bool, rest []byte) {
	const frame = 16000
	part := rest[:min(len(rest), frame)]
	rest = rest[len(part):]
	_ = a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: a.Stream, BlockFragment: part, EndStream: end, EndHeaders: len(rest) == 0})
	for len(rest) > 0 {
		part = rest[:min(len(rest), frame)]
		rest = rest[len(part):]
		_ = a.framer.WriteContinuation(a.Stream, len(rest) == 0, part)
	}
}

// message sends an empty gRPC message.
func (a *Answer) message() { _ = a.framer.WriteData(a.Stream, false, make([]byte, 5)) }

// reset ends the call with an error of HTTP/2.
func (a *Answer) reset(code http2.ErrCode) { _ = a.framer.WriteRSTStream(a.Stream, code) }

// hangUp ends the connection.
func (a *Answer) hangUp() { _ = a.conn.Close() }

// manifests are the backend's Service, and a route that sends it all calls of a gRPC service of that name; of every one
// where matches is "".
func (b *Backend) manifests(matches string) string {
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
`, harness.Service("default", b.Service, backendPort), b.Service, backendPort, b.Address, matches)
}
