package follow

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
	"github.com/gatewright/gatewright/runtime/proxies"
	"github.com/gatewright/gatewright/runtime/serve"
	"github.com/gatewright/gatewright/test/harness"
)

const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  gatewayClassName: any
  addresses: [{value: 127.0.0.1}]
  listeners:
  - {name: grpc, protocol: HTTP, port: 8080}
`

// agreeing is a proxy for dry runs that refuses nothing.
type agreeing struct{ proxies.Runner }

func (agreeing) Generation(files []generators.File) (string, error) { return "one", nil }
func (agreeing) Validate(context.Context, string) error             { return nil }
func (agreeing) Shutdown(context.Context) error                     { return nil }
func (agreeing) Close() error                                       { return nil }

// newEngine is an engine for dry runs in a folder, which answers at service.sock there.
func newEngine(t *testing.T, dir string, log *slog.Logger) *serve.Engine {
	t.Helper()
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3})
	e, err := serve.New(t.Context(), serve.Options{
		Kind: &proxies.Kind{
			Name: "agreeing", Marker: "marker.sock",
			Generator: func(o generators.Options) generators.Generator { return nginx.New(o) },
			Asked:     func(context.Context, string) (model.Capabilities, error) { return caps, nil },
			Run:       func(proxies.Options) (*proxies.Runtime, error) { return &proxies.Runtime{Runner: agreeing{}}, nil },
		},
		Binary: "agreeing", DryRun: true, Drain: time.Second, State: serve.State{Dir: filepath.Join(dir, "state"), Keep: 3},
		Serving: proxies.Serving{MaxStreams: limits.Default.Streams}, Listen: "unix:" + filepath.Join(dir, "service.sock"), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestManifests: statuses of good manifests are in the state folder, and so is what is wrong with them now.
func TestManifests(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "in.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(gateway)
	e := newEngine(t, dir, slog.New(slog.DiscardHandler))
	signals, ended := make(chan os.Signal, 1), make(chan error, 1)
	go func() {
		ended <- Manifests(context.Background(), e, pipeline.Source{Filenames: []string{file}, Backends: translate.BackendsEndpoints},
			func() (<-chan os.Signal, func()) { return signals, func() {} })
	}()
	await := func(want string) {
		t.Helper()
		harness.Until(t, "write the status", harness.DefaultTimeout, func() error {
			text, err := os.ReadFile(filepath.Join(dir, "state", pipeline.StatusFile))
			if err == nil && !strings.Contains(string(text), want) {
				err = fmt.Errorf("no %q in\n%s", want, text)
			}
			return err
		}, func() string { return "" })
	}
	await("name: shop")
	write("kind: [")
	await("# Some manifests have errors.")
	await("name: shop")
	signals <- syscall.SIGTERM
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestTouched(t *testing.T) {
	var touched touched
	if files := touched.take(); files != nil {
		t.Errorf("at first: %v", files)
	}
	touched.add(map[string]bool{"a": true})
	touched.add(map[string]bool{"b": true})
	if files := touched.take(); len(files) != 2 {
		t.Errorf("two of them: %v", files)
	}
	touched.add(nil)
	touched.add(map[string]bool{"a": true})
	if files := touched.take(); files != nil {
		t.Errorf("any of them: %v", files)
	}
}
