package pipeline

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

const manifests = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  gatewayClassName: any
  listeners:
  - {name: grpc, protocol: HTTP, port: 8080}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: reviews, namespace: default}
spec:
  parentRefs: [{name: shop}]
  rules:
  - backendRefs: [{name: reviews, port: 50051}]
`

var (
	usual  = nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3})
	source = Source{Filenames: []string{"-"}, Backends: translate.BackendsEndpoints, ClusterDomain: "cluster.local"}
)

func stated() (model.Capabilities, string, error) { return usual, "a usual version", nil }

func TestRead(t *testing.T) {
	r, err := Read(source, strings.NewReader(manifests), stated)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Translated.HasGateways() || len(r.Notes) == 0 || r.Notes[0] != "a usual version" {
		t.Errorf("notes %q", r.Notes)
	}
	files, err := r.Render(nginx.New(generators.Options{}).Render)
	if err != nil || len(files) == 0 || len(r.Served.Gateways) != 1 || len(r.LeftOut) != 0 {
		t.Errorf("%d files, %d Gateways, left out %v, error %v", len(files), len(r.Served.Gateways), r.LeftOut, err)
	}
	if refused := r.Refused(); len(refused) != 1 || refused[0].Reason != "BackendNotFound" {
		t.Errorf("refused: %+v", refused)
	}
	var steps []string
	for _, s := range r.Steps {
		steps = append(steps, s.Name)
	}
	if got := strings.Join(steps, " "); got != "load translate render" {
		t.Errorf("steps: %s", got)
	}
}

// TestSummary: a person and a machine are told the same.
func TestSummary(t *testing.T) {
	r, err := Read(source, strings.NewReader(manifests), stated)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Render(nginx.New(generators.Options{}).Render); err != nil {
		t.Fatal(err)
	}
	var text, events strings.Builder
	r.Summary(&text, "All is done.", true)
	r.Log(slog.New(slog.NewJSONHandler(&events, nil)), "All is done.")
	for _, want := range []string{
		"For nginx 1.26.3\n", "  Gateway default/shop\n    grpc  HTTP  *:8080  any host  1 route, 1 rule\n", "a usual version",
		"GRPCRoute default/reviews, parentRef Gateway default/shop: ResolvedRefs (BackendNotFound)\n", "\nAll is done.\nTook load ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	for _, want := range []string{
		`"event":"served"`, `"port":8080`, `"event":"note"`, `"event":"refused"`, `"reason":"BackendNotFound"`, `"msg":"All is done."`,
	} {
		if !strings.Contains(events.String(), want) {
			t.Errorf("no %s in\n%s", want, events.String())
		}
	}
}

func TestReadFails(t *testing.T) {
	if _, err := Read(Source{}, nil, stated); err == nil || !strings.Contains(err.Error(), "no manifests") {
		t.Errorf("no manifests: %v", err)
	}
	if _, err := Read(source, strings.NewReader("kind: ["), stated); err == nil || !strings.Contains(err.Error(), "stdin") {
		t.Errorf("no YAML: %v", err)
	}
	unknown := errors.New("no such binary")
	ask := func() (model.Capabilities, string, error) { return model.Capabilities{}, "", unknown }
	_, err := Read(source, strings.NewReader(manifests), ask)
	if !errors.Is(err, unknown) {
		t.Errorf("no proxy: %v", err)
	}
}

// TestFollower: a file with errors counts as it was, and is named.
func TestFollower(t *testing.T) {
	file := filepath.Join(t.TempDir(), "in.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := source
	s.Filenames = []string{file}
	f := NewFollower(s, func() []netip.Addr { return nil })
	for _, c := range []struct {
		text     string
		problems int
		port     int32
	}{{manifests, 0, 8080}, {"kind: [", 1, 8080}, {strings.Replace(manifests, "8080", "8081", 1), 0, 8081}} {
		write(c.text)
		r, err := f.Read(nil, usual)
		if err != nil || len(r.Problems) != c.problems || len(r.Translated.Gateways.Gateways) != 1 {
			t.Fatalf("%q: %v, problems %v", c.text, err, r.Problems)
		}
		if got := r.Translated.Gateways.Gateways[0].Listeners[0].Port; got != c.port {
			t.Errorf("port %d, want %d", got, c.port)
		}
	}
	if f.Concerns(map[string]bool{filepath.Join(filepath.Dir(file), ".draft"): true}) {
		t.Error("an editor's draft is among the manifests")
	}
}
