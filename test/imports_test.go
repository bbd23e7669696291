package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gatewright/gatewright"

// layer says what the packages that a pattern names may import.
type layer struct {
	// packages is a pattern as path.Match reads it, below the module.
	packages string
	// internal are such patterns of the packages of this module that they may import; "…" is all of them.
	internal []string
	// pure packages know no context, clock, client or logger, and read no file.
	pure bool
}

// layers are all packages of the module; the first pattern that fits a package counts.
var layers = []layer{
	{packages: "generators/pattern", internal: []string{"generators/limits"}, pure: true},
	{packages: "generators/model", internal: []string{"generators/pattern"}, pure: true},
	{packages: "generators/limits", pure: true},
	{packages: "generators", internal: []string{"generators/limits", "generators/model"}, pure: true},
	{packages: "generators/matching", internal: []string{"generators/model", "generators/pattern"}, pure: true},
	{packages: "generators/matching/*", internal: []string{"generators/model", "generators/pattern"}, pure: true},
	{packages: "generators/answers", internal: []string{"generators/model"}, pure: true},
	{packages: "generators/relay", internal: []string{"generators/answers", "generators/model"}, pure: true},
	{packages: "generators/exchange", internal: []string{"generators", "generators/model"}, pure: true},
	{packages: "generators/*", internal: []string{
		"generators", "generators/answers", "generators/limits", "generators/model", "generators/pattern", "generators/matching",
		"generators/relay", "templates",
	}, pure: true},
	{packages: "templates", pure: true},
	{packages: "controller/referent", pure: true},
	{packages: "controller/policy"},
	{packages: "deploy/deb", internal: []string{"deploy/parts"}},
	{packages: "deploy/image", internal: []string{"deploy/parts"}},
	{packages: "deploy/*"},
	{packages: "controller/status", internal: []string{"controller/referent"}, pure: true},
	{packages: "controller/resources", internal: []string{"controller/policy", "controller/referent", "deploy/crds", "runtime/beneath"}},
	{packages: "controller/translate", internal: []string{
		"generators/limits", "generators/model", "generators/pattern", "controller/policy", "controller/referent", "controller/resources",
		"controller/status",
	}, pure: true},
	{packages: "controller", internal: []string{
		"generators/model", "controller/policy", "controller/referent", "controller/resources", "controller/status", "controller/translate",
	}},
	{packages: "controller/explain", internal: []string{
		"generators/model", "generators/matching", "generators/matching/reference", "controller/status",
	}, pure: true},
	{packages: "controller/graph", internal: []string{"controller/translate", "runtime/apply"}, pure: true},
	{packages: "controller/pipeline", internal: []string{
		"generators", "generators/model",
		"controller/resources", "controller/translate", "controller/status", "controller/outcome",
		"runtime/apply",
	}},
	{packages: "controller/follow", internal: []string{
		"generators/model",
		"controller", "controller/outcome", "controller/pipeline", "controller/status",
		"runtime/apply", "runtime/folder", "runtime/proxies", "runtime/serve", "runtime/watch",
	}},
	{packages: "controller/outcome", internal: []string{"generators/model", "controller/status", "runtime/apply"}},
	{packages: "runtime/beneath"},
	{packages: "runtime/folder", internal: []string{"generators", "runtime/beneath"}},
	{packages: "runtime/process"},
	{packages: "runtime/watch"},
	{packages: "runtime/calls", internal: []string{"generators", "generators/answers", "runtime/folder"}},
	{packages: "runtime/health", internal: []string{"generators/model"}},
	{packages: "runtime/marker", internal: []string{"generators"}},
	{packages: "runtime/notify"},
	{packages: "runtime/apply", internal: []string{"generators", "generators/model", "runtime/folder"}},
	{packages: "runtime/external", internal: []string{"generators", "generators/exchange", "generators/model"}},
	{packages: "runtime/proxies", internal: []string{
		"generators", "generators/*",
		"runtime/apply", "runtime/haproxy", "runtime/nginx", "runtime/nginx/endpoints",
	}},
	{packages: "runtime/serve", internal: []string{
		"generators", "generators/limits", "generators/model", "generators/relay",
		"runtime/apply", "runtime/bridge", "runtime/calls", "runtime/folder", "runtime/health", "runtime/notify", "runtime/process", "runtime/proxies",
		"runtime/watch",
	}},
	{packages: "runtime/bridge/frames"},
	{packages: "runtime/bridge/http1", internal: []string{"runtime/bridge/frames"}},
	{packages: "runtime/bridge", internal: []string{"generators/relay", "runtime/bridge/frames", "runtime/bridge/http1", "runtime/watch"}},
	{packages: "runtime/child", internal: []string{"runtime/apply", "runtime/marker", "runtime/process"}},
	{packages: "runtime/*", internal: []string{
		"generators", "generators/*", "runtime/folder", "runtime/apply", "runtime/child", "runtime/marker", "runtime/process",
	}},
	{packages: "runtime/nginx/endpoints", internal: []string{
		"generators/model", "generators/nginx", "runtime/apply", "runtime/folder", "runtime/nginx",
	}},
	{packages: "cmd/gatewright", internal: []string{
		"generators", "generators/limits", "generators/model", "generators/relay",
		"controller", "controller/*",
		"runtime/apply", "runtime/bridge", "runtime/external", "runtime/folder", "runtime/process", "runtime/proxies", "runtime/serve",
	}},
	{packages: "test/generators/exchange/envoy"},
	{packages: "test", internal: []string{}},
	{packages: "test/*", internal: []string{"…"}},
	{packages: "test/*/*", internal: []string{"…"}},
}

