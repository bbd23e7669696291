package harness

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
)

// Kind is what the tests must know of one kind of proxy. A new one is a row of kinds.
type Kind struct {
	// Name is the program's, as `test/proxies.sh` prints it and `--proxy` takes it.
	Name string
	// ConfigFile is the file that the proxy starts from, in the rendered folder.
	ConfigFile   string
	Generator    func(generators.Options) generators.Generator
	Capabilities func(ctx context.Context, binary string) (model.Capabilities, error)
	// Validate is what gatewright asks before it serves a folder in the full layout.
	Validate func(ctx context.Context, binary, dir string) error
	// Check are the arguments that test a configuration, Run those that run it in the foreground.
	Check, Run func(dir string) []string
	// Reload asks the process to read its folder again.
	Reload func(p *Process)
	// Generation is what the marker answers once the rendered folder is served.
	Generation func(t T, dir string) string
}

// Proxy is one proxy that is installed.
type Proxy struct {
	Kind
	Binary string
	// Capabilities are the binary's own.
	Capabilities model.Capabilities
}

// String names a proxy in a test's name: "nginx-1.26.3".
func (p Proxy) String() string { return p.Name + "-" + p.Capabilities.Version.String() }

// installed are the proxies, once a test of this process has asked for them: what each can do takes it some starts to say.
var installed struct {
	sync.Mutex
	proxies []Proxy
}

// Proxies are all proxies that `test/proxies.sh` lists, of the kinds that are known here. One that is missing
// fails the test.
func Proxies(t T) []Proxy {
	t.Helper()
	installed.Lock()
	defer installed.Unlock()
	if installed.proxies == nil {
		installed.proxies = find(t)
	}
	return slices.Clone(installed.proxies)
}

func find(t T) []Proxy {
	t.Helper()
	list := exec.Command("sh", filepath.Join(Root(t), "test", "proxies.sh"), "--list")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("test/proxies.sh --list: %v (install the proxies with test/proxies.sh)", err)
	}
	var proxies []Proxy
	for _, binary := range strings.Fields(string(out)) {
		if proxy, known := proxyAt(t, binary); known {
			proxies = append(proxies, proxy)
		}
	}
	if len(proxies) == 0 {
		t.Fatalf("test/proxies.sh --list names no proxy that the tests know")
	}
	return proxies
}

// ProxyAt is the proxy of a binary, which has the name of its kind.
func ProxyAt(t T, binary string) Proxy {
	t.Helper()
	proxy, known := proxyAt(t, binary)
	if !known {
		t.Fatalf("%s is no proxy that the tests know by its name", binary)
	}
	return proxy
}

func proxyAt(t T, binary string) (proxy Proxy, known bool) {
	t.Helper()
	for _, kind := range kinds {
		if filepath.Base(binary) != kind.Name {
			continue
		}
		caps, err := kind.Capabilities(context.Background(), binary)
		if err != nil {
			t.Fatalf("capabilities of %s: %v", binary, err)
		}
		return Proxy{Kind: kind, Binary: binary, Capabilities: caps}, true
	}
	return Proxy{}, false
}

// Root is the folder of the module.
func Root(t T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("the module's folder: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatalf("no go.mod above the test: run it from inside the module")
		}
		dir = parent
	}
}

// Newest are the newest version of each kind, for what hangs little on the version.
func Newest(proxies []Proxy) []Proxy {
	var out []Proxy
	for _, p := range proxies {
		i := slices.IndexFunc(out, func(o Proxy) bool { return o.Name == p.Name })
		switch {
		case i < 0:
			out = append(out, p)
		case out[i].Capabilities.Version.Compare(p.Capabilities.Version) < 0:
			out[i] = p
		}
	}
	return out
}

// Ends are the oldest and the newest version of each kind, for what takes long with each.
func Ends(proxies []Proxy) []Proxy {
	oldest := map[string]Proxy{}
	for _, p := range proxies {
		if o, ok := oldest[p.Name]; !ok || p.Capabilities.Version.Compare(o.Capabilities.Version) < 0 {
			oldest[p.Name] = p
		}
	}
	out := Newest(proxies)
	for _, name := range slices.Sorted(maps.Keys(oldest)) {
		if !slices.ContainsFunc(out, func(p Proxy) bool { return p.Binary == oldest[name].Binary }) {
			out = append(out, oldest[name])
		}
	}
	return out
}

// InTurn is one version of each kind, for the n-th of many inputs that are served by all versions together.
func InTurn(proxies []Proxy, n int) []Proxy {
	versions := map[string][]Proxy{}
	for _, p := range proxies {
		versions[p.Name] = append(versions[p.Name], p)
	}
	var out []Proxy
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		out = append(out, versions[name][n%len(versions[name])])
	}
	return out
}
