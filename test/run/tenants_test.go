package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// breaking are templates of a team's own, by proxy, that work for everybody but the Service named bad: the error comes
// with that object, long after the start.
var breaking = map[string][3]string{
	"nginx": {"nginx/upstreams.conf.tmpl", "{{- range .Upstreams}}\n",
		`{{if eq .Service "Service default/bad port 50051"}}{{index .Servers 99}}{{end}}`},
	"haproxy": {"haproxy/backend.tmpl", "# {{.Comment}}\n", `{{if eq .Comment "Service default/bad port 50051"}}{{index .Servers 99}}{{end}}`},
}

// templates writes a folder with the one template, with something more behind the first text.
func templates(t *testing.T, name, behind, more string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "templates", name))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), behind, behind+more, 1)
	if changed == string(text) {
		t.Fatalf("%s has no %q", name, behind)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wideName is a header's name near the longest that the API has.
func wideName(match, header int) string {
	return fmt.Sprintf("x-%d-%d-%s", match, header, strings.Repeat("n", 228))
}

// wideRoute is a legal route of 28 kB: each of six matches has 16 headers with names of their own.
func wideRoute(name, service string) string {
	text := fmt.Sprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: %s}\nspec:\n  parentRefs: [{name: "+
		"gw}]\n  rules:\n  - matches:\n", name)
	for i := range 6 {
		text += "    - headers:\n"
		for j := range 16 {
			text += fmt.Sprintf("      - {name: %s, value: v%d}\n", wideName(i, j), j)
		}
	}
	return text + fmt.Sprintf("    backendRefs: [{name: %s, port: %d}]\n", service, port)
}

// TestTenants has a tenant that asks for more than fits and one whose object can't be rendered beside a good one, whose
// changes go on being applied: at the first start too. The culprit is named, once in the log, and heals.
func TestTenants(t *testing.T) {
	each(t, func(g *gateway) {
		b := breaking[g.proxy.Name]
		g.end()
		g.args = []string{"--templates", templates(g.T, b[0], b[1], b[2])}
		g.service("bad")
		g.write("route-bad", routeManifest("bad", "bad.Service", backend{"bad", 1}, backend{"first", 1}))
		g.write("route-wide", wideRoute("wide", "first"))
		g.start()
		g.ready()
		named := func() {
			g.Helper()
			g.status("name: bad", "the proxy refuses a backend of rule 0: ", "index out of range: 99")
		}
		named()
		g.answers("base.Service", "first")
		for i := range 5 {
			service := fmt.Sprintf("good%d.Service", i)
			g.route("good", service, backend{"first", 1})
			g.answers(service, "first")
			named()
		}
		call := g.baseCall()
		call.Path, call.Metadata = "/wide.Service/Method", metadata.MD{}
		for j := range 16 {
			call.Metadata.Append(wideName(5, j), fmt.Sprintf("v%d", j))
		}
		if r := g.client.Do(call); r.Backend() != "first" {
			g.Errorf("16 wide headers: %s %s", r.Backend(), r.Message)
		}
		call.Metadata.Set(wideName(5, 15), "other")
		if r := g.client.Do(call); r.Backend() != unimplemented {
			g.Errorf("15 wide headers and another: %s %s", r.Backend(), r.Message)
		}
		if n := g.metric(`gatewright_quarantined{kind="backend"}`); n != "1" {
			g.Errorf("%s backends are said to be left out, want 1", n)
		}
		if n := strings.Count(g.said(), "left out, for it can't be served"); n != 1 {
			g.Errorf("the log says %d times that one thing is left out", n)
		}
		g.write("route-bad", routeManifest("bad", "bad.Service", backend{"first", 1}))
		g.answers("bad.Service", "first")
		g.until("heal", func() error {
			if n := g.metric(`gatewright_quarantined{kind="backend"}`); n != "0" {
				return fmt.Errorf("%s backends are left out", n)
			}
			return nil
		})
	})
}
