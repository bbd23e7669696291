package isolated

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// inside marks the program that runs in the namespace.
const inside = "GATEWRIGHT_ISOLATED"

// Run runs a program's main part, such as testing.M's Run, in a network namespace with loopback and no other
// way out, and returns its exit code. It starts the program once more there, so call it first of all, from
// the main goroutine. It needs root.
func Run(main func() int) int {
	if os.Getenv(inside) != "" {
		if err := command("ip", "link", "set", "lo", "up"); err != nil {
			return failed(err)
		}
		return main()
	}
	code, err := again()
	if err != nil {
		return failed(err)
	}
	return code
}

func failed(err error) int {
	fmt.Fprintf(os.Stderr, "a network namespace for %s: %v\n", filepath.Base(os.Args[0]), err)
	return 1
}

// again runs this program in a new namespace until it ends, and then ends what it left behind there.
func again() (int, error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("it can be made by root only: run this as root")
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	// Pdeathsig follows the thread that started the child, so it must stay.
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	namespace, err := namespaceOf(cmd.Process.Pid)
	if err != nil {
		return 0, errors.Join(err, cmd.Process.Kill())
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // It may have ended meanwhile.
		}
	}()
	err = cmd.Wait()
	endAll(namespace)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 0, fmt.Errorf("it ended by %v", cmd.ProcessState)
}

// namespaceOf names the network namespace of a process.
func namespaceOf(pid int) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
}

// endAll ends the processes of a namespace. All of them come from the program that it was made for.
func endAll(namespace string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		fmt.Fprintf(os.Stderr, "processes that were left behind: %v\n", err)
		return
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if its, err := namespaceOf(pid); err == nil && its == namespace {
			_ = syscall.Kill(pid, syscall.SIGKILL) // It may have ended meanwhile.
		}
	}
}

// AddLocal makes every address of a prefix one of this namespace: programs can bind and call it.
func AddLocal(prefix string) error {
	if os.Getenv(inside) == "" {
		return fmt.Errorf("add %s: only in a namespace that Run made", prefix)
	}
	return command("ip", "route", "replace", "local", prefix, "dev", "lo")
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
