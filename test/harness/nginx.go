package harness

import (
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
		Reload:       func(p *Process) { p.Signal(syscall.SIGHUP) },
		Generation:   nginxGeneration,
	},
}

func nginxArguments(dir string, more ...string) []string {
	return append([]string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")}, more...)
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
