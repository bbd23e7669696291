package nginx_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	run "github.com/gatewright/gatewright/runtime/nginx"
	"github.com/gatewright/gatewright/test/harness"
)

// teams is a team's own configuration: it sets in http{} much of what the include layout needs otherwise.
const teams = `pid p; error_log stderr;
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
`

func TestInclude(t *testing.T) {
	eachNginx(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("cart", 1)
		w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP,
			Scopes: []model.Scope{{Rules: []*model.Rule{w.rule(model.Match{}, to("cart"))}}}})
		marker := filepath.Join(harness.TempDir(t), "m")
		files := render(t, w.model, b.caps, generators.Options{Layout: generators.LayoutInclude, Folder: "mine", Marker: marker})
		for i := range files {
			files[i].Path = "mine/" + files[i].Path
		}
		files = append(files, generators.File{Path: "nginx.conf", Data: fmt.Appendf(nil, teams, w.address)})
		dir := write(t, files)
		if err := run.Validate(context.Background(), b.path, dir); err != nil {
			t.Fatal(err)
		}
		p := harness.Start(t, b.path, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off;")
		p.WaitListening(w.address+":8080", w.address+":8081")
		p.WaitAnswer(marker, "/generation", generationOf(t, files))
		call := w.call("/a.B/Get")
		call.Message = make([]byte, 2<<20)
		if r := harness.NewClient(t).Do(call); r.Backend() != "ns/cart" {
			t.Errorf("got %s %q", r.Backend(), r.Message)
		}
	})
}

// TestValidateSays: the error holds what nginx says.
func TestValidateSays(t *testing.T) {
	dir := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte("events {}\nhttp { nonsense on; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run.Validate(context.Background(), binaries(t)[0].path, dir)
	if err == nil || !strings.Contains(err.Error(), `unknown directive "nonsense"`) {
		t.Errorf("got %v", err)
	}
}

// TestDeepHostnames: a chain of scopes longer than nginx lets variables ask for each other.
func TestDeepHostnames(t *testing.T) {
	eachNginx(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("one", 1)
		scopes := []model.Scope{{Rules: []*model.Rule{w.rule(model.Match{Path: path("a.B", "Get")}, to("one"))}}}
		name := "z"
		for i := range 110 {
			header := []model.ValueMatch{{Name: "x-a", Value: "1"}}
			scopes = append(scopes, model.Scope{Hostname: "*." + name, Rules: []*model.Rule{
				w.rule(model.Match{Path: path("a.B", "Get"), Headers: header}),
				w.rule(model.Match{Path: model.Path{Kind: model.ServicePath, Service: fmt.Sprintf("s.S%d", i)}}),
				w.rule(model.Match{Path: model.Path{Kind: model.MethodPath, Method: fmt.Sprintf("M%d", i)}}),
				w.rule(model.Match{Headers: header}),
			}})
			name = "a." + name
		}
		w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: scopes})
		p := start(t, b, w.model)
		r := harness.NewClient(t).Do(host(w.call("/a.B/Get"), name))
		if r.Backend() != "ns/one" {
			t.Errorf("got %s %q", r.Backend(), r.Message)
		}
		if strings.Contains(p.Log(), "cycle") {
			t.Error("nginx gave up asking for variables")
		}
	})
}

// generationOf is the generation that files tell.
func generationOf(t *testing.T, files []generators.File) string {
	t.Helper()
	for _, f := range files {
		if _, rest, found := bytes.Cut(f.Data, []byte("# Generation ")); found {
			generation, _, _ := bytes.Cut(rest, []byte("\n"))
			return string(generation)
		}
	}
	t.Fatal("no file has a generation")
	return ""
}
