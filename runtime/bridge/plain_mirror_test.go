package bridge

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// copied is what a mirror was sent of a request.
type copied struct {
	method, uri, host string
	header, trailer   http.Header
	body              []byte
	err               error
}

// mirrorHTTP is a mirror of either protocol that keeps what it is sent.
func mirrorHTTP(t *testing.T) (address string, copies chan copied) {
	t.Helper()
	copies = make(chan copied, 1000)
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		c := copied{method: r.Method, uri: r.RequestURI, host: r.Host, header: r.Header}
		c.body, c.err = io.ReadAll(r.Body)
		c.trailer = r.Trailer
		copies <- c
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(c.body)
	}), copies
}

func nextCopy(t *testing.T, copies chan copied) copied {
	t.Helper()
	select {
	case c := <-copies:
		return c
	case <-time.After(patience):
		t.Fatal("the mirror gets no copy")
		return copied{}
	}
}

// mixed is a configuration with an upstream and mirrors of protocols.
func mixed(t *testing.T, protocol Protocol, address string, mirrors map[Protocol]string) Config {
	c := with(t, Action{}, address)
	u := c.Upstreams["u"]
	u.Protocol = protocol
	c.Upstreams["u"] = u
	a := c.Actions["a"]
	for _, p := range []Protocol{HTTP2, HTTP1} {
		if mirrors[p] != "" {
			id := fmt.Sprintf("m%d", len(a.Mirrors))
			up := upstreamOf(t, mirrors[p])
			up.Protocol = p
			c.Upstreams[id] = up
			a.Mirrors = append(a.Mirrors, id)
		}
	}
	c.Actions["a"] = a
	return c
}

// TestPlainMirror copies requests to mirrors of both protocols, whichever the request itself has. The host stays; what is about one
// connection, and the proxy's words, reach none.
func TestPlainMirror(t *testing.T) {
	address := serveHTTP(t, echoHTTP)
	framed, framedCopies := mirrorHTTP(t)
	text, textCopies := mirrorHTTP(t)
	for _, protocol := range []Protocol{HTTP2, HTTP1} {
		b := start(t, mixed(t, protocol, address, map[Protocol]string{HTTP2: framed, HTTP1: text}))
		n := 0
		for _, frames := range []bool{false, true} {
			client := b.web(frames)
			for _, size := range []int{0, 3, 200_000} {
				for _, chunks := range []bool{false, true} {
					want := bodyOf(size)
					var body io.Reader = bytes.NewReader(want)
					if chunks {
						body = io.MultiReader(body)
					}
					r, err := http.NewRequest("PUT", "http://example/p?q", body)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Cookie", "a=1; b=2")
					r.Header.Set("Keep-Alive", "5")
					if chunks {
						r.Trailer = http.Header{"X-Sum": {"s"}}
					}
					resp, err := client.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					back, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != 200 || !bytes.Equal(back, want) || err != nil {
						t.Errorf("the request got %s, %d bytes, %v", resp.Status, len(back), err)
					}
					for i, copies := range []chan copied{framedCopies, textCopies} {
						c := nextCopy(t, copies)
						n++
						sum := ""
						if chunks {
							sum = "s"
						}
						if c.method != "PUT" || c.uri != "/p?q" || c.host != "example" || c.err != nil || !bytes.Equal(c.body, want) ||
							c.header.Get("Cookie") != "a=1; b=2" || c.header.Get("Keep-Alive")+c.header.Get(HeaderTarget) != "" ||
							c.trailer.Get("X-Sum") != sum {
							t.Errorf("mirror %d got %s %s %s %v, %d bytes, %v, %v", i, c.method, c.host, c.uri, c.header, len(c.body), c.trailer, c.err)
						}
					}
				}
			}
		}
		await(t, "the copies' count", func() bool { return b.count("copies_total", map[string]string{"result": "sent"}) == n })
		b.ended()
	}
}

