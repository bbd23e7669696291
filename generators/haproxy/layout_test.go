package haproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	run "github.com/gatewright/gatewright/runtime/haproxy"
	"github.com/gatewright/gatewright/test/harness"
)

// teams is a team's own configuration, with defaults that would not suit gRPC.
const teams = `global
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
`

func TestInclude(t *testing.T) {
	eachHAProxy(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("cart", 1)
		w.listener(model.Listener{Name: "l", Port: 8080, Protocol: model.HTTP,
			Scopes: []model.Scope{{Rules: []*model.Rule{w.rule(model.Match{}, to("cart"))}}}})
		marker := filepath.Join(harness.TempDir(t), "m")
		files := render(t, w.model, b.caps, generators.Options{Layout: generators.LayoutInclude, Folder: "mine", Marker: marker})
		generation := ""
		for i := range files {
			if _, rest, ok := bytes.Cut(files[i].Data, []byte("# Generation ")); ok {
				generation = string(rest[:64])
			}
			files[i].Path = "mine/" + files[i].Path
		}
		files = append(files, generators.File{Path: "haproxy.cfg", Data: fmt.Appendf(nil, teams, w.address)})
		dir := write(t, files)
		p := harness.Start(t, "sh", "-c", `cd "$1" && exec "$2" -db -f haproxy.cfg -f mine/haproxy.cfg`, "sh", dir, b.path)
		p.WaitListening(w.address+":8080", w.address+":8081")
		p.WaitAnswer(marker, "/generation", generation)
		call := w.call("/a.B/Get")
		call.Message = make([]byte, 2<<20)
		if r := harness.NewClient(t).Do(call); r.Backend() != "ns/cart" {
			t.Errorf("got %s %q", r.Backend(), r.Message)
		}
	})
}

// TestMoves: a rendered folder can be moved, started from anywhere, and warns of nothing.
func TestMoves(t *testing.T) {
	g := small(t)
	pair := harness.Certificate(t, "shop.example.com")
	g.KeyPairs[0].Certificate, g.KeyPairs[0].Key = pair.Certificate, pair.Key
	g.Clusters[1].Endpoints[0].Address = "localhost"
	eachHAProxy(t, func(t *testing.T, b binary) {
		from := write(t, render(t, g, b.caps, generators.Options{Marker: "/tmp/m"}))
		dir := filepath.Join(harness.TempDir(t), "moved")
		if err := os.Rename(from, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(from, 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(b.path, "-c", "-f", filepath.Join(dir, "haproxy.cfg")).CombinedOutput()
		if err != nil || strings.Contains(string(out), "WARNING") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

// TestValidateSays: the error holds what HAProxy says.
func TestValidateSays(t *testing.T) {
	dir := harness.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "haproxy.cfg"), []byte("global\n    nonsense on\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run.Validate(context.Background(), binaries(t)[0].path, dir)
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
}
