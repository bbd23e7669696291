package e2e

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

const anyRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: any}
spec:
  parentRefs: [{name: gw}]
  rules:
  - backendRefs: [{name: any, port: 50051}]
`

func serveAny(t *testing.T, p harness.Proxy) (*harness.Served, harness.Call) {
	s := harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml"), services("any"), anyRoute), harness.Options{})
	h := s.Call("gw/http")
	h.Authority, h.Path = "any.example.com", "/s.A/Stream"
	return s, h
}

func open(t *testing.T, s *harness.Served, h harness.Call, md ...string) *harness.Stream {
	t.Helper()
	h.Metadata = metadata.Pairs(md...)
	stream, err := s.Client.Stream(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Close)
	return stream
}

func TestBidirectionalStream(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		stream := open(t, s, h, harness.AskMode, harness.ModeSame)
		for i := range 100 {
			want := []byte(fmt.Sprintf("message %d", i))
			if err := stream.Send(want); err != nil {
				t.Fatal(err)
			}
			// Each answer comes before the next message goes out.
			if got, err := stream.Receive(); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
		}
		end(t, stream)
	})
}

func end(t *testing.T, stream *harness.Stream) {
	t.Helper()
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if message, err := stream.Receive(); err != io.EOF {
		t.Errorf("the stream ends with %q, %v", message, err)
	}
}

func TestClientStream(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		stream := open(t, s, h, harness.AskMode, harness.ModeEnd)
		for range 1000 {
			if err := stream.Send(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if e, err := stream.ReceiveEcho(); err != nil || e.Messages != 1000 || e.Bytes != 1000000 {
			t.Errorf("the backend got %d messages, %d bytes: %v", e.Messages, e.Bytes, err)
		}
		end(t, stream)
	})
}

func TestServerStream(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		stream := open(t, s, h, harness.AskMode, harness.ModeServerStream, harness.AskCount, "1000")
		if err := stream.Send(nil); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if _, err := stream.ReceiveEcho(); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		end(t, stream)
	})
}

// TestLargeMessages sends 8 MB both ways.
func TestLargeMessages(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		h.Message = bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
		h.Metadata = metadata.Pairs(harness.AskMode, harness.ModeSame)
		if r := s.Client.Do(h); r.Code != codes.OK || !bytes.Equal(r.Body, h.Message) {
			t.Errorf("got %s %q and %d bytes back", r.Code, r.Message, len(r.Body))
		}
	})
}

// TestConcurrentCalls has 100 calls under way at once on one connection.
func TestConcurrentCalls(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		var streams []*harness.Stream
		for range 100 {
			streams = append(streams, open(t, s, h, harness.AskMode, harness.ModeSame))
		}
		for round := range 3 {
			for i, stream := range streams {
				if err := stream.Send([]byte{byte(round), byte(i)}); err != nil {
					t.Fatalf("stream %d: %v", i, err)
				}
			}
			for i, stream := range streams {
				if got, err := stream.Receive(); err != nil || !bytes.Equal(got, []byte{byte(round), byte(i)}) {
					t.Fatalf("stream %d: %v, %v", i, got, err)
				}
			}
		}
		for _, stream := range streams {
			end(t, stream)
		}
		h.Metadata = metadata.Pairs(harness.AskDelay, "50ms")
		var failed atomic.Int64
		concurrently(300, func() {
			if s.Client.Do(h).Code != codes.OK {
				failed.Add(1)
			}
		})
		if n := failed.Load(); n > 0 {
			t.Errorf("%d of 300 calls failed", n)
		}
	})
}

// quietSettings are what a quiet stream of hours and a message of any size take of each kind of proxy.
var quietSettings = map[string][]string{
	"nginx": {
		"client_max_body_size 0;", "client_body_timeout 24h;", "send_timeout 24h;", "grpc_read_timeout 24h;", "grpc_send_timeout 24h;",
		"keepalive_requests 1000000000;", "worker_shutdown_timeout 1h;",
	},
	"haproxy": {"timeout client 24h\n", "timeout server 24h\n", "hard-stop-after 1h\n"},
}

// TestQuietSettings is the hour of R23, which no test waits for.
func TestQuietSettings(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, _ := serveAny(t, p)
		rendered := string(readAll(t, s.Dir))
		for _, setting := range quietSettings[p.Name] {
			if !strings.Contains(rendered, setting) {
				t.Errorf("nothing says %q", setting)
			}
		}
		if len(quietSettings[p.Name]) == 0 {
			t.Errorf("no settings are known that let quiet streams live on %s", p.Name)
		}
	})
}

// TestQuietStream is R23 for some seconds: a stream on which nobody says anything lives.
func TestQuietStream(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		stream := open(t, s, h, harness.AskMode, harness.ModeQuiet)
		if err := stream.Send([]byte("one")); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Header(); err != nil {
			t.Fatalf("no headers came: %v", err)
		}
		ended := make(chan error, 1)
		go func() {
			e, err := stream.ReceiveEcho()
			if err == nil && e.Messages != 2 {
				err = fmt.Errorf("the backend got %d messages", e.Messages)
			}
			ended <- err
		}()
		select {
		case err := <-ended:
			t.Fatalf("the stream ended while it was quiet: %v", err)
		case <-time.After(3 * time.Second):
		}
		if err := stream.Send([]byte("two")); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestClientDeadline: a client that gives up gets its own code, at its own time. The server gives up too, and now and
// then its word of that is faster than the client's own clock.
func TestClientDeadline(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		h.Metadata, h.Timeout = metadata.Pairs(harness.AskDelay, "1m"), 200*time.Millisecond
		late := 0
		for range 5 {
			start := time.Now()
			r := s.Client.Do(h)
			if took := time.Since(start); took < h.Timeout {
				t.Errorf("%s %q came after %v already", r.Code, r.Message, took)
			}
			if r.Code != codes.DeadlineExceeded {
				late++
				t.Logf("got %s %q", r.Code, r.Message)
			}
		}
		if late > 1 {
			t.Errorf("%d of 5 calls didn't get their own code", late)
		}
	})
}

// TestLongHeaders: metadata of 6 kB, more than a default buffer of some proxies, goes both ways.
func TestLongHeaders(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s, h := serveAny(t, p)
		long := strings.Repeat("long ", 1200) + "end"
		h.Metadata = metadata.Pairs("x-long", long, harness.AskHeader, "y-long="+long)
		r := s.Client.Do(h)
		if r.Code != codes.OK {
			t.Fatalf("got %s %q", r.Code, r.Message)
		}
		wantHeader(t, r.Echo.Metadata, "x-long", long)
		wantHeader(t, r.Headers, "y-long", long)
	})
}
