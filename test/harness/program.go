package harness

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Program builds gatewright and returns where the binary is, which every user may run. It is linked once for all test
// programs: what another one has built is taken while it is what the sources make.
func Program(t T) string {
	t.Helper()
	program := filepath.Join(TempDir(t), "gatewright")
	if err := build(Root(t), program); err != nil {
		t.Fatalf("build gatewright: %v", err)
	}
	return program
}

// build builds gatewright of a module into the user's cache, and copies it from there while no other test program builds.
func build(root, program string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "gatewright", "program")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // Nothing is written to it.
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	built := filepath.Join(dir, "gatewright")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", built, "./cmd/gatewright")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	binary, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	return os.WriteFile(program, binary, 0o755)
}
