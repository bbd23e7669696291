package bridge

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPlainCancel tells the endpoint at once that a client has gone: while it waits, while it reads, and while the bridge reads nothing
// of the request because nothing is taken of it.
func TestPlainCancel(t *testing.T) {
	for _, x := range []struct{ name, request string }{
		{"waits", ask},
		{"in the body", "POST / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nContent-Length: 100\r\n\r\nabc"},
		{"pipelined", ask + ask},
		{"stalled", "POST / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nContent-Length: 100000000\r\n\r\n" + strings.Repeat("x", 10<<20)},
	} {
		gone := make(chan time.Time, 1)
		begun := make(chan bool)
		b := start(t, plainly(plain(t, endpointOf(t, func(s *socket) {
			s.head()
			close(begun)
			if x.name != "stalled" {
				_, _ = io.Copy(io.Discard, s.in)
			} else {
				<-gone // Only then it reads, and finds the end.
				_, _ = io.Copy(io.Discard, s.in)
			}
			gone <- time.Now()
		}))))
		c := b.raw()
		var writer sync.WaitGroup
		writer.Go(func() { _, _ = io.WriteString(c.Conn, x.request) }) // A stalled one is cut off.
		<-begun
		if x.name == "stalled" {
			await(t, "the stall", func() bool { return b.count("held_bytes", nil) >= 64<<10 })
		}
		closed := time.Now()
		_ = c.Close()
		writer.Wait()
		b.ended()
		if x.name == "stalled" {
			gone <- closed
		}
		if took := (<-gone).Sub(closed); took > time.Second && x.name != "stalled" {
			t.Errorf("%s: it took %s", x.name, took)
		}
		if took := time.Since(closed); took > 5*time.Second {
			t.Errorf("%s: the end took %s", x.name, took)
		}
	}
}

// TestPlainHalfClosed answers a client that has only said that it sends no more.
func TestPlainHalfClosed(t *testing.T) {
	b := start(t, plainly(plain(t, endpointOf(t, func(s *socket) {
		s.head()
		<-time.After(50 * time.Millisecond) // By then the client's end has come in.
		s.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}))))
	c := b.raw().say(ask)
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := c.rest(); !strings.HasSuffix(got, "\r\n\r\nok") {
		t.Errorf("got %q", got)
	}
}

// TestPlainDeadlineLate cuts a response off whose time is over.
func TestPlainDeadlineLate(t *testing.T) {
	b := start(t, plainly(with(t, Action{Timeout: Duration(limit)}, endpointOf(t, func(s *socket) {
		s.head()
		s.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
		_, _ = io.Copy(io.Discard, s.in)
	}))))
	begun := time.Now()
	resp, err := b.web(false).Do(must(http.NewRequestWithContext(context.Background(), "GET", "http://example/", nil)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if took := time.Since(begun); string(body) != "ok" || err == nil || took < earliest || took > latest {
		t.Errorf("%q, %v after %s", body, err, took)
	}
	b.ended()
}
