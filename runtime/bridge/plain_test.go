package bridge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// TestPlain relays requests and responses of all sizes and framings, from either protocol to either.
func TestPlain(t *testing.T) {
	address := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
			t.Error(err)
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-Uri", r.RequestURI)
		w.Header().Set("Trailer", "X-End")
		if r.ContentLength >= 0 && r.Header.Get("Long") == "" {
			w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		}
		for name := range r.Header {
			if strings.HasPrefix(strings.ToLower(name), "x-gw") {
				w.Header().Set("X-Leaked", name)
			}
		}
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
		w.Header().Set("X-End", "e"+r.Trailer.Get("X-Sum"))
	})
	for _, up := range []bool{false, true} {
		c := with(t, Action{}, address)
		if !up {
			c = plainly(c)
		}
		b := start(t, c)
		for _, down := range []bool{false, true} {
			client := b.web(down, "X-Gw-Other", "1", "X_gw_other", "1")
			for _, size := range []int{-1, 0, 1, 4095, 4096, 5000, 100_000, 5 << 20} {
				for _, chunks := range []bool{false, true} {
					relayed(t, client, size, chunks, fmt.Sprintf("HTTP/2 to bridge %v, to endpoint %v, %d bytes, chunks %v", down, up, size, chunks))
				}
			}
		}
		b.ended()
	}
}

func relayed(t *testing.T, client *http.Client, size int, chunks bool, what string) {
	t.Helper()
	var body io.Reader
	want := bodyOf(max(size, 0))
	method := http.MethodGet
	if size >= 0 {
		method, body = http.MethodPost, bytes.NewReader(want)
		if chunks {
			body = io.MultiReader(body) // Of which the length isn't known.
		}
	}
	r, err := http.NewRequest(method, "http://example/p%2f?q=a%20b", body)
	if err != nil {
		t.Fatal(err)
	}
	if chunks && size >= 0 {
		r.Trailer = http.Header{"X-Sum": {"s"}}
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	h := resp.Header
	if err != nil || !bytes.Equal(got, want) || h.Get("X-Method") != method || h.Get("X-Host") != "example" ||
		h.Get("X-Uri") != "/p%2f?q=a%20b" || h.Get("X-Leaked") != "" {
		t.Errorf("%s: %d bytes, %v, %v", what, len(got), h, err)
	}
	end := "e"
	if chunks && size >= 0 {
		end = "es"
	}
	if resp.Trailer.Get("X-End") != end {
		t.Errorf("%s: trailers %v, want %q", what, resp.Trailer, end)
	}
	if !chunks && size >= 0 && h.Get("X-Length") != fmt.Sprint(size) {
		t.Errorf("%s: the endpoint was told %q bytes", what, h.Get("X-Length"))
	}
}

// TestPlainBytes looks at the bytes that an endpoint is sent, and that the proxy gets.
func TestPlainBytes(t *testing.T) {
	seen := make(chan string, 10)
	address := endpointOf(t, func(s *socket) {
		for {
			if _, err := s.in.Peek(1); err != nil {
				return
			}
			seen <- s.head()
			s.say("HTTP/1.1 299 Fine enough\r\nX-mixed:  a  b \r\nConnection: x-hop, keep-alive\r\nX-Hop: 1\r\nx-gw-a: 1\r\n",
				"Content-Length: 2\r\n\r\nok")
		}
	})
	b := start(t, plainly(plain(t, address)))
	c := b.raw()
	for range 3 {
		c.say("GET /a//b/../c?x=%zz&y= HTTP/1.1\r\nX-FIRST: 1\r\nHost: Example:80\r\naccept:\t*/*\r\nX-Gw-Target: a\r\nx_gw_mirror: 0\r\n" +
			"Connection: X-Mine\r\nx-mine: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n")
		want := "GET /a//b/../c?x=%zz&y= HTTP/1.1\r\nX-FIRST: 1\r\nHost: Example:80\r\naccept: */*\r\nTE: trailers\r\n" +
			"Cookie: a=1\r\nCookie: b=2\r\nConnection: TE\r\n\r\n"
		if got := <-seen; got != want {
			t.Errorf("the endpoint got\n%q, want\n%q", got, want)
		}
		if got, want := c.head()+c.next(2), "HTTP/1.1 299 Fine enough\r\nX-mixed: a  b\r\nContent-Length: 2\r\n\r\nok"; got != want {
			t.Errorf("the proxy got\n%q, want\n%q", got, want)
		}
	}
	b.ended()
}

// TestPlainBodiless has responses without a body leave the connection usable.
func TestPlainBodiless(t *testing.T) {
	b := start(t, plainly(plain(t, serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("Content-Length", "7")
			w.WriteHeader(304)
		case "/head":
			w.Header().Set("Content-Length", "12345")
		}
	}))))
	c := b.raw()
	for range 3 {
		for _, x := range []struct{ method, path, status, length string }{
			{"GET", "/204", "204 No Content", ""}, {"GET", "/304", "304 Not Modified", ""}, {"HEAD", "/head", "200 OK", "Content-Length: 12345"},
			{"GET", "/", "200 OK", "Content-Length: 0"}, {"OPTIONS", "*", "200 OK", "Content-Length: 0"},
		} {
			c.say(x.method, " ", x.path, " HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\n\r\n")
			if got := c.head(); !strings.HasPrefix(got, "HTTP/1.1 "+x.status+"\r\n") || !strings.Contains(got, x.length) ||
				strings.Contains(got, "chunked") || strings.Contains(got, "close") {
				t.Errorf("%s %s: %q", x.method, x.path, got)
			}
		}
	}
}

