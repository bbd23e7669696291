package hostile

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/matching/reference"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

const pathsGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: pair}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a}
spec:
  parentRefs: [{name: gw}]
  hostnames: [a.example.com]
  rules:
  - matches: [{path: {value: /public}}]
    backendRefs: [{name: public, port: 80}]
  - matches: [{path: {value: /public}, headers: [{name: x-role, value: admin}]}]
    backendRefs: [{name: role, port: 80}]
  - matches: [{path: {value: /admin}}]
    backendRefs: [{name: admin, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: b}
spec:
  parentRefs: [{name: gw}]
  hostnames: [b.example.com]
  rules:
  - backendRefs: [{name: b, port: 80}]
`

// fence is the request behind each of HTTP/1.1.
const fence = "GET /public?fence HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n"

// mostWait is how long an answer may take before it counts as none.
const mostWait = 3 * time.Second

// TestHTTPPaths is R36 and R39: no request comes to a rule that its own bytes don't match, however it is written. What each
// proxy answers is in docs/http-paths.md.
func TestHTTPPaths(t *testing.T) {
	pair := harness.Secret("default", "pair", harness.Certificate(t, "a.example.com"))
	services := []string{}
	for _, name := range []string{"public", "role", "admin", "b"} {
		services = append(services, harness.Service("default", name, 80))
	}
	proxies := harness.Proxies(t)
	pages := make([]page, len(proxies))
	t.Run("proxies", func(t *testing.T) {
		for i, p := range proxies {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				backends := harness.NewBackends(t)
				w := &witness{t: t, proxy: p.Name}
				backends.OnHTTP(w.see)
				s := harness.Serve(t, p, harness.Load(t, "", pathsGateway, pair, strings.Join(services, "---\n")),
					harness.Options{Backends: backends})
				w.paths(s, &pages[i])
				w.smuggle1(s, &pages[i])
				w.smuggle2(s, &pages[i])
				w.judge()
			})
		}
	})
	if !t.Failed() {
		checkPage(t, proxies, pages)
	}
}

// knownRoles are requests that nginx has for another rule than the one that a backend may take them for, by header alone:
// it doesn't tell "_" in a name from "-", and takes a tab around a value, or in HTTP/2 a space, for a part of it.
var knownRoles = map[string][]string{"nginx": {"X_Role", "x_role", "X-Role with spaces around", "spaces around a value"}}

// upgrades2 are requests of HTTP/2 that ask for another protocol in a way that only HTTP/1.1 has.
var upgrades2 = []string{"upgrade", "upgrade with connection"}

// witness sees what backends are asked for.
type witness struct {
	t     *testing.T
	proxy string
	mu    sync.Mutex
	// row is what is being asked; smuggled are the requests that hid in another one, at backends and in answers.
	row                string
	smuggled, answered int
}

// see judges a request that a backend got.
func (w *witness) see(e *harness.HTTPEcho) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if why := w.illegal(e); why != "" {
		w.t.Errorf("%s: %s: %s, headers %q", w.row, e, why, e.Headers)
	}
	if strings.Contains(e.Target, adversary.Smuggled) {
		w.smuggled++
	}
}

// illegal says what of a request isn't for the rule that the backend is for, or makes it more than one request.
func (w *witness) illegal(e *harness.HTTPEcho) string {
	target := e.Target
	if _, rest, absolute := strings.Cut(target, "://"); absolute && target[0] != '/' {
		host, path, _ := strings.Cut(rest, "/")
		host = model.Hostname(host[strings.IndexByte(host, '@')+1:])
		if target = "/" + path; host != "" && host != model.Hostname(e.Host) {
			return "the target has another host than the Host"
		}
	}
	path, _, _ := strings.Cut(target, "?")
	below := func(prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
	host := map[bool]string{false: "a.example.com", true: "b.example.com"}[e.Service() == "b"]
	role := e.Header("x-role") == "admin"
	switch {
	case model.Hostname(e.Host) != host:
		return "it has another host"
	case e.Service() == "admin" && !below("/admin"), e.Service() == "public" && !below("/public"), e.Service() == "role" && !below("/public"):
		return "it has another path"
	case (e.Service() == "role") != role && e.Service() != "admin" && e.Service() != "b" && !slices.Contains(knownRoles[w.proxy], w.row):
		return "it has another role"
	case model.Ambiguous(path):
		return "its path can be read as another one"
	case e.Method == "CONNECT", e.Method == "TRACE":
		return "it has a method that is for proxies"
	case len(e.Headers["host"]) > 1:
		return "it has two hosts"
	case len(e.Headers["content-length"])+len(e.Headers["transfer-encoding"]) > 1:
		return "its length is told twice"
	case e.Header("upgrade") != "" && (e.Header("upgrade") != "websocket" || slices.Contains(upgrades2, w.row)):
		return "it asks for another protocol"
	}
	return ""
}

// judge looks at all of it in the end.
func (w *witness) judge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.smuggled > w.answered {
		w.t.Errorf("%d requests that hid in others came to backends, and %d were answered", w.smuggled, w.answered)
	}
}

func (w *witness) begin(row string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.row = row
}

// answer is a reply in a word: the Service, or the status, or how it ended.
func (w *witness) answer(r *harness.HTTPReply) string {
	if strings.Contains(r.Echo.Target, adversary.Smuggled) {
		w.mu.Lock()
		w.answered++
		w.mu.Unlock()
	}
	switch {
	case r.Waits():
		return "waits"
	case r.Err != nil:
		return "ends"
	}
	return r.Backend()
}

// paths asks for each path in both versions. What the model says is what comes of it: the rule that the bytes match, or 400.
func (w *witness) paths(s *harness.Served, p *page) {
	for _, target := range adversary.Paths {
		w.begin(fmt.Sprintf("%q", target))
		want := wanted(s.Model, target)
		cells := []string{}
		for _, listener := range []string{"gw/http", "gw/https"} {
			r := s.Request(listener, "a.example.com", target)
			if r.HTTP2 = r.TLS; !r.TLS && strings.ContainsAny(target, " \t\x00") {
				continue // That is another request line.
			}
			reply := s.HTTP.Do(r)
			got := w.answer(&reply)
			// What is no path at all ends the stream or the connection at some, or is one that no rule has.
			noPath := !strings.HasPrefix(target, "/") && got == "404"
			if got != want && !(want == "400" && (got == "ends" || noPath)) {
				w.t.Errorf("%s %q by %s: %s, want %s", listener, target, map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[r.HTTP2], &reply, want)
			}
			cells = append(cells, got)
		}
		p.paths = append(p.paths, strings.Join(slices.Compact(cells), " / "))
	}
}

// wanted is who is to answer a request for a path.
func wanted(m model.Gateways, target string) string {
	v := reference.Evaluate(m, model.Call{Port: 20080, Authority: "a.example.com", Method: "GET", Path: target})
	switch {
	case v.Ambiguous:
		return "400"
	case v.Rule == nil:
		return "404"
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(v.Rule.Backends[0].Cluster, "default/"), "/")
	return name
}

// smuggle1 sends the requests of HTTP/1.1 with the fence behind each.
func (w *witness) smuggle1(s *harness.Served, p *page) {
	for _, row := range adversary.HTTP1 {
		w.begin(row.Name)
		r := s.Request("gw/http", "a.example.com", "")
		conn := r.Dial(w.t)
		fenced := false
		replies := harness.Exchange(conn, row.Bytes+fence, mostWait, func(r *harness.HTTPReply) bool {
			fenced = strings.HasSuffix(r.Echo.Target, "?fence")
			return fenced
		})
		_ = conn.Close() // All that was to be read has been.
		var words []string
		for i := range replies {
			if fenced && i == len(replies)-1 {
				break
			}
			words = append(words, w.answer(&replies[i]))
		}
		if len(words) > 1 && words[len(words)-1] == "ends" {
			words = words[:len(words)-1] // The proxy closed the connection behind its answer.
		}
		p.http1 = append(p.http1, strings.Join(words, ", "))
	}
}

// smuggle2 sends the requests of HTTP/2.
func (w *witness) smuggle2(s *harness.Served, p *page) {
	for _, row := range adversary.HTTP2 {
		w.begin(row.Name)
		client := s.Request("gw/https", "a.example.com", "").DialRaw(w.t)
		reply := client.Request(row.Fields, []byte(row.Body), mostWait)
		client.Close()
		p.http2 = append(p.http2, w.answer(&reply))
	}
}
