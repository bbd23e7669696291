package e2e

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

func to(location string) map[string]string { return map[string]string{"location": location} }

func seen(target, host string) map[string]string {
	return map[string]string{"target": target, "host": host}
}

// The ports of the listeners are moved to where no rights are needed: 80 to 20080, 443 to 20443.
const (
	redirectHost = "redirect.example.com"
	rewriteHost  = "rewrite.example.com"
)

var redirects = []exchange{
	{host: redirectHost, target: "/301", status: 301, says: to("http://example.org:20080/301")},
	{host: redirectHost, target: "/302", status: 302, says: to("http://example.org:20080/302")},
	{host: redirectHost, target: "/303", status: 303, says: to("http://example.org:20080/303")},
	{host: redirectHost, target: "/307", status: 307, says: to("http://example.org:20080/307")},
	{host: redirectHost, target: "/308", status: 308, says: to("http://example.org:20080/308")},
	{host: redirectHost, method: "POST", body: []byte("body"), target: "/307?x=1", status: 307, says: to("http://example.org:20080/307?x=1")},
	{host: redirectHost, method: "HEAD", target: "/301", status: 301, says: to("http://example.org:20080/301")},
	{host: redirectHost, listener: "gw/other", target: "/302", status: 302, says: to("http://example.org:8080/302")},
	{host: redirectHost, listener: "gw/https", target: "/302", status: 302, says: to("https://example.org:20443/302")},
	{host: redirectHost + ":1234", target: "/plain?a=%20&b", status: 302, says: to("http://redirect.example.com:20080/new?a=%20&b")},
	{host: redirectHost, target: "/https?q", status: 302, says: to("https://redirect.example.com/https?q")},
	{host: redirectHost, listener: "gw/https", target: "/https", status: 302, says: to("https://redirect.example.com/https")},
	{host: redirectHost, target: "/http-443", status: 302, says: to("http://redirect.example.com:443/http-443")},
	{host: redirectHost, target: "/https-443", status: 302, says: to("https://redirect.example.com/https-443")},
	{host: redirectHost, target: "/8443", status: 302, says: to("http://redirect.example.com:8443/8443")},
	{host: redirectHost, listener: "gw/https", target: "/8443", status: 302, says: to("https://redirect.example.com:8443/8443")},
	{host: redirectHost, target: "/80", status: 302, says: to("http://redirect.example.com/80")},
	{host: redirectHost, listener: "gw/https", target: "/80", status: 302, says: to("https://redirect.example.com:80/80")},
	// The table of the API for ReplacePrefixMatch.
	{host: redirectHost, target: "/foo", status: 302, says: to("http://redirect.example.com/xyz")},
	{host: redirectHost, target: "/foo/", status: 302, says: to("http://redirect.example.com/xyz/")},
	{host: redirectHost, target: "/foo/bar?q=1", status: 302, says: to("http://redirect.example.com/xyz/bar?q=1")},
	{host: redirectHost, target: "/foo/a%2Fb%20c;d", status: 302, says: to("http://redirect.example.com/xyz/a%2Fb%20c;d")},
	{host: redirectHost, target: "/slash", status: 302, says: to("http://redirect.example.com/xyz/")},
	{host: redirectHost, target: "/slash/", status: 302, says: to("http://redirect.example.com/xyz/")},
	{host: redirectHost, target: "/slash/bar", status: 302, says: to("http://redirect.example.com/xyz/bar")},
	{host: redirectHost, target: "/none", status: 302, says: to("http://redirect.example.com/")},
	{host: redirectHost, target: "/none/", status: 302, says: to("http://redirect.example.com/")},
	{host: redirectHost, target: "/none/bar", status: 302, says: to("http://redirect.example.com/bar")},
	{host: redirectHost, target: "/root", status: 302, says: to("http://redirect.example.com/")},
	{host: redirectHost, target: "/root/", status: 302, says: to("http://redirect.example.com/")},
	{host: redirectHost, target: "/root/bar", status: 302, says: to("http://redirect.example.com/bar")},
	{host: redirectHost, target: "/foobar", status: 404},
	{host: redirectHost, target: "/foo//evil.example", status: 400},
}

var rewrites = []exchange{
	{host: rewriteHost, target: "/host/a%2Fb?q=%20", backend: "plain", sees: seen("/host/a%2Fb?q=%20", "new.example.org")},
	{host: rewriteHost, target: "/full", backend: "plain", sees: seen("/new/$host;a=b%20c", rewriteHost)},
	{host: rewriteHost, target: "/full/more?q=1&q=2", backend: "plain", sees: seen("/new/$host;a=b%20c?q=1&q=2", rewriteHost)},
	{host: rewriteHost, target: "/foo", backend: "plain", sees: seen("/xyz", "both.example.org")},
	{host: rewriteHost, target: "/foo/", backend: "plain", sees: seen("/xyz/", "both.example.org")},
	{host: rewriteHost, target: "/foo/a%2Fb;c%20'\"<>?q=a+b", backend: "plain", sees: seen("/xyz/a%2Fb;c%20'\"<>?q=a+b", "both.example.org")},
	{host: rewriteHost + ":99", listener: "gw/https", target: "/foo?q", backend: "plain", sees: seen("/xyz?q", "both.example.org")},
	{host: rewriteHost + ":99", target: "/none", backend: "plain", sees: seen("/", rewriteHost+":99")},
	{host: rewriteHost, target: "/none/bar", backend: "plain", sees: seen("/bar", rewriteHost)},
	{host: rewriteHost, target: "/none/none", backend: "plain", sees: seen("/none", rewriteHost)},
	{host: rewriteHost, method: "POST", body: []byte("body"), target: "/none/?q", backend: "plain", sees: seen("/?q", rewriteHost)},
	{host: rewriteHost, target: "/h2c/a%2Fb?q=%20", backend: "h2c", sees: seen("/h2c/a%2Fb?q=%20", "h2c.example.org")},
}