// impure are the packages, and those below them, that a pure package may not import.
var impure = []string{
	"context", "crypto/rand", "io/ioutil", "log", "math/rand", "net/http", "net/rpc", "os", "plugin", "runtime", "syscall", "testing",
	"github.com/fsnotify/fsnotify", "golang.org/x/sys", "google.golang.org/grpc", "k8s.io/client-go", "k8s.io/klog",
	"sigs.k8s.io/controller-runtime",
}

// clocks are the functions of package time that tell the time or wait for it.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

type goPackage struct {
	ImportPath, Dir, Doc string
	Imports              []string
	GoFiles              []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,GoFiles", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var list []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		t.Fatal("the module has no packages")
	}
	return list
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		i := slices.IndexFunc(layers, func(l layer) bool { return matches(l.packages, name) })
		if i < 0 {
			t.Errorf("%s: no layer is for it: add one that says what it may import", name)
			continue
		}
		for _, problem := range layers[i].problems(p.Imports) {
			t.Errorf("%s: %s", name, problem)
		}
		if layers[i].pure {
			for _, file := range p.GoFiles {
				text, err := os.ReadFile(filepath.Join(p.Dir, file))
				if err != nil {
					t.Fatal(err)
				}
				for _, call := range clockCalls(t, file, text) {
					t.Errorf("%s/%s: %s: a pure package knows no clock", name, file, call)
				}
			}
		}
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s: no doc.go says what it is for and what it may import", name)
		}
	}
}

// TestLayersCatch makes sure that the check itself finds what it is for.
func TestLayersCatch(t *testing.T) {
	l := layer{internal: []string{"generators/model", "runtime/*"}, pure: true}
	for imported, want := range map[string]int{
		"strings": 0, "net/netip": 0, "time": 0, "k8s.io/api/core/v1": 0, module + "/generators/model": 0, module + "/runtime/folder": 0,
		"os": 1, "os/exec": 1, "context": 1, "log/slog": 1, "net/http": 1, "net/http/httptest": 1, "k8s.io/client-go/kubernetes": 1,
		"sigs.k8s.io/controller-runtime": 1, module + "/generators": 1, module + "/runtime/a/b": 1, module + "/cmd/gatewright": 1,
	} {
		if got := l.problems([]string{imported}); len(got) != want {
			t.Errorf("%s: %d problems %v, want %d", imported, len(got), got, want)
		}
	}
	text := "package p\nimport \"time\"\nvar x = time.Now()\nvar y time.Time\nvar z = time.Unix(0, 0)\n"
	if got := clockCalls(t, "x.go", []byte(text)); !slices.Equal(got, []string{"time.Now"}) {
		t.Errorf("clock calls: %v", got)
	}
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return pattern == "…" || err == nil && ok
}

// problems are the imports that a package of the layer may not have.
func (l layer) problems(imports []string) []string {
	var out []string
	for _, imported := range imports {
		if internal, ok := strings.CutPrefix(imported, module+"/"); ok {
			if !slices.ContainsFunc(l.internal, func(p string) bool { return matches(p, internal) }) {
				out = append(out, "it may not import "+internal)
			}
			continue
		}
		if l.pure && slices.ContainsFunc(impure, func(p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") }) {
			out = append(out, "it is pure and may not import "+imported)
		}
	}
	return out
}

// clockCalls are the uses of clocks in a file that imports time by its own name.
func clockCalls(t *testing.T, name string, text []byte) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, s.Sel.Name) {
				out = append(out, "time."+s.Sel.Name)
			}
		}
		return true
	})
	return out
}
