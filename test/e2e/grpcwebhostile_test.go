package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// hostilePages: origins that only look like those that may call, preflight requests that no browser sends, and bodies that no client
// writes, in both versions of HTTP.
func hostilePages(t *testing.T, s *harness.Served) {
	for _, http2 := range []bool{false, true} {
		hostileOrigins(t, s, http2)
		hostilePreflights(t, s, http2)
		hostileBodies(t, s, http2)
	}
	hostileFraming(t, s)
}

func hostileOrigins(t *testing.T, s *harness.Served, http2 bool) {
	t.Helper()
	c := pageCall{listener: "https", host: "web.example.com", service: "Echo", http2: http2}
	for origin, may := range map[string]bool{
		"null": false, "https://shop.example.com.evil.net": false, "https://evilshop.example.com": false, "http://shop.example.com": false,
		"https://shop.example.com:8443": false, "https://shop.example.com/": false, "https://shop.example.com@evil.net": false,
		"https://shop.example.com, https://evil.example": false, "https://shop.example.com https://evil.example": false,
		"https://.pages.example.com": false, "https://pages.example.com": false, "https://evil.net/.pages.example.com": false,
		"https://evil.net:443.pages.example.com": false, "*": false, "https://*.pages.example.com:8443": false, "shop.example.com": false,
		"https://shop.example.com:443": true, "HTTPS://SHOP.EXAMPLE.COM": true, "https://a.b.pages.example.com": true,
	} {
		c.origin = origin
		want := ""
		if may {
			want = origin
		}
		readable(t, fmt.Sprintf("origin %s, http2 %t", origin, http2), c.do(t, s), want)
	}
	// Two origins are none, and never the one that may not.
	c.origin, c.headers = pageOrigin, harness.Fields{"origin", otherOrigin}
	if got := c.do(t, s).Headers.Values("access-control-allow-origin"); len(got) > 1 || len(got) == 1 && got[0] != pageOrigin {
		t.Errorf("two origins, http2 %t: may be read by %q", http2, got)
	}
}

func hostilePreflights(t *testing.T, s *harness.Served, http2 bool) {
	t.Helper()
	for _, row := range []struct {
		what    string
		headers harness.Fields
		origin  string
	}{
		{"another method", preflight(pageOrigin, "DELETE", "content-type,x-grpc-web"), pageOrigin},
		{"two methods", append(preflight(pageOrigin, "POST", "x-grpc-web"), "access-control-request-method", "DELETE"), pageOrigin},
		{"two lists of headers", append(preflight(pageOrigin, "POST", "x-grpc-web"), "access-control-request-headers", "x-more"), pageOrigin},
		{"the origin null", preflight("null", "POST", "x-grpc-web"), ""},
		{"two origins, the first may not", append(harness.Fields{"origin", otherOrigin}, preflight(pageOrigin, "POST", "x-grpc-web")...), ""},
	} {
		r := s.Request("gw/https", "web.example.com", "/acme.v1.Echo/Get")
		r.Method, r.HTTP2, r.Headers = "OPTIONS", http2, row.headers
		got := s.HTTP.Do(r)
		origins, methods := got.Headers.Values("access-control-allow-origin"), got.Headers.Values("access-control-allow-methods")
		if row.origin == "" && strings.Contains(strings.Join(origins, ","), otherOrigin) || row.origin != "" && len(origins) > 1 ||
			len(methods) > 1 || len(methods) == 1 && methods[0] != "POST" {
			t.Errorf("%s, http2 %t: origins %q, methods %q: %v", row.what, http2, origins, methods, &got)
		}
		if len(origins) == 1 && origins[0] == "null" {
			t.Errorf("%s, http2 %t: pages without an origin may call", row.what, http2)
		}
	}
}

// hostileBodies are answered with a status that a page can read.
func hostileBodies(t *testing.T, s *harness.Served, http2 bool) {
	t.Helper()
	text := func(body string) string { return base64.StdEncoding.EncodeToString([]byte(body)) }
	for _, row := range []struct{ what, kind, body, status string }{
		{"a client's trailers", "application/grpc-web", "\x80\x00\x00\x00\x10grpc-status: 0\r\n", "13"},
		{"a message of 4 GB", "application/grpc-web", "\x00\xff\xff\xff\xffm", "8"},
		{"a message that is cut off", "application/grpc-web+proto", "\x00\x00\x00\x00\x09m", "13"},
		{"padding within", "application/grpc-web-text", text("\x00\x00") + text("\x00\x00\x01m"), "0"},
		{"lines", "application/grpc-web-text", text("\x00\x00\x00\x00\x01m") + "\r\n\r\n", "3"},
		{"a part of base64", "application/grpc-web-text", text("\x00\x00\x00\x00\x01m")[:7], "3"},
		{"another case", "Application/GRPC-Web", "\x00\x00\x00\x00\x01m", "0"},
		{"nothing", "application/grpc-web", "", "0"},
	} {
		r := s.Request("gw/https", "web.example.com", "/acme.v1.Echo/Get")
		r.Method, r.HTTP2, r.Body = "POST", http2, []byte(row.body)
		r.Headers = harness.Fields{"content-type", row.kind, "x-grpc-web", "1", "origin", pageOrigin}
		got := pageReply{HTTPReply: s.HTTP.Do(r), trailers: map[string][]string{}}
		if err := got.read(); err != nil || got.trailers.Get("grpc-status") != row.status {
			t.Errorf("%s, http2 %t: grpc-status %q, want %s: %v, %v", row.what, http2, got.trailers.Get("grpc-status"), row.status, err, &got.HTTPReply)
		}
		readable(t, row.what, got, pageOrigin)
	}
}

// hostileFraming: a body in chunks of a byte is a body like any other, and one without a length is none.
func hostileFraming(t *testing.T, s *harness.Served) {
	t.Helper()
	for what, row := range map[string]struct{ head, body, status string }{
		"chunks":    {"transfer-encoding: chunked\r\n", "1\r\n\x00\r\n1\r\n\x00\r\n1\r\n\x00\r\n1\r\n\x00\r\n1\r\n\x01\r\n1\r\nm\r\n0\r\n\r\n", "0"},
		"trailers":  {"transfer-encoding: chunked\r\n", "6\r\n\x00\x00\x00\x00\x01m\r\n0\r\nx-end: 1\r\n\r\n", "0"},
		"no length": {"", "", "0"},
	} {
		conn := s.Request("gw/https", "web.example.com", "").Dial(t)
		_, err := io.WriteString(conn, "POST /acme.v1.Echo/Get HTTP/1.1\r\nhost: web.example.com\r\ncontent-type: application/grpc-web\r\n"+
			"x-grpc-web: 1\r\nconnection: close\r\n"+row.head+"\r\n"+row.body)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		body, err := io.ReadAll(reply.Body)
		if !strings.Contains(string(body), "grpc-status: "+row.status+"\r\n") {
			t.Errorf("%s: %s %q, %v", what, reply.Status, body, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
