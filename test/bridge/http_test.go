package bridge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/runtime/bridge"
	"github.com/gatewright/gatewright/test/harness"
)

// The proxies' configurations for requests of HTTP/1.1.
var plainTexts = map[string]string{
	"nginx": `user www-data;
worker_processes 1;
pid %[1]s/nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	error_log stderr;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	upstream bridge { server unix:%[2]s; keepalive 32; }
	map $http_upgrade $upgrade { websocket upgrade; default ""; }
	server {
		listen %[3]s;
		client_max_body_size 0;
		proxy_http_version 1.1;
		proxy_request_buffering off;
		proxy_buffering off;
		location / {
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $upgrade;
			proxy_set_header x-gw-target $http_want_target;
			proxy_set_header x-gw-mirror $http_want_mirror;
			proxy_pass http://bridge;
		}
	}
}
`,
	"haproxy": `defaults
	mode http
	timeout connect 5s
	timeout client 1h
	timeout server 1h
frontend f
	bind %[3]s
	http-request set-header x-gw-target %%[req.hdr(want-target)]
	http-request set-header x-gw-mirror %%[req.hdr(want-mirror)]
	default_backend bridge
backend bridge
	server bridge unix@%[2]s
`,
}

// serveHTTP is a server of HTTP/1.1.
func serveHTTP(t testing.TB, handle http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", harness.Address(t)+":8081")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handle}
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		done.Wait()
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// configurePlain has the bridge serve "plain" and "mirrored" to a backend, of which the latter goes to a mirror too.
func (r *rig) configurePlain(first, second netip.AddrPort) {
	r.t.Helper()
	r.write(bridge.Config{Version: bridge.Version, Generation: "plain", Actions: map[string]bridge.Action{
		"plain":    {Upstream: "first"},
		"mirrored": {Upstream: "first", Mirrors: []string{"second"}},
		"dead":     {Upstream: "dead"},
		"empty":    {Upstream: "empty"},
	}, Upstreams: map[string]bridge.Upstream{
		"first":  {Protocol: bridge.HTTP1, Endpoints: []netip.AddrPort{first}},
		"second": {Protocol: bridge.HTTP1, Endpoints: []netip.AddrPort{second}},
		"dead":   {Protocol: bridge.HTTP1, Endpoints: []netip.AddrPort{netip.AddrPortFrom(first.Addr(), 9)}},
		"empty":  {Protocol: bridge.HTTP1},
	}})
	r.running("serve", func(g bridge.Running) bool { return g.Generation == "plain" })
}

// ask makes a request, and returns its response with the body.
func (r *rig) ask(c *http.Client, method, target string, body io.Reader, headers ...string) (*http.Response, string) {
	r.t.Helper()
	q, err := http.NewRequest(method, "http://"+r.address+"/p?q", body)
	if err != nil {
		r.t.Fatal(err)
	}
	q.Host = "example"
	q.Header.Set("want-target", target)
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, target, err)
	}
	_ = resp.Body.Close()
	return resp, string(text)
}

