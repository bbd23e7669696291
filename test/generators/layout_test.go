package generators_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// teams is a team's own configuration beside which the folder "mine" is served.
type teams struct {
	// text has a place for the address of its own server, at port 8081.
	text string
	// start runs a proxy with both, from the folder where they are.
	start func(t *testing.T, p harness.Proxy, dir string) *harness.Process
}

// nginxTeams sets in http{} much of what the include layout needs otherwise.
var nginxTeams = teams{
	text: `pid p; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; scgi_temp_path d; uwsgi_temp_path e;
    client_max_body_size 1m; keepalive_timeout 10s; grpc_read_timeout 5s; merge_slashes on; server_tokens on;
    client_body_timeout 5s; send_timeout 5s; keepalive_requests 10; error_page 502 /50x.html;
    add_header x-team yes; grpc_set_header x-team yes; underscores_in_headers off; large_client_header_buffers 4 8k;
    include mine/hash.conf;
    include mine/http.conf;
    upstream cart { server 127.0.0.1:1; }
    map $host $route { default x; }
    server { listen %s:8081; location / { return 204; } }
}
`,
	start: func(t *testing.T, p harness.Proxy, dir string) *harness.Process {
		t.Helper()
		if err := p.Validate(context.Background(), p.Binary, dir); err != nil {
			t.Fatal(err)
		}
		return harness.Start(t, p.Binary, p.Run(dir)...)
	},
}

// haproxyTeams has defaults that would not suit gRPC.
var haproxyTeams = teams{
	text: `global
    maxconn 1000
defaults
    mode tcp
    timeout client 1s
    timeout server 1s
    timeout connect 1s
    option httpclose
frontend own
    mode http
    bind %s:8081
    http-request return status 204
backend cart
    server s 127.0.0.1:1
`,
	start: func(t *testing.T, p harness.Proxy, dir string) *harness.Process {
		t.Helper()
		return harness.Start(t, "sh", "-c", `cd "$1" && exec "$2" -db -f haproxy.cfg -f mine/haproxy.cfg`, "sh", dir, p.Binary)
	},
}

func TestInclude(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("cart", 1)
		w.Serve(model.Scope{Rules: []*model.Rule{w.Rule(model.Match{}, world.To("cart"))}})
		marker := filepath.Join(harness.TempDir(t), "m")
		files := world.Render(t, s.new, generators.Options{Layout: generators.LayoutInclude, Folder: "mine", Marker: marker}, w.Model,
			p.Capabilities)
		for i := range files {
			files[i].Path = "mine/" + files[i].Path
		}
		dir := world.Write(t, append(files, generators.File{Path: p.ConfigFile, Data: fmt.Appendf(nil, s.teams.text, w.Address)}))
		process := s.teams.start(t, p, dir)
		process.WaitListening(w.Address+":8080", w.Address+":8081")
		process.WaitAnswer(marker, "/generation", p.Generation(t, filepath.Join(dir, "mine")))
		call := w.Call("/a.B/Get")
		call.Message = make([]byte, 2<<20)
		if r := harness.NewClient(t).Do(call); r.Backend() != "ns/cart" {
			t.Errorf("got %s %q", r.Backend(), r.Message)
		}
	})
}

// TestValidateSays: the error holds what the proxy says.
func TestValidateSays(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		dir := world.Write(t, []generators.File{{Path: p.ConfigFile, Data: []byte(s.nonsense)}})
		err := p.Validate(context.Background(), p.Binary, dir)
		if err == nil || !strings.Contains(err.Error(), s.nonsenseSays) {
			t.Errorf("got %v", err)
		}
	})
}
