package harness

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// directHTTP starts a backend of HTTPRoutes and returns a request to it in each version, with no proxy between.
func directHTTP(t *testing.T) (*Backends, *HTTPClient, []HTTPRequest) {
	backends := NewBackends(t)
	address := backends.Address("default/one", 0)
	backends.ListenHTTP("default/one:80", address, 20080)
	r := HTTPRequest{Address: address + ":20080", Host: "one.example.com:80", Target: "/a%2Fb//../c?x=1&&y#z"}
	r2 := r
	r2.HTTP2, r2.Target = true, "/a%2Fb//../c?x=1&&y"
	return backends, NewHTTPClient(t), []HTTPRequest{r, r2}
}

func TestHTTPEcho(t *testing.T) {
	_, client, requests := directHTTP(t)
	for _, r := range requests {
		r.Method, r.Body = "PUT", []byte("hello")
		r.Headers = Fields{"x-a", "1", "x-a", "2", AskHeader, "h=1", AskStatus, "404"}
		// The second one takes the same connection.
		for range 2 {
			reply := client.Do(r)
			e := reply.Echo
			if reply.Err != nil || reply.Status != 404 || reply.Backend() != "one" || e.Target != r.Target || e.Host != r.Host ||
				e.Method != "PUT" || e.Bytes != 5 || e.Header("x-a") != "1, 2" || reply.Headers.Get("h") != "1" || (e.Proto == "HTTP/2.0") != r.HTTP2 {
				t.Errorf("got %v, %+v", &reply, e)
			}
		}
	}
	if len(client.idle) != 2 {
		t.Errorf("%d connections are kept", len(client.idle))
	}
}

// TestChunks: what stands behind a body in chunks is the next request.
func TestChunks(t *testing.T) {
	_, _, requests := directHTTP(t)
	const text = "POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n"
	replies := Exchange(requests[0].Dial(t), fmt.Sprintf(text+text, 1, 2), DefaultTimeout,
		func(r *HTTPReply) bool { return r.Echo.Target == "/2" })
	if len(replies) != 2 || replies[0].Echo.Target != "/1" || replies[0].Echo.Bytes != 5 || replies[1].Echo.Bytes != 5 {
		t.Errorf("got %+v", replies)
	}
}

func TestHTTPModes(t *testing.T) {
	backends, client, requests := directHTTP(t)
	for i, r := range requests {
		for _, test := range []struct {
			headers Fields
			status  int
			body    string
			cut     bool
		}{
			{Fields{AskMode, ModeDrip, AskCount, "3", AskDelay, "1ms"}, 200, "...", false},
			{Fields{AskMode, ModeLarge, AskCount, "100000"}, 200, strings.Repeat("0123456789abcdef", 6250), false},
			{Fields{AskMode, ModeClose}, 0, "", true},
			{Fields{AskMode, ModeCut}, 200, "cut here", true},
			{Fields{AskMode, ModeJunk}, 0, "", true},
			{Fields{AskMode, ModeHold, AskKey, fmt.Sprint("held", i)}, 200, FirstEvent + LastEvent, false},
		} {
			if key := test.headers[len(test.headers)-1]; strings.HasPrefix(key, "held") {
				backends.Release(key)
			}
			r.Headers = test.headers
			reply := client.Do(r)
			if reply.Status != test.status || string(reply.Body) != test.body || (reply.Err != nil) != test.cut {
				t.Errorf("%v, HTTP/2 %t: got %v", test.headers, r.HTTP2, &reply)
			}
		}
		r.Headers, r.Timeout = Fields{AskMode, ModeHang}, 20*time.Millisecond
		if reply := client.Do(r); reply.Err == nil {
			t.Errorf("HTTP/2 %t: a hung backend answers %v", r.HTTP2, &reply)
		}
		r.Headers, r.Timeout = Fields{AskStatus, "503", AskFail, "1", AskKey, fmt.Sprint("fails", i)}, 0
		for _, want := range []int{503, 200} {
			if reply := client.Do(r); reply.Status != want {
				t.Errorf("HTTP/2 %t: got %v, want %d", r.HTTP2, &reply, want)
			}
		}
	}
}

func TestHTTPServesGRPC(t *testing.T) {
	backends, _, requests := directHTTP(t)
	call := Call{Address: requests[0].Address, Authority: "one.example.com", Path: "/a.B/Get"}
	if r := NewClient(t).Do(call); r.Code != codes.OK || r.Backend() != "one" {
		t.Errorf("got %+v", r)
	}
	request := requests[1]
	request.Method, request.Target, request.Body = "POST", call.Path, Message(nil)
	request.Headers = Fields{"content-type", "application/grpc", "te", "trailers"}
	if r := NewHTTPClient(t).Do(request); !r.GRPC() || r.Backend() != "one" {
		t.Errorf("got %v", &r)
	}
	if backends.Seen("") != 0 {
		t.Error("a call counts as an HTTP request")
	}
}

func TestUpgrade(t *testing.T) {
	_, _, requests := directHTTP(t)
	conn, err := net.Dial("tcp", requests[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(DefaultTimeout)); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nhello")
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != 101 || response.Header.Get("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("got %+v, %v", response, err)
	}
	echo := make([]byte, 5)
	if _, err := io.ReadFull(in, echo); err != nil || string(echo) != "hello" {
		t.Errorf("got %q, %v", echo, err)
	}
}
