package resources

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares a text with a file under testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// report is what Load has to say of one text.
func report(t *testing.T, text []byte) string {
	t.Helper()
	snapshot, notes, err := Load([]string{"-"}, bytes.NewReader(text))
	if (snapshot == nil) != (err != nil) {
		t.Errorf("snapshot %v with error %v", snapshot, err)
	}
	var b strings.Builder
	for _, n := range notes {
		b.WriteString("note: " + n.String() + "\n")
	}
	if err != nil {
		b.WriteString("error: " + strings.ReplaceAll(err.Error(), "\n", "\nerror: ") + "\n")
	}
	return b.String()
}

// TestMessages loads each file of testdata/messages and compares what is said with the .txt beside it.
func TestMessages(t *testing.T) {
	inputs, err := filepath.Glob("testdata/messages/*.in")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			text, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(input, ".in")+".txt", report(t, text))
		})
	}
}

// moduleDir is the folder of the gateway-api module that this module uses.
func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestCRDsAreTheModules(t *testing.T) {
	entries, err := crds.ReadDir("crds")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		ours, err := crds.ReadFile("crds/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.ReadFile(filepath.Join(moduleDir(t), "config/crd/experimental", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours, theirs) {
			t.Errorf("%s differs from the module's: copy it again", e.Name())
		}
	}
}

// TestOlderVersionsHaveTheSameSchema holds what newSchema relies on: that v1's schema is right for the older versions.
func TestOlderVersionsHaveTheSameSchema(t *testing.T) {
	for _, k := range kinds() {
		for version := range k.accepted {
			if k.kind == "GRPCRoute" {
				continue // The CRD serves v1 alone.
			}
			text, err := crds.ReadFile("crds/gateway.networking.k8s.io_" + k.resource + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			current, err := crdSchema(text, "v1")
			if err != nil {
				t.Fatal(err)
			}
			older, err := crdSchema(text, version)
			if err != nil {
				t.Fatal(err)
			}
			current.Description, older.Description = "", ""
			if diff := cmp.Diff(current, older); diff != "" {
				t.Errorf("%s %s (-v1 +%s):\n%s", k.kind, version, version, diff)
			}
		}
	}
}

// TestFastCheckServesUsualObjects holds the reason for the fast check: usual objects never need the slow one.
func TestFastCheckServesUsualObjects(t *testing.T) {
	table := newKindTable()
	docs, _ := split("many", manyRules(2, 3))
	for _, d := range docs {
		loaded := loadDocument(table, d)
		if len(loaded.problems) > 0 {
			t.Fatal(loaded.problems)
		}
		tree, _ := decode(d)
		content := tree.value.(map[string]any)
		kind := loaded.objects[0].kind
		if kind.resource == "" {
			continue
		}
		s, err := kind.schema()
		if err != nil {
			t.Fatal(err)
		}
		s.setDefaults(content)
		if !s.fast.valid(content) {
			t.Errorf("%s: the fast check is not sure", loaded.objects[0].id)
		}
	}
}

func TestModuleExamples(t *testing.T) {
	root := moduleDir(t)
	count := 0
	for _, channel := range []string{"standard", "experimental"} {
		err := filepath.WalkDir(filepath.Join(root, "examples", channel), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			count++
			name, _ := filepath.Rel(root, path)
			_, _, loadErr := Load([]string{path}, nil)
			got := ""
			if loadErr != nil {
				got = strings.ReplaceAll(loadErr.Error(), path, "FILE")
			}
			if got != refusedExamples[name] {
				t.Errorf("%s:\n%s", name, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if count < 80 {
		t.Errorf("only %d examples", count)
	}
}

// refusedExamples are the module's examples that its own CRDs refuse.
var refusedExamples = map[string]string{}

func TestDefaults(t *testing.T) {
	s, _, err := Load([]string{"-"}, strings.NewReader(`
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: r}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: S}, headers: [{name: a, value: b}]}]
    backendRefs: [{name: s, port: 1}]
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: apps}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {a: eA==, b: eQ==}
stringData: {b: z}
---
apiVersion: v1
kind: Namespace
metadata: {name: apps}
`))
	if err != nil {
		t.Fatal(err)
	}
	route := s.GRPCRoutes[0]
	rule := route.Spec.Rules[0]
	parent, backend, match := route.Spec.ParentRefs[0], rule.BackendRefs[0], rule.Matches[0]
	service, secret := s.Services[0], s.Secrets[0]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"namespace", route.Namespace, "default"},
		{"generation", route.Generation, int64(1)},
		{"parent group", *parent.Group, gatewayv1.Group(gatewayv1.GroupName)},
		{"parent kind", *parent.Kind, gatewayv1.Kind("Gateway")},
		{"method type", *match.Method.Type, gatewayv1.GRPCMethodMatchExact},
		{"header type", *match.Headers[0].Type, gatewayv1.GRPCHeaderMatchExact},
		{"backend kind", *backend.Kind, gatewayv1.Kind("Service")},
		{"weight", *backend.Weight, int32(1)},
		{"protocol", string(service.Spec.Ports[0].Protocol), "TCP"},
		{"targetPort", service.Spec.Ports[0].TargetPort.IntValue(), 80},
		{"secret a", string(secret.Data["a"]), "x"},
		{"secret b", string(secret.Data["b"]), "z"},
		{"namespace label", s.Namespaces[0].Labels["kubernetes.io/metadata.name"], "apps"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
}
