package process

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestProcess(t *testing.T) {
	self := os.Getpid()
	if !Alive(self) || Parent(self) != os.Getppid() || Name(self) == "" || !strings.Contains(Title(self), "test") {
		t.Errorf("of ourselves: alive %v, parent %d, %q, %q", Alive(self), Parent(self), Name(self), Title(self))
	}
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child := cmd.Process.Pid
	if !slices.Contains(Children(self), child) {
		t.Errorf("children %v don't have %d", Children(self), child)
	}
	own, err := Identify(self)
	id, failed := Identify(child)
	if err != nil || failed != nil || id == own || !strings.HasPrefix(id.String(), fmt.Sprint(child, " started at ")) {
		t.Errorf("identities are %q (%v) and %q (%v)", own, err, id, failed)
	}
	if again, err := Identify(self); again != own || err != nil {
		t.Errorf("the identity was %q, and is %q (%v)", own, again, err)
	}
	if ids := own.Children(); !slices.Contains(ids, id) {
		t.Errorf("children %v don't have %v", ids, id)
	}
	file := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%d\n", child), 0o600); err != nil {
		t.Fatal(err)
	}
	if named, err := Named(file); named != id || err != nil {
		t.Errorf("from the file: %v, %v", named, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := Wait(ctx, id); err == nil {
		t.Errorf("waiting for a process that runs ended")
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	// It has ended once this returns, and is still to be reaped.
	if err := Wait(context.Background(), id); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if id, err := Identify(child); err == nil {
		t.Errorf("what has ended is %q", id)
	}
	if err := id.Signal(unix.SIGTERM); err != nil {
		t.Errorf("a signal to what has ended: %v", err)
	}
	if _, err := Named(file); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("from the file of a process that has ended: %v", err)
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if pids, err := Listeners(path); err != nil || !slices.Equal(pids, []int{os.Getpid()}) {
		t.Errorf("listeners %v, %v", pids, err)
	}
	if err := RemoveSocket(path); err == nil || !strings.Contains(err.Error(), "listens at") {
		t.Errorf("removing a socket that is in use: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := RemoveSocket(path); err != nil {
		t.Error(err)
	}
	if err := RemoveSocket(path); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
}

func TestLog(t *testing.T) {
	l, err := OpenLog(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		if _, err := l.File().WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	say("before\n")
	start := l.Size()
	ctx, cancel := context.WithCancel(context.Background())
	var out bytes.Buffer
	ended := make(chan struct{})
	say("a\nb\nc\n")
	go func() {
		defer close(ended)
		l.Copy(ctx, &out)
	}()
	if got := l.From(start); got != "a\nb\nc\n" {
		t.Errorf("what was said from then on: %q", got)
	}
	cancel()
	<-ended
	if strings.Contains(out.String(), "before") {
		t.Errorf("copied what was said before: %q", out.String())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
