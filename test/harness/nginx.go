package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/nginx"
	runtimehaproxy "github.com/gatewright/gatewright/runtime/haproxy"
	runtimenginx "github.com/gatewright/gatewright/runtime/nginx"
)

// kinds are the kinds of proxies that the tests run.
var kinds = []Kind{
	{
		Name:         "nginx",
		ConfigFile:   "nginx.conf",
		Generator:    func(o generators.Options) generators.Generator { return nginx.New(o) },
		Capabilities: runtimenginx.Capabilities,
		Validate:     validateNginx,
		Check:        func(dir string) []string { return nginxArguments(dir, "-t", "-q") },
		Run:          func(dir string) []string { return nginxArguments(dir, "-g", "daemon off;") },
		Reload:       reloadNginx,
		Generation:   func(t T, dir string) string { return generationIn(t, filepath.Join(dir, "http.conf")) },
	},
	{
		Name:         "haproxy",
		ConfigFile:   "haproxy.cfg",
		Generator:    func(o generators.Options) generators.Generator { return haproxy.New(o) },
		Capabilities: runtimehaproxy.Capabilities,
		Validate:     validateHAProxy,
		Check:        func(dir string) []string { return []string{"-c", "-f", filepath.Join(dir, "haproxy.cfg")} },
		Run:          func(dir string) []string { return []string{"-W", "-f", filepath.Join(dir, "haproxy.cfg")} },
		Reload:       reloadHAProxy,
		Generation:   func(t T, dir string) string { return generationIn(t, filepath.Join(dir, "haproxy.cfg")) },
	},
}

func nginxArguments(dir string, more ...string) []string {
	return append([]string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")}, more...)
}

func validateNginx(ctx context.Context, binary, dir string) error {
	joined, err := runtimenginx.New(runtimenginx.Options{Binary: binary, Prefix: dir, Config: filepath.Join(dir, "nginx.conf"), Find: true})
	if err != nil {
		return err
	}
	return joined.Validate(ctx, dir)
}

// reloadNginx returns when no old worker takes connections any more. For a tenth of a second after the
// new workers have begun to answer, the old ones go on accepting.
func reloadNginx(p *Process) {
	p.t.Helper()
	before := p.Children()
	p.Signal(syscall.SIGHUP)
	p.poll("retire its workers", func() error {
		for _, worker := range before {
			title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", worker))
			if err == nil && len(title) > 0 && !strings.Contains(string(title), "shutting down") {
				return fmt.Errorf("worker %d is still serving", worker)
			}
		}
		return nil
	})
}

// generationIn reads the generation from the head of the file that a proxy starts from.
func generationIn(t T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("which generation was rendered: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if generation, ok := strings.CutPrefix(line, "# Generation "); ok {
			return strings.TrimSpace(generation)
		}
	}
	t.Fatalf("%s names no generation:\n%.300s", file, text)
	return ""
}
