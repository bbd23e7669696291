package hostile

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/test/harness"
)

// told is how long it may take until an endpoint knows that its client has gone (R41).
const told = time.Second

// rawClient is a connection of a client that does what gRPC libraries don't let one do.
type rawClient struct {
	t      *testing.T
	conn   *net.TCPConn
	framer *http2.Framer
	next   uint32
}

func dialRaw(t *testing.T, address string) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // Most tests close it.
	c := &rawClient{t: t, conn: conn.(*net.TCPConn), framer: http2.NewFramer(conn, conn), next: 1}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := c.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// call opens a stream with one empty message, and ends its own side if half closed.
func (c *rawClient) call(id, hold string, halfClosed bool) uint32 {
	c.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0) // Every call has an encoder of its own.
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/s.A/Get"}, {":authority", "a.b"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {callID, id}, {askHold, hold},
	} {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			c.t.Fatal(err)
		}
	}
	stream := c.next
	c.next += 2
	if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		c.t.Fatal(err)
	}
	if err := c.framer.WriteData(stream, halfClosed, make([]byte, 5)); err != nil {
		c.t.Fatal(err)
	}
	return stream
}

// answer reads until a stream ends, and returns its grpc-status.
func (c *rawClient) answer(stream uint32) string {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(harness.DefaultTimeout)); err != nil {
		c.t.Fatal(err)
	}
	status := "none"
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err.Error()
		}
		if frame.Header().StreamID != stream {
			continue
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				if h.Name == "grpc-status" {
					status = h.Value
				}
			}
			if f.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame:
			return "reset: " + f.ErrCode.String()
		}
	}
}

// waysToGo are how a client goes away.
var waysToGo = map[string]func(*rawClient, uint32) error{
	"its process ends": func(c *rawClient, _ uint32) error { return c.conn.Close() },
	"its connection is reset": func(c *rawClient, _ uint32) error {
		if err := c.conn.SetLinger(0); err != nil {
			return err
		}
		return c.conn.Close()
	},
	"it cancels": func(c *rawClient, stream uint32) error { return c.framer.WriteRSTStream(stream, http2.ErrCodeCancel) },
}

// TestClientsGone is R41: an endpoint is told that its client has gone, before headers and behind them, and whether the
// client had said all that it had to say or not.
func TestClientsGone(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s, endpoints := serveEndpoints(t, p, 1, harness.Options{})
			e, address := endpoints[0], s.Call("gw/http").Address
			for way, leave := range waysToGo {
				for _, hold := range []string{holdSilent, holdQuiet} {
					for _, halfClosed := range []bool{false, true} {
						for i := range 10 {
							id := fmt.Sprintf("%s, %s, half closed %t, %d", way, hold, halfClosed, i)
							c := dialRaw(t, address)
							stream := c.call(id, hold, halfClosed)
							if within(t, id+": the endpoint gets the call", harness.DefaultTimeout, e.arrived) == "" {
								return
							}
							if err := leave(c, stream); err != nil {
								t.Fatal(err)
							}
							if within(t, id+": the endpoint is told", told, e.gone) == "" {
								e.end(id, finish)
							}
						}
					}
				}
			}
		})
	}
}

// TestHalfClosed are clients that have said all that they have to say, and wait: nobody takes them for gone.
func TestHalfClosed(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s, endpoints := serveEndpoints(t, p, 1, harness.Options{})
			e := endpoints[0]
			c := dialRaw(t, s.Call("gw/http").Address)
			for _, hold := range []string{holdSilent, holdQuiet} {
				stream := c.call(hold, hold, true)
				within(t, hold+": the endpoint gets the call", harness.DefaultTimeout, e.arrived)
				select {
				case id := <-e.gone:
					t.Errorf("%s: the endpoint is told that the client has gone", id)
				case <-time.After(2 * told):
				}
				e.end(hold, finish)
				if got := c.answer(stream); got != "0" {
					t.Errorf("%s: got %s, want status 0", hold, got)
				}
			}
		})
	}
}
