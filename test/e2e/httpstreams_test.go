package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

const streamsHost = "streams.example.com"

// eachWay runs a test for each listener, version of HTTP and protocol of backends.
func eachWay(t *testing.T, s *harness.Served, test func(t *testing.T, r harness.HTTPRequest, key string)) {
	for _, listener := range []string{"gw/http", "gw/https"} {
		for _, path := range []string{"/plain", "/h2c"} {
			for _, r := range versions(s, s.Request(listener, streamsHost, path)) {
				t.Run(fmt.Sprintf("%s%s HTTP2=%t", listener, path, r.HTTP2), func(t *testing.T) {
					test(t, r, t.Name()+s.String())
				})
			}
		}
	}
}

// testEvents: what a backend says of an answer comes at once, while it has more to say.
func testEvents(t *testing.T, s *harness.Served) {
	eachWay(t, s, func(t *testing.T, r harness.HTTPRequest, key string) {
		client := harness.StandardClient(t, r)
		request := r.Standard(t, nil)
		request.Header.Set(harness.AskMode, harness.ModeHold)
		request.Header.Set(harness.AskKey, key)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		event := make([]byte, len(harness.FirstEvent))
		if _, err := io.ReadFull(response.Body, event); err != nil || string(event) != harness.FirstEvent {
			t.Fatalf("the first event is %q, %v", event, err)
		}
		s.Backends.Release(key)
		if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != harness.LastEvent {
			t.Errorf("the rest is %q, %v", rest, err)
		}
	})
}

// largeBody is more than any buffer.
const largeBody = 8 << 20

// testBodies: a backend gets the first bytes of a body before the last ones are there, and large ones pass both ways.
func testBodies(t *testing.T, s *harness.Served) {
	eachWay(t, s, func(t *testing.T, r harness.HTTPRequest, key string) {
		client := harness.StandardClient(t, r)
		body, write := io.Pipe()
		defer body.Close()
		request := r.Standard(t, body)
		request.Method = http.MethodPut
		request.Header.Set(harness.AskKey, key)
		sent := make(chan error, 1)
		go func() {
			_, err := write.Write(make([]byte, 1<<16))
			sent <- err
		}()
		answered := make(chan error, 1)
		var echo harness.HTTPEcho
		go func() { answered <- echoOf(client, request, &echo) }()
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		harness.Until(t, "the first part of the body", 20*time.Second, func() error {
			if n := s.Backends.Received(key); n < 1<<16 {
				return fmt.Errorf("the backend has %d bytes", n)
			}
			return nil
		}, s.Process.Log)
		_, err := write.Write(make([]byte, largeBody-1<<16))
		if err = errors.Join(err, write.Close(), <-answered); err != nil || echo.Bytes != largeBody {
			t.Errorf("the backend got %d bytes of %d: %v", echo.Bytes, largeBody, err)
		}
		request = r.Standard(t, nil)
		request.Header.Set(harness.AskMode, harness.ModeLarge)
		request.Header.Set(harness.AskCount, strconv.Itoa(largeBody))
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		if want := bytes.Repeat([]byte("0123456789abcdef"), largeBody/16); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came, %v", len(got), err)
		}
	})
}

func echoOf(client *http.Client, request *http.Request, echo *harness.HTTPEcho) error {
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return harness.ReadEcho(response.Body, echo)
}

// testWebSockets is R39: a WebSocket is passed on, and no other protocol is: a request that asks for one is served as if it
// hadn't.
func testWebSockets(t *testing.T, s *harness.Served) {
	for _, listener := range []string{"gw/http", "gw/https"} {
		for _, path := range []string{"/plain", "/ws"} {
			r := s.Request(listener, streamsHost, path)
			if http1, _ := s.Versions(r.Address); !http1 {
				continue
			}
			conn, in := r.Upgrade(t, "websocket")
			for i := range 3 {
				message := strings.Repeat(strconv.Itoa(i), 1000)
				if _, err := io.WriteString(conn, message); err != nil {
					t.Fatal(err)
				}
				echo := make([]byte, len(message))
				if _, err := io.ReadFull(in, echo); err != nil || string(echo) != message {
					t.Fatalf("%s%s: message %d comes back as %.20q, %v", listener, path, i, echo, err)
				}
			}
			if err := conn.Close(); err != nil {
				t.Errorf("%s%s: %v", listener, path, err)
			}
			for _, protocol := range []string{"h2c", "HTTP/2.0", "TLS/1.3", "spdy/3.1", "websocket, h2c", "x"} {
				r.Headers = harness.Fields{"connection", "Upgrade", "upgrade", protocol}
				reply := s.HTTP.Do(r)
				if reply.Status == 101 || reply.Echo.Header("upgrade") != "" || reply.Status != 200 && reply.Status != 400 {
					t.Errorf("%s%s, upgrade to %s: %v", listener, path, protocol, &reply)
				}
			}
		}
	}
}
