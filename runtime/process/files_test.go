package process_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewright/gatewright/runtime/process"
)

// TestLimitFiles: what is started gets the limit that was set, and a hard limit that is too low is named.
func TestLimitFiles(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	if err := process.LimitFiles(777, 777); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", "ulimit -Sn").Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != "777" {
		t.Errorf("a child has %s files, %v", got, err)
	}
	err = process.LimitFiles(777, int(before.Max)+1)
	if err == nil || !strings.Contains(err.Error(), "ulimit -Hn") {
		t.Errorf("more than the hard limit: %v", err)
	}
}
