package haproxy_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
	run "github.com/gatewright/gatewright/runtime/haproxy"
	"github.com/gatewright/gatewright/test/harness"
)

// binary is an HAProxy to test with.
type binary struct {
	path string
	caps model.Capabilities
}

// eachHAProxy runs a test with every HAProxy of test/proxies.sh.
func eachHAProxy(t *testing.T, test func(*testing.T, binary)) {
	t.Helper()
	for _, b := range binaries(t) {
		t.Run(b.caps.Version.String(), func(t *testing.T) { test(t, b) })
	}
}

func binaries(t testing.TB) []binary {
	t.Helper()
	out, err := exec.Command("../../test/proxies.sh", "--list").Output()
	if err != nil {
		t.Fatalf("test/proxies.sh --list: %v", err)
	}
	var all []binary
	for _, path := range strings.Fields(string(out)) {
		if filepath.Base(path) != "haproxy" {
			continue
		}
		caps, err := run.Capabilities(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, binary{path, caps})
	}
	if len(all) == 0 {
		t.Fatalf("test/proxies.sh --list names no haproxy")
	}
	return all
}

// write puts rendered files in a folder.
func write(t testing.TB, files []generators.File) string {
	t.Helper()
	dir := harness.TempDir(t)
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// render renders a model in the full layout, twice: the bytes have to be the same.
func render(t testing.TB, g model.Gateways, caps model.Capabilities, o generators.Options) []generators.File {
	t.Helper()
	files, err := haproxy.New(o).Render(g, caps)
	if err != nil {
		t.Fatal(err)
	}
	again, err := haproxy.New(o).Render(g, caps)
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if string(files[i].Data) != string(again[i].Data) {
			t.Fatalf("%s differs between two renderings", files[i].Path)
		}
	}
	return files
}

// start renders a model, as one that can be changed while it runs, and runs HAProxy with it.
func start(t testing.TB, b binary, g model.Gateways) *harness.Process {
	t.Helper()
	return startWith(t, b, g, generators.Options{Marker: filepath.Join(harness.TempDir(t), "m")})
}

func startWith(t testing.TB, b binary, g model.Gateways, o generators.Options) *harness.Process {
	t.Helper()
	dir := write(t, render(t, g, b.caps, o))
	if err := run.Validate(context.Background(), b.path, dir); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, b.path, "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	for _, port := range matching.Compile(g).Ports {
		for _, a := range port.Addresses {
			p.WaitListening(net.JoinHostPort(a, itoa(int(port.Port))))
		}
	}
	return p
}
