package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper starts a process that ends by any signal, with an executable of a name and arguments.
func sleeper(t *testing.T, executable string, args ...string) ID {
	t.Helper()
	path := filepath.Join(t.TempDir(), executable)
	data, err := os.ReadFile("/usr/bin/sleep")
	if err == nil {
		err = os.WriteFile(path, data, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: path, Args: append(args, "1000")}
	// Another test's fork may hold the file open for writing for a moment.
	for {
		err = cmd.Start()
		if !errors.Is(err, unix.ETXTBSY) {
			break
		}
		cmd = &exec.Cmd{Path: path, Args: append(args, "1000")}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() }) // It is only asked whether it was signalled.
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// kindOf is a program whose processes have an argument.
func kindOf(program, argument string) Kind {
	return Kind{Program: program, Role: "master", Is: func(pid int) bool { return strings.Contains(Title(pid), argument) }}
}

// TestVerify: what has the name but not the title, or the title but not the name, isn't the program.
func TestVerify(t *testing.T) {
	kind := kindOf("proxyd", "--master")
	right := sleeper(t, "proxyd", "proxyd: --master")
	for what, test := range map[string]struct {
		pid  int
		want string
	}{
		"the program":              {right.PID, ""},
		"its title alone":          {sleeper(t, "other", "proxyd: --master").PID, "isn't proxyd"},
		"its executable alone":     {sleeper(t, "proxyd", "proxyd: --worker").PID, "is no master of proxyd"},
		"a kernel's thread":        {2, "so it isn't signalled"},
		"this process":             {os.Getpid(), "isn't proxyd"},
		"a number that nobody has": {1 << 30, "has ended"},
	} {
		id, err := kind.Verify(test.pid)
		switch {
		case test.want == "" && (err != nil || id != right):
			t.Errorf("%s: %v, %v", what, id, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
	binary := filepath.Join(t.TempDir(), "proxyd")
	if err := os.WriteFile(binary, []byte("another program"), 0o700); err != nil {
		t.Fatal(err)
	}
	strict := kind
	strict.Binary = binary
	if _, err := strict.Verify(right.PID); err == nil || !strings.Contains(err.Error(), "--proxy-binary") {
		t.Errorf("another file of the same name: %v", err)
	}
	// A package's upgrade replaces the file of a running program.
	strict.Binary, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", right.PID))
	if err := errors.Join(os.Remove(strict.Binary), os.WriteFile(strict.Binary, []byte("a newer one"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if id, err := strict.Verify(right.PID); err != nil || id != right {
		t.Errorf("after an upgrade: %v, %v", id, err)
	}
}

// TestFromFile: a pid file names a process of the program that was there when it was written, or nothing.
func TestFromFile(t *testing.T) {
	kind := kindOf("proxyd", "--master")
	id := sleeper(t, "proxyd", "proxyd: --master")
	path := filepath.Join(t.TempDir(), "pid")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"", "\n", "0", "-1", fmt.Sprint(-id.PID), fmt.Sprint("+", id.PID), "0x10", "12 13", "99999999999999999999",
		"x",
		fmt.Sprint(id.PID, "\x00"), strings.Repeat(" ", 100) + fmt.Sprint(id.PID)} {
		put(text)
		if id, err := kind.FromFile(path); err == nil || !strings.Contains(err.Error(), "holds no process id") {
			t.Errorf("from %q: %v, %v", text, id, err)
		}
	}
	for _, pid := range []int{1, os.Getpid(), os.Getppid()} {
		put(fmt.Sprintln(pid))
		if id, err := kind.FromFile(path); err == nil || !strings.Contains(err.Error(), "so it isn't signalled") {
			t.Errorf("from %d: %v, %v", pid, id, err)
		}
	}
	put(fmt.Sprintln(id.PID))
	if got, err := kind.FromFile(path); got != id || err != nil {
		t.Errorf("%v, %v; want %v", got, err, id)
	}
	// The file is from before the process: it was another one's number.
	before := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, before, before); err != nil {
		t.Fatal(err)
	}
	if got, err := kind.FromFile(path); err == nil || !strings.Contains(err.Error(), "was written before process") {
		t.Errorf("from a stale file: %v, %v", got, err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, t.TempDir(), "/dev/zero"} {
		if _, err := kind.FromFile(path); err == nil || !strings.Contains(err.Error(), "is no pid file") {
			t.Errorf("from %s: %v", path, err)
		}
	}
}

// TestSignalOfAnother: a number that has another process now gets no signal.
func TestSignalOfAnother(t *testing.T) {
	id := sleeper(t, "proxyd", "proxyd")
	before := id
	before.start = "1"
	if err := before.Signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if !id.Alive() || before.Alive() {
		t.Errorf("alive: %v, and of the number's owner before: %v", id.Alive(), before.Alive())
	}
	for _, none := range []int{0, -1, -id.PID, os.Getpid()} {
		if err := (ID{PID: none}).Signal(unix.SIGKILL); err == nil {
			t.Errorf("process %d was signalled", none)
		}
	}
	if err := id.Signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
}

// TestStrays: what only has a program's command line among its arguments isn't told to finish.
func TestStrays(t *testing.T) {
	kind := kindOf("proxyd", "--master")
	line := []string{"proxyd", "1000", "2000"}
	for what, test := range map[string]struct {
		id   ID
		want bool
	}{
		"the command":             {sleeper(t, "proxyd", line...), true},
		"a shell with it":         {sleeper(t, "sh", "sh -c "+strings.Join(line, " ")), false},
		"another with a prefix":   {sleeper(t, "proxyd", append([]string{"trace " + line[0]}, line[1:]...)...), false},
		"one of the same text":    {sleeper(t, "other", line...), false},
		"another configuration's": {sleeper(t, "proxyd", "proxyd", "1000", "3000"), false},
	} {
		if !test.id.Alive() {
			t.Errorf("%s: it has ended", what)
		}
		if got := kind.runs(test.id.PID, line) && kind.executable(test.id.PID) == nil; got != test.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// TestAsk: a request isn't sent to a process that would end by it, now or later, or not see it.
func TestAsk(t *testing.T) {
	starting := sleeper(t, "proxyd", "proxyd: --master")
	for what, id := range map[string]ID{
		"one without a handler": starting, "one that lets it wait": waiting(t), "one that ignores it": ignoring(t),
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if err := id.Ask(ctx, unix.SIGUSR2); err == nil || !strings.Contains(err.Error(), "still starting") {
			t.Errorf("asked %s: %v", what, err)
		}
		cancel()
		if !id.Alive() {
			t.Errorf("%s has ended by the signal", what)
		}
	}
	self, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !self.Takes(unix.SIGUSR1) || self.Takes(unix.SIGKILL) {
		t.Error("this process has a handler for SIGUSR1, and can have none for SIGKILL")
	}
	if err := starting.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := starting.Ask(context.Background(), unix.SIGUSR2); err != nil {
		t.Errorf("asked one that has ended: %v", err)
	}
}

// waiting is a process without a handler for SIGUSR2 that lets it wait.
func waiting(t *testing.T) ID {
	t.Helper()
	// What a thread blocks, the processes that it starts block.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.Sigset_t
	blocked := unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGUSR2 - 1)}}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
			t.Error(err)
		}
	}()
	return sleeper(t, "proxyd", "proxyd: --master")
}

// ignoring is a process that ignores SIGUSR2.
func ignoring(t *testing.T) ID {
	t.Helper()
	signal.Ignore(unix.SIGUSR2)
	defer signal.Reset(unix.SIGUSR2)
	return sleeper(t, "proxyd", "proxyd: --master")
}