// TestHTTPBehind has requests of HTTP/1.1 of all kinds pass a proxy and the bridge.
func TestHTTPBehind(t *testing.T) {
	forEachWith(t, plainTexts, func(t *testing.T, r *rig) {
		events := make(chan bool)
		first := serveHTTP(t, func(w http.ResponseWriter, q *http.Request) {
			if q.Header.Get("x-gw-target")+q.Header.Get("x-gw-mirror") != "" || q.Host != "example" {
				t.Errorf("the endpoint got %s, %v", q.Host, q.Header)
			}
			switch {
			case q.Header.Get("Upgrade") == "websocket":
				tunnel(t, w)
			case q.Header.Get("events") != "":
				for range 3 {
					_, _ = io.WriteString(w, "event\n")
					_ = http.NewResponseController(w).Flush()
					<-events
				}
			default: // nginx sends no more of a request once it is answered.
				body, err := io.ReadAll(q.Body)
				if err != nil {
					t.Error(err)
				}
				_, _ = w.Write(body)
			}
		})
		copies := make(chan string, 1000)
		second := serveHTTP(t, func(w http.ResponseWriter, q *http.Request) {
			body, err := io.ReadAll(q.Body)
			copies <- fmt.Sprint(q.Method, q.Host, q.RequestURI, len(body), err)
			w.WriteHeader(http.StatusTeapot)
		})
		r.configurePlain(first, second)
		c := &http.Client{Timeout: patience}
		defer c.CloseIdleConnections()
		for _, size := range []int{0, 100, 100_000, 3 << 20} {
			for _, target := range []string{"plain", "mirrored"} {
				want := strings.Repeat("x", size)
				for _, body := range []io.Reader{strings.NewReader(want), io.MultiReader(strings.NewReader(want))} {
					if resp, got := r.ask(c, "PUT", target, body, "want-mirror", "0"); resp.StatusCode != 200 || got != want {
						t.Errorf("%s, %d bytes: %s, %d bytes", target, size, resp.Status, len(got))
					}
					if target == "plain" || size > 1<<20 {
						continue // A copy of that size may be too slow.
					}
					select {
					case got := <-copies:
						if got != fmt.Sprint("PUT", "example", "/p?q", size, nil) {
							t.Errorf("the mirror got %s", got)
						}
					case <-time.After(patience):
						t.Fatal("the mirror gets no copy")
					}
				}
			}
		}
		for target, want := range map[string]int{"dead": 502, "empty": 503, "nobody": 500} {
			if resp, text := r.ask(c, "GET", target, nil, "x-gw-target", "plain"); resp.StatusCode != want || text == "" {
				t.Errorf("%s: %s %q", target, resp.Status, text)
			}
		}
		eventsOf(t, r, c, events)
		webSocket(t, r)
	})
}

// tunnel answers with what comes in, behind a switch of protocols.
func tunnel(t *testing.T, w http.ResponseWriter) {
	conn, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_, _ = io.Copy(conn, in)
}

// eventsOf has each event arrive before the next one is sent.
func eventsOf(t *testing.T, r *rig, c *http.Client, events chan bool) {
	q, err := http.NewRequest("GET", "http://"+r.address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Host = "example"
	q.Header = http.Header{"Want-Target": {"plain"}, "Events": {"1"}}
	resp, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(resp.Body)
	for range 3 {
		if line, err := in.ReadString('\n'); line != "event\n" {
			t.Errorf("got %q, %v", line, err)
		}
		events <- true
	}
	_ = resp.Body.Close()
}

func webSocket(t *testing.T, r *rig) {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(conn, "GET /s HTTP/1.1\r\nHost: example\r\nwant-target: mirrored\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("the upgrade: %v, %v", resp, err)
	}
	for _, size := range []int{1, 1000, 100_000} {
		want := bytes.Repeat([]byte("w"), size)
		go func() { _, _ = conn.Write(want) }()
		got := make([]byte, size)
		if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes through the tunnel: %v", size, err)
		}
	}
}

// TestHTTPReplaced puts a new bridge in the place of the old one under callers: no request fails.
func TestHTTPReplaced(t *testing.T) {
	forEachWith(t, plainTexts, func(t *testing.T, r *rig) {
		first := serveHTTP(t, func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
		r.configurePlain(first, first)
		var stop atomic.Bool
		var calls atomic.Int64
		var callers sync.WaitGroup
		for range 20 {
			c := &http.Client{Timeout: patience, Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			callers.Go(func() {
				for !stop.Load() {
					if resp, text := r.ask(c, "GET", "plain", nil); resp.StatusCode != 200 {
						t.Errorf("%s %s", resp.Status, text)
						return
					}
					calls.Add(1)
					<-time.After(20 * time.Millisecond)
				}
			})
		}
		more := func() {
			n := calls.Load()
			harness.Until(t, "make requests", patience, func() error {
				if calls.Load() < n+150 {
					return fmt.Errorf("%d requests", calls.Load()-n)
				}
				return nil
			}, r.bridge.Log)
		}
		more()
		old := r.bridge
		r.startBridge()
		old.Signal(syscall.SIGTERM)
		more()
		if err := old.Ended(); err != nil {
			t.Errorf("the old bridge ended with %v", err)
		}
		more()
		stop.Store(true)
		callers.Wait()
	})
}
