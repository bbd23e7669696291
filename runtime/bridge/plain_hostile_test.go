package bridge

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPlainAmbiguous refuses requests that two readers could take for different ones. None of their bytes reaches an endpoint as a
// request of its own.
func TestPlainAmbiguous(t *testing.T) {
	var seen atomic.Int64
	address := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "smuggled") {
			t.Errorf("the endpoint got %s", r.URL.Path)
		}
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			seen.Add(1)
		}
	})
	b := start(t, plainly(plain(t, address)))
	const begin, smuggled = "POST / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n", "GET /smuggled HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n"
	requests := []string{
		begin + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled,
		begin + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + smuggled,
		begin + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + smuggled,
		begin + "Content-Length: 0, 0\r\n\r\n" + smuggled,
		begin + "Content-Length: +0\r\n\r\n" + smuggled,
		begin + "Content-Length: -1\r\n\r\n" + smuggled,
		begin + "Content-Length: 0x0\r\n\r\n" + smuggled,
		begin + "Content-Length:\r\n\r\n" + smuggled,
		begin + "Content-Length: 18446744073709551616\r\n\r\n" + smuggled,
		begin + "Content-Length : 0\r\n\r\n" + smuggled,
		begin + " Content-Length: 0\r\n\r\n" + smuggled,
		begin + "Content-Length: 0\r\n\tx\r\n\r\n" + smuggled,
		begin + "X: 1\nContent-Length: 44\r\n\r\n" + smuggled,
		begin + "X: 1\rContent-Length: 44\r\n\r\n" + smuggled,
		begin + "X: \x00\r\n\r\n" + smuggled,
		begin + "X\r\n\r\n" + smuggled,
		begin + ": 1\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: identity\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n0\n\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n0 x\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n0;\rx\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 300) + "\r\nx\r\n0\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\nY: 2\r\n\r\n" + smuggled,
		begin + "Transfer-Encoding: chunked\r\n\r\n0\r\nX : 1\r\n\r\n" + smuggled,
		begin + "Host: f\r\n\r\n" + smuggled,
		"POST / HTTP/1.0\r\nHost: e\r\nx-gw-target: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"GET / HTTP/1.1\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET / HTTP/1.1\r\nHost: e f\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET http://f/ HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET /a b HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET  / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET /\t HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET / HTTP/1.1 \r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET / HTTP/2.0\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"GET /\r\n\r\n" + smuggled,
		"GET example HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"CONNECT e:80 HTTP/1.1\r\nHost: e:80\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"\r\nGET / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"PRI * HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
		"G ET / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n" + smuggled,
	}
	for _, r := range requests {
		got := b.raw().say(r).rest()
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1 ") != 1 ||
			!strings.Contains(got, "\r\nConnection: close\r\n") {
			t.Errorf("%q is answered by %q", r, got)
		}
	}
	if n := seen.Load(); n > 0 {
		t.Errorf("%d of them reached the endpoint whole", n)
	}
	if n := b.count("calls_total", map[string]string{"code": "400"}); n != len(requests) {
		t.Errorf("%d are counted, want %d", n, len(requests))
	}
	got := b.raw().say("GET / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nX: ", strings.Repeat("x", maxHeadBytes), "\r\n\r\n").rest()
	if !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("a large head is answered by %q", got)
	}
	got = b.raw().say("GET / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nX: ", strings.Repeat("x", maxHeadBytes-100), "\r\n\r\n").head()
	if !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("a head that is just not too large is answered by %q", got)
	}
	b.ended()
}

