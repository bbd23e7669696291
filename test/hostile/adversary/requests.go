package adversary

import "strings"

// Openers are requests that ask for a tunnel or for another protocol, in HTTP/2: fields in turn.
var Openers = map[string][]string{
	"CONNECT":             {":method", "CONNECT", ":authority", "a.example.com:443"},
	"CONNECT with a path": {":method", "CONNECT", ":authority", "a.example.com", ":path", "/s.A/Get", ":scheme", "http"},
	"a WebSocket": {":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/s.A/Get", ":authority",
		"a.example.com", "sec-websocket-version", "13"},
	"connect-udp": {":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "http", ":path", "/s.A/Get",
		":authority", "a.example.com"},
	"TRACE": {":method", "TRACE", ":scheme", "http", ":path", "/s.A/Get", ":authority", "a.example.com"},
	"upgrade": {":method", "POST", ":scheme", "http", ":path", "/s.A/Get", ":authority", "a.example.com", "upgrade",
		"websocket"},
	"connection and upgrade": {":method", "POST", ":scheme", "http", ":path", "/s.A/Get", ":authority", "a.example.com",
		"connection", "upgrade", "upgrade", "h2c"},
	"CONNECT with an empty :protocol": {":method", "CONNECT", ":protocol", "", ":scheme", "http", ":path", "/s.A/Get", ":authority",
		"a.example.com"},
}

// Openers1 are such requests in HTTP/1.1.
var Openers1 = map[string]string{
	"CONNECT":             "CONNECT a.example.com:443 HTTP/1.1\r\nHost: a.example.com:443\r\n\r\n",
	"CONNECT with a path": "CONNECT /s.A/Get HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
	"TRACE":               "TRACE /s.A/Get HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
	"a WebSocket": "GET /s.A/Get HTTP/1.1\r\nHost: a.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: " +
		"13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	"h2c": "GET /s.A/Get HTTP/1.1\r\nHost: a.example.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: " +
		"AAMAAABkAAQAAP__\r\n\r\n",
	"h2c, and upper case": "POST /s.A/Get HTTP/1.1\r\nHost: a.example.com\r\nConnection: UPGRADE, HTTP2-SETTINGS\r\nUPGRADE: " +
		"H2C\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" +
		"Content-Length: 0\r\n\r\n",
	"two protocols": "GET /s.A/Get HTTP/1.1\r\nHost: a.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: " +
		"h2c\r\n\r\n",
	"without a connection": "GET /s.A/Get HTTP/1.1\r\nHost: a.example.com\r\nUpgrade: websocket\r\n\r\n",
}

// Spoilt are headers that HTTP/2 or gRPC forbids, and that some clients can send all the same.
var Spoilt = []struct{ Name, Value string }{
	{"x{y", "v"}, {"x y", "v"}, {"x:y", "v"}, {"x(y)", "v"}, {"x@y", "v"}, {"x\x01y", "v"}, {"x\x7fy", "v"}, {"x\xe9y", "v"},
	{"X-Upper", "v"}, {"", "v"},
	{"x-v", "a\x01b"}, {"x-v", "a\x7fb"}, {"x-v", "a\x00b"}, {"x-v", "a\rb"}, {"x-v", "a\nb"}, {"connection", "close"}, {"te", "gzip"},
}

// Expression is a regular expression under a name, with a value that it can't be done with soon.
type Expression struct{ Name, Regex, Value string }

// Costly are expressions that can match a text in many ways, each with a value that costs it most: nested repetitions;
// many ways to the front of a long scan, forward only, and forward and back; alternatives; counted repetitions.
var Costly = []Expression{
	{"scans", `.*a.*a.*a.*a.*b`, strings.Repeat("a", 120) + "bc"},
	{"nested", `(a*)*b`, strings.Repeat("a", 900) + "bc"},
	{"optional", strings.Repeat("a?", 12) + `.*c[ab]c`, strings.Repeat("a", 900) + "bcb!"},
	{"forward", strings.Repeat("(a[ab]|[ac]a)", 12) + `a*[0-9]`, strings.Repeat("a", 900) + "!"},
	{"counted", `a{0,200}a{0,200}a{0,200}.*b[^!]`, strings.Repeat("a", 900) + "b!"},
	{"long", strings.Repeat("a?", 12) + `.*c[ab]c`, strings.Repeat("a", 4090) + "bcb!"},
}
