package hostile

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

// smuggled is what a client says behind a request that must open nothing.
const smuggled = "GET /admin HTTP/1.1 smuggled"

const tunnelGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, hostname: a.example.com, tls: {certificateRefs: [{name: pair}]}}
`

// TestTunnels is R39: whatever a client asks for, its connection becomes no tunnel to a backend, on a rule that takes all
// calls neither. The backend would say yes.
func TestTunnels(t *testing.T) {
	pair := harness.Certificate(t, "a.example.com")
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var asked []string
			b := adversary.StartEndpoint(t, "any", func(c *adversary.Call) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, fmt.Sprint(c.Request))
				c.Headers(false, ":status", "200", "x-opened", "yes")
			})
			// From 3.0 on HAProxy takes an Upgrade that it doesn't know out before any rule sees it, and passes the rest on.
			stripped := func(name string) bool {
				return p.Name == "haproxy" && p.Capabilities.Version.AtLeast(3, 0, 0) &&
					(strings.HasPrefix(name, "h2c") || name == "without a connection")
			}
			s := harness.Serve(t, p, harness.Load(t, "", tunnelGateway, harness.Secret("default", "pair", pair), b.Manifests("")), harness.Options{})
			for _, listener := range []string{"gw/http", "gw/https"} {
				h := s.Call(listener)
				for name, fields := range adversary.Openers {
					said := ask2(t, h, fields)
					t.Logf("%s, HTTP/2 %s: %s", listener, name, said)
					if strings.Contains(said, "x-opened") {
						t.Errorf("%s, HTTP/2 %s: opened: %s", listener, name, said)
					}
				}
				for name, request := range adversary.Openers1 {
					said := ask1(t, h, request)
					t.Logf("%s, HTTP/1.1 %s: %s", listener, name, said)
					if !stripped(name) && strings.Contains(strings.ToLower(said), "x-opened") || strings.HasPrefix(said, "101") {
						t.Errorf("%s, HTTP/1.1 %s: opened: %s", listener, name, said)
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, request := range asked {
				if strings.Contains(request, "upgrade") || strings.Contains(request, "CONNECT") || strings.Contains(request, "TRACE") {
					t.Errorf("the backend was asked %s", request)
				}
			}
			if b.Got(smuggled) {
				t.Error("what stood behind a request reached the backend")
			}
		})
	}
}

// dial connects to where a call goes, with or without HTTP/2 in TLS.
func dial(t *testing.T, h harness.Call, protocol string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", h.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // It was only read from.
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if !h.TLS {
		return conn
	}
	return tls.Client(conn, &tls.Config{ServerName: "a.example.com", NextProtos: []string{protocol}, InsecureSkipVerify: true})
}

// ask2 sends a request and bytes behind it in HTTP/2, and returns all that came back as a text.
func ask2(t *testing.T, h harness.Call, fields []string) string {
	t.Helper()
	conn := dial(t, h, "h2")
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // A buffer takes all.
	}
	// A proxy may end the connection while this is written: what it said is still read.
	_, _ = conn.Write([]byte(http2.ClientPreface))
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = framer.WriteData(1, false, []byte(smuggled))
	_ = framer.WritePing(false, [8]byte{1})
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return ended(t, err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return fmt.Sprint(f.Fields)
		case *http2.RSTStreamFrame:
			return "reset: " + f.ErrCode.String()
		case *http2.GoAwayFrame:
			return "GOAWAY: " + f.ErrCode.String()
		}
	}
}

// ask1 sends a request and bytes behind it in HTTP/1.1, and returns the status and headers of what came back.
func ask1(t *testing.T, h harness.Call, request string) string {
	t.Helper()
	conn := dial(t, h, "http/1.1")
	_, _ = io.WriteString(conn, request+smuggled+"\r\n\r\n") // What the proxy says is read all the same.
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return ended(t, err)
	}
	_ = response.Body.Close() // Nobody reads it.
	return fmt.Sprint(response.StatusCode, " ", response.Header)
}

// ended says how a connection ended. One that is left open without an answer fails the test: a client would wait.
func ended(t *testing.T, err error) string {
	t.Helper()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("no answer")
	}
	return "the connection ended: " + err.Error()
}