// TestPlainBadMirrors has callers whose mirrors are dead, hang, are slow or break the protocol: no request notices, what is held is
// bounded, and copies that don't arrive are counted.
func TestPlainBadMirrors(t *testing.T) {
	address := serveHTTP(t, echoHTTP)
	hanging := endpointOf(t, func(s *socket) { _, _ = io.Copy(io.Discard, s.in) })
	deaf := endpointOf(t, func(s *socket) { _, _ = s.in.Peek(1); <-t.Context().Done() })
	for name, mirror := range map[string]string{
		"refusing": refusing(t), "silent": silent(t), "hanging": hanging, "deaf": deaf,
		"dying":     endpointOf(t, func(s *socket) { _, _ = s.in.Peek(1) }),
		"babbling":  endpointOf(t, func(s *socket) { s.say("no HTTP at all\r\n\r\n") }),
		"endless":   endpointOf(t, endless),
		"switching": endpointOf(t, func(s *socket) { s.say("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n") }),
		"early":     serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }),
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, mixed(t, HTTP1, address, map[Protocol]string{HTTP1: mirror}))
			b.linger = limit
			var callers sync.WaitGroup
			for range 5 {
				client := b.web(false)
				callers.Go(func() {
					for i := range 5 {
						want := bodyOf([]int{10, 10, 20_000, 10, 2 << 20}[i%5])
						// One that waited for its mirror would have no end: a copy's time begins when its call has ended.
						resp, err := client.Post("http://example/", "text/plain", bytes.NewReader(want))
						if err != nil {
							t.Error(err)
							return
						}
						back, err := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						if resp.StatusCode != 200 || !bytes.Equal(back, want) || err != nil {
							t.Errorf("%s, %d of %d bytes, %v", resp.Status, len(back), len(want), err)
						}
						if n := b.count("held_copy_bytes", nil); n > copiesBytes {
							t.Errorf("%d bytes were held for mirrors", n)
						}
					}
				})
			}
			callers.Wait()
			await(t, "the copies' count", func() bool { return b.count("copies_total", nil) == 25 })
			if n := b.count("copies_total", map[string]string{"result": tooSlow}); name == "deaf" && n == 0 {
				t.Error("no copy was dropped for being slow")
			}
		})
	}
}

// endless answers with a body that has no end.
func endless(s *socket) {
	for _, err := io.WriteString(s.Conn, "HTTP/1.1 200 OK\r\n\r\n"); err == nil; {
		_, err = s.Conn.Write(make([]byte, 32<<10))
	}
}

// TestPlainMirrorSlowAnswer has a mirror answer slowly: the request is long over, and the copy ends in a while.
func TestPlainMirrorSlowAnswer(t *testing.T) {
	begun, gone := make(chan bool, 1), make(chan bool, 1)
	mirror := endpointOf(t, func(s *socket) {
		s.head()
		s.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
		begun <- true
		for _, err := s.in.Peek(1); err == nil; {
			_, err = s.in.Discard(1)
		}
		gone <- true
	})
	b := start(t, mixed(t, HTTP1, serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
		map[Protocol]string{HTTP1: mirror}))
	b.linger = limit
	resp, err := b.web(false).Get("http://example/")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	<-begun
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("the copy doesn't end")
	}
	if n := b.count("copies_total", map[string]string{"result": tooSlow}); n != 1 {
		t.Errorf("%d copies are counted as slow", n)
	}
}

