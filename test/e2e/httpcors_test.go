package e2e

import "github.com/gatewright/gatewright/test/harness"

const corsHost = "cors.example.com"

// preflight is what a browser asks before a request of another site's page, simple what it says with one.
func preflight(origin, method string, headers string) harness.Fields {
	f := harness.Fields{"origin", origin, "access-control-request-method", method}
	if headers != "" {
		f = append(f, "access-control-request-headers", headers)
	}
	return f
}

// simple has a backend say things of its own too, which are the proxy's to say.
func simple(origin string) harness.Fields {
	return harness.Fields{"origin", origin, harness.AskHeader, "access-control-allow-origin=https://evil.example",
		harness.AskHeader, "access-control-allow-credentials=true", harness.AskHeader, "access-control-expose-headers=x-secret",
		harness.AskHeader, "vary=Accept"}
}

// allowed is what a preflight request is answered, in turn: origin, methods, headers, what is exposed, age, credentials.
func allowed(values ...string) map[string]string {
	return map[string]string{"access-control-allow-origin": values[0], "access-control-allow-methods": values[1],
		"access-control-allow-headers": values[2], "access-control-max-age": values[3], "access-control-allow-credentials": values[4]}
}

// refused is an answer that says nothing of CORS.
var refused = map[string]string{"access-control-allow-origin": "", "access-control-allow-methods": "", "access-control-allow-headers": "",
	"access-control-max-age": "", "access-control-allow-credentials": "", "access-control-expose-headers": ""}

func ask(path, origin, method, headers string, says map[string]string) exchange {
	return exchange{host: corsHost, method: "OPTIONS", target: path, headers: preflight(origin, method, headers), or: 204, says: says}
}

func get(path, origin, backend string, says map[string]string) exchange {
	return exchange{host: corsHost, target: path, headers: simple(origin), backend: backend, says: says}
}

func listed(origin string) map[string]string {
	return allowed(origin, "GET, OPTIONS", "x-header-1, x-header-2", "3600", "true")
}

func shared(origin, credentials, expose, vary string) map[string]string {
	return map[string]string{"access-control-allow-origin": origin, "access-control-allow-credentials": credentials,
		"access-control-expose-headers": expose, "vary": vary}
}

var cors = []exchange{
	ask("/list", "https://www.foo.com", "GET", "x-header-1", listed("https://www.foo.com")),
	ask("/list", "https://WWW.Foo.com", "PUT", "", listed("https://WWW.Foo.com")),
	ask("/list/more?q", "https://www.bar.com", "GET", "", listed("https://www.bar.com")),
	ask("/list", "https://a.b.bar.com", "GET", "", listed("https://a.b.bar.com")),
	ask("/list", "http://port.com:8080", "GET", "", listed("http://port.com:8080")),
	ask("/list", "https://x.port.com:8443", "GET", "", listed("https://x.port.com:8443")),
	ask("/list", "https://foobar.com", "GET", "", refused),
	ask("/list", "https://bar.com", "GET", "", refused),
	ask("/list", "http://www.foo.com", "GET", "", refused),
	ask("/list", "https://www.foo.com:8443", "GET", "", refused),
	ask("/list", "https://www.foo.com.evil.example", "GET", "", refused),
	ask("/list", "https://evil.example/www.bar.com", "GET", "", refused),
	ask("/list", "https://evil.example:443.bar.com", "GET", "", refused),
	ask("/list", "https://xbar.com", "GET", "", refused),
	ask("/list", "https://wwwxfoo.com", "GET", "", refused),
	ask("/list", "null", "GET", "", refused),
	get("/list", "https://www.foo.com", "plain", shared("https://www.foo.com", "true", "x-header-3, x-header-4", "Accept, Origin")),
	get("/list", "https://evil.example", "plain", refused),
	{host: corsHost, target: "/list", headers: harness.Fields{harness.AskHeader, "access-control-allow-origin=*"}, backend: "plain",
		says: refused},
	// An OPTIONS that isn't a preflight request is the backend's.
	{host: corsHost, method: "OPTIONS", target: "/list", headers: harness.Fields{"origin", "https://www.foo.com"}, backend: "plain"},
	{host: corsHost, method: "OPTIONS", target: "/list", backend: "plain"},
	ask("/any", "https://a.example", "DELETE", "x-a, x-b", allowed("* or https://a.example", "* or DELETE", "* or x-a, x-b", "5", "")),
	get("/any", "https://a.example", "plain", map[string]string{"access-control-allow-origin": "* or https://a.example",
		"access-control-allow-credentials": "", "access-control-expose-headers": "*"}),
	ask("/credentials", "https://a.example", "DELETE", "x-a, x-b", allowed("https://a.example", "DELETE", "x-a, x-b", "5", "true")),
	ask("/credentials", "https://a.example", "PUT", "", allowed("https://a.example", "PUT", "", "5", "true")),
	get("/credentials", "https://a.example", "h2c", map[string]string{"access-control-allow-origin": "https://a.example",
		"access-control-allow-credentials": "true", "access-control-expose-headers": "x-a"}),
	// The port that a scheme has anyway is none.
	get("/ports", "https://own.com", "plain", shared("https://own.com", "", "", "Accept, Origin")),
	get("/ports", "https://OWN.com:443", "plain", shared("https://OWN.com:443", "", "", "Accept, Origin")),
	get("/ports", "http://own.com:443", "plain", shared("http://own.com:443", "", "", "Accept, Origin")),
	get("/ports", "http://a.own.com", "plain", shared("http://a.own.com", "", "", "Accept, Origin")),
	get("/ports", "http://a.own.com:80", "plain", shared("http://a.own.com:80", "", "", "Accept, Origin")),
	get("/ports", "https://a.b:8443", "plain", shared("https://a.b:8443", "", "", "Accept, Origin")),
	get("/ports", "https://own.com:80", "plain", refused),
	get("/ports", "http://own.com", "plain", refused),
	get("/ports", "http://a.own.com:443", "plain", refused),
	get("/ports", "https://a.own.com:443:443", "plain", refused),
	get("/ports", "https://a.b", "plain", refused),
	{host: corsHost, target: "/broken", headers: harness.Fields{"origin", "https://www.foo.com"}, status: 500,
		text: "Service default/missing"},
	// A preflight request is an OPTIONS, which a rule for another method doesn't see.
	{host: corsHost, method: "OPTIONS", target: "/get", headers: preflight("https://www.foo.com", "GET", ""), backend: "plain", says: refused},
	// Without the filter it is the backend's.
	{host: corsHost, target: "/", headers: simple("https://a.example"), backend: "plain",
		says: shared("https://evil.example", "true", "x-secret", "Accept")},
}