// TestPlainPipelined answers requests that come all at once one after the other.
func TestPlainPipelined(t *testing.T) {
	b := start(t, plainly(plain(t, serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprintf(w, "%s%s", r.URL.Path, body)
	}))))
	c := b.raw()
	var all strings.Builder
	const n = 200
	for i := range n {
		fmt.Fprintf(&all, "POST /%03d HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nContent-Length: 1\r\n\r\nx", i)
	}
	c.say(all.String())
	for i := range n {
		if got := c.head(); !strings.Contains(got, "\r\nContent-Length: 5\r\n") {
			t.Fatalf("got %q", got)
		}
		if got, want := c.next(5), fmt.Sprintf("/%03dx", i); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// TestPlainBadEndpoints has endpoints break off and break the protocol: what hasn't begun is 502, and what has is cut off. What they
// send beside a response is nobody's.
func TestPlainBadEndpoints(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, x := range map[string]struct {
		sends string
		cut   bool // the response has begun
		body  string
	}{
		"nothing":             {"", false, ""},
		"half a head":         {ok + "X: ", false, ""},
		"no HTTP":             {"SSH-2.0-OpenSSH\r\n\r\n", false, ""},
		"two lengths":         {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", false, ""},
		"length and chunks":   {ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, ""},
		"a coding":            {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", false, ""},
		"a bare line feed":    {ok + "X: 1\nContent-Length: 0\r\n\r\n", false, ""},
		"a folded line":       {ok + "X: 1\r\n Y: 2\r\n\r\n", false, ""},
		"a status":            {"HTTP/1.1 20 OK\r\n\r\n", false, ""},
		"an unasked switch":   {"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false, ""},
		"too large a head":    {ok + "X: " + strings.Repeat("x", maxHeadBytes) + "\r\n\r\n", false, ""},
		"no end of 1xx":       {strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 100), false, ""},
		"a short body":        {ok + "Content-Length: 10\r\n\r\nxx", true, "xx"},
		"a short chunk":       {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nxx", true, "xx"},
		"no last chunk":       {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n", true, "xx"},
		"no end of trailers":  {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\nX: 1\r\n", true, "xx"},
		"a bad chunk":         {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\nz\r\n", true, "xx"},
		"up to the end":       {ok + "\r\nxx", false, "xx"},
		"HTTP/1.0":            {"HTTP/1.0 200 OK\r\n\r\nxx", false, "xx"},
		"a second response":   {ok + "Content-Length: 2\r\n\r\nxx" + ok + "Content-Length: 4\r\n\r\nevil", false, "xx"},
		"more than its chunk": {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n" + ok + "\r\nevil", false, "xx"},
	} {
		for _, frames := range []bool{false, true} {
			b := start(t, plainly(plain(t, endpointOf(t, func(s *socket) {
				s.head()
				s.say(x.sends)
			}))))
			client := b.web(frames)
			for range 2 {
				resp, err := client.Get("http://example/")
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				want := 200
				if x.body == "" {
					want = 502
				}
				if resp.StatusCode != want || want == 200 && string(body) != x.body || x.cut != (err != nil) {
					t.Errorf("%s: %s, %q, %v", name, resp.Status, body, err)
				}
			}
			b.ended()
		}
	}
}

// TestPlainStale sends a request again whose connection was idle and is closed without an answer, when that does no harm.
func TestPlainStale(t *testing.T) {
	for _, x := range []struct {
		method, body string
		status       int
	}{{"GET", "", 200}, {"HEAD", "", 200}, {"DELETE", "", 200}, {"POST", "", 502}, {"PATCH", "x", 502}, {"PUT", "x", 502}} {
		var conns, requests atomic.Int64
		b := start(t, plainly(plain(t, endpointOf(t, func(s *socket) {
			first := conns.Add(1) == 1
			for i := 0; ; i++ {
				if _, err := s.in.Peek(1); err != nil {
					return
				}
				head := s.head()
				requests.Add(1)
				if first && i > 0 {
					return
				}
				if strings.Contains(head, "Content-Length: 1") {
					s.next(1)
				}
				s.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}))))
		client := b.web(false)
		for i, want := range []int{200, x.status} {
			r, err := http.NewRequest(x.method, "http://example/", strings.NewReader(x.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if i == 0 {
				await(t, "the idle connection", func() bool { return b.idleConns() == 1 })
			}
			if resp.StatusCode != want {
				t.Errorf("%s %d: %s, want %d", x.method, i, resp.Status, want)
			}
		}
		want := int64(2)
		if x.status == 200 {
			want = 3
		}
		if requests.Load() != want {
			t.Errorf("%s: the endpoint got %d requests, want %d", x.method, requests.Load(), want)
		}
		// The first of a connection isn't sent again.
		if b.count("calls_total", nil) != 2 {
			t.Errorf("%s: %d calls are counted", x.method, b.count("calls_total", nil))
		}
	}
}

// TestPlainEarly passes on an answer to a request that the endpoint doesn't read to its end, and ends both connections.
func TestPlainEarly(t *testing.T) {
	closed := make(chan error, 1)
	b := start(t, plainly(plain(t, endpointOf(t, func(s *socket) {
		s.head()
		s.say("HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno")
		_, err := io.Copy(io.Discard, s.in)
		closed <- err
	}))))
	c := b.raw().say("POST / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nContent-Length: 1000000\r\n\r\nabc")
	if got := c.rest(); !strings.HasPrefix(got, "HTTP/1.1 413 Large\r\n") || !strings.HasSuffix(got, "\r\n\r\nno") {
		t.Errorf("got %q", got)
	}
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the endpoint's connection stays open")
	}
	b.ended()
}

// TestPlainOld serves HTTP/1.0: no chunks, nothing informational, and a connection that stays only when that is asked for.
func TestPlainOld(t *testing.T) {
	b := start(t, plainly(plain(t, serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		if r.URL.Path == "/long" {
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))))
	c := b.raw()
	for range 3 {
		c.say("GET / HTTP/1.0\r\nx-gw-target: a\r\nConnection: keep-alive\r\n\r\n")
		if got := c.head(); !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.Contains(got, "Connection: keep-alive\r\n") || c.next(2) != "ok" {
			t.Fatalf("got %q", got)
		}
	}
	c.say("GET /long HTTP/1.0\r\nx-gw-target: a\r\nConnection: keep-alive\r\n\r\n")
	if got := c.head(); strings.Contains(got, "chunked") || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("got %q", got)
	}
	if got := c.rest(); len(got) != 100_000 {
		t.Errorf("got %d bytes", len(got))
	}
}

// TestPlainStill bounds what is held for requests that nobody reads, and for responses that nobody takes.
func TestPlainStill(t *testing.T) {
	release := make(chan struct{})
	b := start(t, plainly(plain(t, endpointOf(t, func(s *socket) {
		if method, err := s.in.Peek(4); err != nil {
			return
		} else if string(method) == "POST" {
			<-release
			return
		}
		s.head()
		for _, err := io.WriteString(s.Conn, "HTTP/1.1 200 OK\r\n\r\n"); err == nil; {
			_, err = s.Conn.Write(make([]byte, 64<<10))
		}
	}))))
	const each = 10
	for i := range 2 * each {
		c := b.raw()
		request := ask
		if i%2 == 0 {
			request = "POST / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 1<<20)
		}
		go func() {
			_, _ = io.WriteString(c.Conn, request)
		}()
	}
	await(t, "the stall", func() bool { return b.count("held_bytes", nil) >= each*streamBytes })
	if n := b.count("held_bytes", nil); n > 2*each*(256+64)<<10 {
		t.Errorf("%d bytes are held", n)
	}
	close(release)
}

// TestPlainSniffed tells what a connection speaks however its first bytes come.
func TestPlainSniffed(t *testing.T) {
	b := start(t, plainly(plain(t, serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))))
	for _, request := range []string{strings.Replace(ask, "GET", "PROPFIND", 1), strings.Replace(ask, "GET", "PRI", 1)} {
		c := b.raw()
		for i := range len(request) {
			c.say(request[i : i+1])
		}
		if got := c.head(); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Errorf("got %q", got)
		}
	}
	c := b.raw()
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for i := range len(preface) {
		c.say(preface[i : i+1])
	}
	if got := c.next(4); got[3] != 4 {
		t.Errorf("got a frame of type %d first, want SETTINGS", got[3])
	}
	// Half of it and nothing more is no request.
	c = b.raw().say("PRI * HT")
	if err := c.Conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := c.rest(); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestPlainFromFrames has nothing of a request of HTTP/2 end a line of HTTP/1.1 early, or a body where the request doesn't.
func TestPlainFromFrames(t *testing.T) {
	heads := make(chan string, 100)
	b := start(t, plainly(plain(t, endpointOf(t, func(s *socket) {
		for {
			if _, err := s.in.Peek(1); err != nil {
				return
			}
			head := s.head()
			heads <- head
			if strings.Contains(head, "content-length: 4") {
				if _, err := io.ReadFull(s.in, make([]byte, 4)); err != nil {
					return
				}
			}
			s.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}))))
	for _, x := range [][]string{
		{"content-length", "1", "content-length", "1"}, {"content-length", "1, 1"}, {"content-length", "x"}, {"host", "other"},
	} {
		if g := b.ask([]byte("x"), x...); g.field(":status") != "400" {
			t.Errorf("%v: %v", x, g.blocks)
		}
	}
	if len(heads) > 0 {
		t.Errorf("the endpoint got %q", <-heads)
	}
	if g := b.ask([]byte("four"), "content-length", "4", "cookie", "a=1", "cookie", "b=2", "te", "trailers"); g.field(":status") != "200" {
		t.Errorf("got %v", g.blocks)
	}
	want := "POST /s/m HTTP/1.1\r\nHost: example\r\ncontent-length: 4\r\nte: trailers\r\ncookie: a=1; b=2\r\nConnection: TE\r\n\r\n"
	if got := <-heads; got != want {
		t.Errorf("the endpoint got %q, want %q", got, want)
	}
	// More than was said, and less.
	for _, body := range []string{"fourGET /smuggled HTTP/1.1\r\nHost: e\r\n\r\n", "for"} {
		if g := b.ask([]byte(body), "content-length", "4"); g.field(":status") != "502" {
			t.Errorf("%q: %v", body, g.blocks)
		}
	}
	for len(heads) > 0 {
		if head := <-heads; strings.Contains(head, "smuggled") {
			t.Errorf("the endpoint got %q", head)
		}
	}
	b.ended()
}
