package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestReapOrphans: a process that has lost its parent and ended is taken away; own children are left to those that wait for them.
func TestReapOrphans(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	defer func() {
		stop()
		<-done
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
	}()
	before := deadChildren(os.Getpid())
	// The inner shell outlives the outer one, and ends when its input does.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "(read x; exit 0) <&3 & exit 3")
	cmd.ExtraFiles = []*os.File{r}
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	dead := func(want int) {
		t.Helper()
		if err := Poll(wait, func() (bool, error) {
			n := len(deadChildren(os.Getpid())) - len(before)
			return n == want, errors.New("the number of dead children stays")
		}); err != nil && wait.Err() != nil {
			t.Fatalf("want %d: %v", want, err)
		}
	}
	dead(1)
	go func() {
		reapOrphans(ctx, 300*time.Millisecond)
		close(done)
	}()
	dead(0)
	// What somebody waits for is his.
	for range 50 {
		if err := exec.Command("sh", "-c", "exit 4").Run(); !errors.As(err, &exit) || exit.ExitCode() != 4 {
			t.Fatal(err)
		}
	}
}
