package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/nginx"
	runtimenginx "github.com/gatewright/gatewright/runtime/nginx"
)

// kinds are the kinds of proxies that the tests run.
var kinds = []Kind{
	{
		Name:         "nginx",
		ConfigFile:   "nginx.conf",
		Generator:    func(o generators.Options) generators.Generator { return nginx.New(o) },
		Capabilities: runtimenginx.Capabilities,
		Check:        func(dir string) []string { return nginxArguments(dir, "-t", "-q") },
		Run:          func(dir string) []string { return nginxArguments(dir, "-g", "daemon off;") },
		Reload:       reloadNginx,
		Generation:   nginxGeneration,
	},
}

func nginxArguments(dir string, more ...string) []string {
	return append([]string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")}, more...)
}

// reloadNginx returns when no worker of before takes connections any more. For a tenth of a second after the
// new workers have begun to answer, those of before go on accepting.
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

// nginxGeneration reads the generation from the head of the main file.
func nginxGeneration(t T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "nginx.conf"))
	if err != nil {
		t.Fatalf("which generation was rendered: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if generation, ok := strings.CutPrefix(line, "# Generation "); ok {
			return strings.TrimSpace(generation)
		}
	}
	t.Fatalf("nginx.conf names no generation:\n%.300s", text)
	return ""
}