// TestPlainStreams has each part of a body arrive before the next one is sent, in both directions.
func TestPlainStreams(t *testing.T) {
	address := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if err := rc.Flush(); err != nil {
			t.Error(err)
		}
		part := make([]byte, 10)
		for {
			if _, err := io.ReadFull(r.Body, part); err != nil {
				return
			}
			if _, err := w.Write(part); err != nil {
				t.Error(err)
			}
			if err := rc.Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	for _, protocol := range []Protocol{HTTP2, HTTP1} {
		c := plain(t, address)
		c.Upstreams["u"] = Upstream{Endpoints: c.Upstreams["u"].Endpoints, Protocol: protocol}
		b := start(t, c)
		s := b.raw().say("POST / HTTP/1.1\r\nHost: e\r\nx-gw-target: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		if got := s.head(); !strings.Contains(strings.ToLower(got), "transfer-encoding: chunked") {
			t.Errorf("got %q", got)
		}
		for range 20 {
			s.say("a\r\n0123456789\r\n")
			if got := s.next(15); got != "a\r\n0123456789\r\n" {
				t.Fatalf("got %q", got)
			}
		}
		s.say("0\r\n\r\n")
		if got := s.next(5); got != "0\r\n\r\n" {
			t.Errorf("the end is %q", got)
		}
		b.ended()
	}
}

// TestPlainExpect has a client send its body once the endpoint wants it, or not at all.
func TestPlainExpect(t *testing.T) {
	b := start(t, plainly(plain(t, serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Link", "</early>")
		w.WriteHeader(http.StatusEarlyHints)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprint(w, len(body))
	}))))
	client := b.web(false)
	for _, path := range []string{"/", "/no"} {
		continued, hints := false, 0
		ctx := httptrace.WithClientTrace(background(t), &httptrace.ClientTrace{
			Got100Continue: func() { continued = true },
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				if code == http.StatusEarlyHints {
					hints++
				}
				return nil
			},
		})
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://example"+path, bytes.NewReader(bodyOf(10_000)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		served := string(body) == "10000" && continued && hints == 1
		if path == "/" && !served || path == "/no" && (resp.StatusCode != 403 || continued) || err != nil {
			t.Errorf("%s: %s %q, continued: %v, hints: %d, %v", path, resp.Status, body, continued, hints, err)
		}
	}
	b.ended()
}

// TestPlainAnswers looks at what the bridge answers itself, to clients of either protocol.
func TestPlainAnswers(t *testing.T) {
	slow := endpointOf(t, func(s *socket) { _, _ = io.Copy(io.Discard, s) })
	dying := endpointOf(t, func(s *socket) { s.head() })
	for _, x := range []struct {
		name   string
		config Config
		target string
		status int
		text   string
	}{
		{"no endpoints", plain(t), "a", 503, "has no ready endpoints"},
		{"no action", plain(t, slow), "other", 500, "has no target other"},
		{"refusing", plain(t, refusing(t), refusing(t)), "a", 502, "no endpoint of upstream u took the call"},
		{"late", with(t, Action{Timeout: Duration(limit)}, slow), "a", 504, "took too long"},
		{"dying", plain(t, dying), "a", 502, "gave no answer that can be read"},
	} {
		for _, protocol := range []Protocol{HTTP2, HTTP1} {
			if protocol == "" && (x.name == "late" || x.name == "dying") {
				continue // Such an endpoint takes no connection of HTTP/2.
			}
			c := x.config
			c.Upstreams["u"] = Upstream{Endpoints: c.Upstreams["u"].Endpoints, Protocol: protocol}
			b := start(t, c)
			for _, frames := range []bool{false, true} {
				for _, method := range []string{"GET", "HEAD", "POST"} {
					r, err := http.NewRequest(method, "http://example/", nil)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := b.web(frames, HeaderTarget, x.target).Do(r)
					if err != nil {
						t.Errorf("%s, %s: %v", x.name, method, err)
						continue
					}
					body, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != x.status || method != "HEAD" && !strings.Contains(string(body), x.text) || err != nil ||
						!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") || resp.Header.Get("Grpc-Status") != "" {
						t.Errorf("%s, %s: %s %q, %v, %v", x.name, method, resp.Status, body, resp.Header, err)
					}
				}
			}
			if n := b.count("calls_total", map[string]string{"code": fmt.Sprint(x.status)}); n != 6 {
				t.Errorf("%s: %d calls are counted", x.name, n)
			}
			b.ended()
		}
	}
}

// TestPlainTurns sends requests to endpoints in turn, past one that takes no connection, and on few connections.
func TestPlainTurns(t *testing.T) {
	var mu sync.Mutex
	hits, froms := map[string]int{}, map[string]bool{}
	var addresses []string
	for range 3 {
		addresses = append(addresses, serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			hits[r.Context().Value(http.LocalAddrContextKey).(fmt.Stringer).String()]++
			froms[r.RemoteAddr] = true
		}))
	}
	b := start(t, plainly(plain(t, append(addresses, refusing(t))...)))
	client := b.web(false)
	for range 300 {
		resp, err := client.Post("http://example/", "text/plain", strings.NewReader("body"))
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
	}
	for _, a := range addresses {
		if hits[a] < 50 {
			t.Errorf("the endpoints got %v", hits)
		}
	}
	if len(froms) > 6 {
		t.Errorf("%d connections were opened", len(froms))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
