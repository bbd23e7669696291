package world

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// Proxies are all of one kind that test/proxies.sh lists; there is at least one.
func Proxies(t testing.TB, kind string) []harness.Proxy {
	t.Helper()
	all := slices.DeleteFunc(harness.Proxies(t), func(p harness.Proxy) bool { return p.Name != kind })
	if len(all) == 0 {
		t.Fatalf("test/proxies.sh --list names no %s", kind)
	}
	return all
}

// Each runs a test with every proxy of a kind.
func Each(t *testing.T, kind string, test func(*testing.T, harness.Proxy)) {
	t.Helper()
	for _, p := range Proxies(t, kind) {
		t.Run(p.String(), func(t *testing.T) { test(t, p) })
	}
}

// Render renders a model twice: the bytes have to be the same.
func Render(t testing.TB, with func(generators.Options) generators.Generator, o generators.Options, g model.Gateways,
	caps model.Capabilities) []generators.File {
	t.Helper()
	files, err := with(o).Render(g, caps)
	if err != nil {
		t.Fatal(err)
	}
	again, err := with(o).Render(g, caps)
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

// Write puts rendered files in a folder.
func Write(t testing.TB, files []generators.File) string {
	t.Helper()
	dir := harness.TempDir(t)
	WriteTo(t, dir, files)
	return dir
}

// WriteTo puts rendered files where others may be.
func WriteTo(t testing.TB, dir string, files []generators.File) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Start renders the model in the full layout and runs a proxy with it. HAProxy gets what it needs to be changed while it
// runs, which changes what is rendered for it.
func (w *World) Start(p harness.Proxy) *harness.Process {
	w.t.Helper()
	var o generators.Options
	if p.Name == "haproxy" {
		o.Marker = filepath.Join(harness.TempDir(w.t), "m")
	}
	dir := Write(w.t, Render(w.t, p.Generator, o, w.Model, p.Capabilities))
	if err := p.Validate(context.Background(), p.Binary, dir); err != nil {
		w.t.Fatal(err)
	}
	process := harness.Start(w.t, p.Binary, p.Run(dir)...)
	for _, port := range matching.Compile(w.Model).Ports {
		for _, a := range port.Addresses {
			process.WaitListening(net.JoinHostPort(a, strconv.Itoa(int(port.Port))))
		}
	}
	return process
}