// TestWebSocket switches a connection, passes on what comes on it in both directions, and gives no mirror any of it.
func TestWebSocket(t *testing.T) {
	mirror, copies := mirrorHTTP(t)
	ended := make(chan error, 10)
	address := endpointOf(t, func(s *socket) {
		if head := s.head(); !strings.Contains(head, "\r\nupgrade: WebSocket\r\n") || !strings.Contains(head, "\r\nConnection: Upgrade\r\n") {
			s.say("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
			return
		}
		s.say("HTTP/1.1 101 Go on\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nfirst")
		_, err := io.Copy(s.Conn, s.in)
		ended <- err
	})
	b := start(t, mixed(t, HTTP1, address, map[Protocol]string{HTTP1: mirror}))
	c := b.raw()
	c.say("GET /s HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nConnection: keep-alive, upgrade\r\n",
		"upgrade: WebSocket\r\n\r\nearly")
	want := "HTTP/1.1 101 Go on\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\n\r\n"
	if got := c.head(); got != want {
		t.Fatalf("got %q", got)
	}
	if got := c.next(10); got != "firstearly" {
		t.Errorf("got %q", got)
	}
	for _, size := range []int{1, 100, 5000, 1 << 20} {
		text := string(bodyOf(size))
		go func() { _, _ = io.WriteString(c.Conn, text) }()
		if got := c.next(size); got != text {
			t.Fatalf("%d bytes don't come back", size)
		}
	}
	if m := nextCopy(t, copies); m.uri != "/s" || m.header.Get("Upgrade") != "" || len(m.body) > 0 {
		t.Errorf("the mirror got %+v", m)
	}
	// The end of one direction passes, and then that of the other.
	if err := c.Conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the endpoint's end: %v", err)
	}
	if got := c.rest(); got != "" {
		t.Errorf("got %q at the end", got)
	}
	b.ended()
	if n := b.count("calls_total", map[string]string{"code": "101"}); n != 1 {
		t.Errorf("%d are counted", n)
	}
}

// TestWebSocketEnds ends a tunnel when either side goes, refuses others than those of WebSockets, and reads nothing behind a request
// whose upgrade is refused.
func TestWebSocketEnds(t *testing.T) {
	const upgrade = "GET / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	ended := make(chan error, 10)
	address := endpointOf(t, func(s *socket) {
		if !strings.Contains(s.head(), "Upgrade: websocket") {
			s.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return
		}
		s.say("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		if line, _ := s.in.ReadString('\n'); line == "end\n" {
			s.say("bye")
			ended <- nil
			return
		}
		_, err := io.Copy(io.Discard, s.in)
		ended <- err
	})
	b := start(t, plainly(plain(t, address)))
	c := b.raw().say(upgrade)
	c.head()
	if got := c.say("end\n").rest(); got != "bye" {
		t.Errorf("got %q", got)
	}
	<-ended
	c = b.raw().say(upgrade)
	c.head()
	_ = c.say("x\n").Close()
	<-ended
	b.ended()
	if got := b.raw().say(strings.Replace(upgrade, ": websocket", ": h2c", 1)).head(); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("h2c is answered by %q", got)
	}
	b.configure(plainly(plain(t, serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Errorf("the endpoint got %s", r.URL.Path)
		}
	}))))
	got := b.raw().say(upgrade, "GET /smuggled HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n").rest()
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || strings.Count(got, "HTTP/1.1 ") != 1 ||
		!strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("a refused upgrade is answered by %q", got)
	}
	// An endpoint of HTTP/2 has no tunnel.
	b.configure(plain(t, serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) })))
	if got := b.raw().say(upgrade).head(); !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("an upgrade over HTTP/2 is answered by %q", got)
	}
}

// TestPlainDrain lets requests finish, and answers those that come meanwhile, by a last response.
func TestPlainDrain(t *testing.T) {
	release := make(chan struct{})
	b := start(t, plainly(plain(t, serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, "ok")
	}))))
	idle, busy := b.raw(), b.raw().say(ask)
	await(t, "the request", func() bool { return b.count("calls_open", nil) == 1 && b.count("connections", nil) == 2 })
	drained := make(chan bool)
	go func() {
		b.Drain(background(t))
		close(drained)
	}()
	await(t, "the drain", func() bool {
		b.Bridge.mu.Lock()
		defer b.Bridge.mu.Unlock()
		return b.draining
	})
	idle.say(ask)
	await(t, "the second request", func() bool { return b.count("calls_open", nil) == 2 })
	close(release)
	for _, c := range []*socket{idle, busy} {
		if got := c.rest(); !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.Contains(got, "\r\nConnection: close\r\n") ||
			!strings.HasSuffix(got, "ok") {
			t.Errorf("got %q", got)
		}
	}
	select {
	case <-drained:
	case <-time.After(patience):
		t.Error("the drain has no end")
	}
}
