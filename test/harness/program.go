package harness

import (
	"os/exec"
	"path/filepath"
)

// Program builds gatewright and returns where the binary is.
func Program(t T) string {
	t.Helper()
	program := filepath.Join(TempDir(t), "gatewright")
	build := exec.Command("go", "build", "-o", program, "./cmd/gatewright")
	build.Dir = Root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build gatewright: %v\n%s", err, out)
	}
	return program
}
