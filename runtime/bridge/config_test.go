package bridge

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const whole = `{
  "version": 1,
  "generation": "61c17514e042",
  "actions": {
    "r1": {
      "source": "GRPCRoute shop/cart, rule 1", "upstream": "cart", "mirrors": ["shadow", "cart"], "timeout": "30s",
      "retry": {"retries": 3, "on": ["refused-stream", "cancelled"], "perTry": "5s", "backoff": "10ms", "requestBytes": 1000,
        "budget": {"percent": 20, "perSecond": 5}}
    },
    "r2": {"upstream": "cart"}
  },
  "upstreams": {
    "cart": {"source": "Service shop/cart, port 50051", "endpoints": ["192.0.2.1:50051", "[2001:db8::1]:50051"]},
    "text": {"endpoints": [], "protocol": "HTTP/1.1"},
    "shadow": {"endpoints": []}
  }
}`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	r := c.Actions["r1"].Retry
	if r == nil || r.Retries != 3 || time.Duration(r.PerTry) != 5*time.Second || time.Duration(c.Actions["r1"].Timeout) != 30*time.Second {
		t.Errorf("got %+v", c)
	}
	if e := c.Upstreams["cart"].Endpoints; len(e) != 2 || e[1].String() != "[2001:db8::1]:50051" {
		t.Errorf("got %v", e)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(text); err != nil || again.Actions["r1"].Timeout != c.Actions["r1"].Timeout {
		t.Errorf("what was written reads as %+v, %v", again, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`"version": 1`, `"version": 2`, "version 2: this bridge reads version 1"},
		{`"version": 1,`, ``, "version 0"},
		{`{`, `[`, "not a configuration in JSON"},
		{`"timeout"`, `"timeuot"`, `unknown field "timeuot"`},
		{`"30s"`, `"30"`, "missing unit"},
		{`"30s"`, `"-1s"`, "less than nothing"},
		{`"upstream": "cart", "mirrors"`, `"upstream": "other", "mirrors"`, `actions["r1"].upstream: no upstream has the id "other"`},
		{`["shadow"`, `["light"`, `actions["r1"].mirrors[0]: no upstream has the id "light"`},
		{`"retries": 3`, `"retries": 0`, `actions["r1"].retry.retries: want 1 to 100`},
		{`["refused-stream", "cancelled"]`, `[]`, `actions["r1"].retry.on: name at least one condition`},
		{`"cancelled"`, `"canceled"`, `actions["r1"].retry.on[1]: there is no condition "canceled"`},
		{`"requestBytes": 1000`, `"requestBytes": 1000000000`, "requestBytes"},
		{`"percent": 20`, `"percent": -1`, "budget"},
		{`192.0.2.1:50051`, `cart:50051`, `ParseAddr("cart")`},
		{`192.0.2.1:50051`, `192.0.2.1:0`, `upstreams["cart"].endpoints[0]: want an address and a port`},
		{`{"endpoints": []}`, `{"endpoints": [], "protocol": "h2c"}`, `upstreams["shadow"].protocol: want "HTTP/1.1", or none`},
		{`"endpoints": ["192`, `"protocol": "HTTP/1.1", "endpoints": ["192`, `actions["r1"].retry: its conditions are gRPC's, and upstream "cart"`},
		{`{"upstream": "cart"}`, `{"upstream": "text", "web": true}`, `actions["r2"].web: it makes calls of gRPC, and upstream "text" speaks HTTP/1.1`},
		{`"r2"`, `"r2 "`, "a header's value"},
		{`"r2"`, `""`, "1 to 256 bytes"},
	} {
		text := strings.Replace(whole, c.from, c.to, 1)
		if text == whole {
			t.Fatalf("%s isn't there", c.from)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
	if _, err := Parse([]byte(whole + "{}")); err == nil {
		t.Error("two configurations are taken")
	}
}

// FuzzParse reads any text; what is taken can be made a table of, and reads the same when it is written.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"version":1,"actions":{"a":{"upstream":"u","retry":{"retries":1,"on":["internal"]}}},"upstreams":{"u":{}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		(&Bridge{}).newTable(c, "", &table{})
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}

func TestTimeouts(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1n": 1, "300m": 300 * time.Millisecond, "99999999u": 99999999 * time.Microsecond,
		"1S": time.Second, "2M": 2 * time.Minute, "3H": 3 * time.Hour,
		"99999999H": longest, "0m": 0,
	} {
		if got, ok := parseTimeout(text); !ok || got != want {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "m", "1", "1x", "-1m", "+1m", "1 m", "123456789m", "1.5S"} {
		if got, ok := parseTimeout(text); ok {
			t.Errorf("%s is read as %s", text, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "1u", 1500 * time.Microsecond: "1500u", 30 * time.Second: "30000000u", 300 * time.Second: "300000m", 40 * time.Hour: "144000S",
		longest: "52560000M",
	} {
		if got := formatTimeout(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}