// sent and changed are what the rules with modifiers get, and what becomes of it.
var (
	sent = harness.Fields{"x-set", "old", "x-add", "here", "x-remove", "gone", "x-keep", "kept", "user-agent", "test", "accept", "text/x-y",
		harness.AskHeader, "y-set=old", harness.AskHeader, "y-add=here", harness.AskHeader, "y-remove=gone", harness.AskHeader, "etag=\"1\"",
		harness.AskHeader, "y-keep=kept", harness.AskHeader, "content-type=application/json", harness.AskHeader, "set-cookie=a=1",
		harness.AskHeader, "set-cookie=b=2"}
	got = map[string]string{"x-set": `new $host %[src] "quoted"`, "x-add": "here, more", "x-remove": "", "x-keep": "kept",
		"user-agent": "none", "accept": ""}
	answered = map[string]string{"y-set": "new ${host} %[src] 'quoted'", "y-add": "here, more", "y-remove": "", "etag": "", "y-keep": "kept",
		"content-type": "text/x-new", "cache-control": "no-store", "set-cookie": "a=1, b=2"}
)

var modifiers = []exchange{
	{host: "headers.example.com", target: "/plain", headers: sent, backend: "plain", sees: got, says: answered},
	{host: "headers.example.com", listener: "gw/https", target: "/plain", headers: sent, backend: "plain", sees: got, says: answered},
	{host: "headers.example.com", target: "/h2c", headers: sent, backend: "h2c", sees: got, says: answered},
	{host: "headers.example.com", target: "/plain", headers: append(harness.Fields{harness.AskStatus, "404"}, sent...), status: 404,
		backend: "plain", sees: got, says: answered},
	{host: "headers.example.com", target: "/backend", headers: harness.Fields{"x-both", "client"}, backend: "plain",
		sees: map[string]string{"x-both": "backend", "x-rule": "1"}, says: map[string]string{"y-backend": "1"}},
}

// forwarded are the headers that say where a request came from: a client's own count for nothing.
var forwarded = []exchange{
	{host: "errors.example.com:1234", target: "/plain", backend: "plain", sees: map[string]string{"x-forwarded-for": "127.0.0.1",
		"x-forwarded-proto": "http", "x-forwarded-host": "errors.example.com:1234"}},
	{host: "errors.example.com", listener: "gw/https", target: "/h2c", backend: "h2c", sees: map[string]string{
		"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https", "x-forwarded-host": "errors.example.com"}},
	{host: "rewrite.example.com", target: "/foo", headers: harness.Fields{"x-forwarded-for", "1.2.3.4", "x-forwarded-for", "5.6.7.8",
		"x-forwarded-proto", "https", "x-forwarded-host", "evil.example.org"}, backend: "plain", sees: map[string]string{
		"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "rewrite.example.com"}},
	// Nor does it pass by a name that an endpoint may read as one of them.
	{host: "errors.example.com", target: "/plain", headers: harness.Fields{"x_forwarded_for", "1.2.3.4", "x-forwarded_proto", "https",
		"x_forwarded-host", "evil.example.org", "x_forwarded", "kept"}, backend: "plain", sees: map[string]string{"x_forwarded_for": "",
		"x-forwarded_proto": "", "x_forwarded-host": "", "x-forwarded-for": "127.0.0.1", "x_forwarded": "kept"}},
	// An endpoint that heeds Connection would leave out what it names.
	{host: "errors.example.com", target: "/plain", headers: harness.Fields{"connection", "x-forwarded-for, X-Role", "keep-alive", "timeout=5",
		"proxy-connection", "x", "x-role", "r"}, backend: "plain", sees: map[string]string{"connection": "", "keep-alive": "",
		"proxy-connection": "", "x-role": "r", "x-forwarded-for": "127.0.0.1"}, breaks: resets},
}

// names of parameters that look like what the proxies' files call other ones.
var names = []exchange{
	{host: "names.example.com", target: "/?a=1", backend: "plain"},
	{host: "names.example.com", target: "/?A=1", backend: "plain"},
	{host: "names.example.com", target: "/?a__2=1", backend: "h2c"},
	{host: "names.example.com", target: "/?A=1&a__2=2", backend: "plain"},
	{host: "names.example.com", target: "/?A=2&a__2=1", backend: "h2c"},
	{host: "names.example.com", target: "/?a=2&A_base64=1", backend: "h2c"},
	{host: "names.example.com", target: "/?a=2&a_base64=1", backend: "ws"},
	{host: "names.example.com", target: "/?a=3&A_base64=2", backend: "ws"},
}

// testHostless: a request without a host isn't sent to the host that its path has: "https:///a/b" is "https://a/b" to browsers.
func testHostless(t *testing.T, s *harness.Served) {
	for _, head := range []string{" HTTP/1.0", " HTTP/1.0\r\nHost: ", " HTTP/1.1\r\nHost: ", " HTTP/1.1\r\nHost: :80"} {
		conn, err := net.Dial("tcp", s.Request("gw/other", "", "").Address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(harness.DefaultTimeout))
		_, _ = io.WriteString(conn, "GET /evil.example/x"+head+"\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(conn)
		_ = conn.Close()
		if !strings.Contains(string(answer), " 400 ") || strings.Contains(strings.ToLower(string(answer)), "location") {
			t.Errorf("%q: got %q, %v", head, answer, err)
		}
	}
}
