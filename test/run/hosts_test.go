package run

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

// stranger is another user of this host.
const stranger = 65534

// TestReloadStaysInside: whoever may write to the folder gets nothing read by way of it that is outside, and makes nobody
// wait (R44).
func TestReloadStaysInside(t *testing.T) {
	p := harness.Proxies(t)[0]
	f := sidecar(t, p, p.Name+".pid", nil)
	web := f.address + ":8080"
	f.untilSays(web, "first")
	secret := filepath.Join(filepath.Dir(f.from), "secret")
	if err := os.WriteFile(secret, []byte("# s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{secret, "../../secret", "/dev/zero", "/proc/kmsg", "/etc"} {
		f.put(handWritten[p.Name](web, "unseen"))
		data, err := os.Readlink(filepath.Join(f.from, "..data"))
		if err == nil {
			err = os.Symlink(target, filepath.Join(f.from, data, "extra.conf"))
		}
		if err != nil {
			t.Fatal(err)
		}
		f.status("error: ", "extra.conf", "leads out of the folder")
		f.put(handWritten[p.Name](web, "healed"))
		f.untilSays(web, "healed")
	}
	err := filepath.WalkDir(f.state, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "s3cret") {
			t.Errorf("%s has what is outside of the folder", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// A pipe in place of the folder holds nobody up; that SIGTERM ends it is seen at the end.
	if err := errors.Join(os.Rename(f.from, f.from+".old"), syscall.Mkfifo(f.from, 0o644)); err != nil {
		t.Fatal(err)
	}
	f.status("error: ", "not a directory")
	if err := errors.Join(os.Remove(f.from), os.Rename(f.from+".old", f.from)); err != nil {
		t.Fatal(err)
	}
	f.put(handWritten[p.Name](web, "again"))
	f.untilSays(web, "again")
}

// TestReloadOfAnotherProxy: a proxy that was started with other files than those that are written isn't reloaded, and
// nothing is said to be applied.
func TestReloadOfAnotherProxy(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			dir := harness.TempDir(t)
			g := &gateway{T: t, proxy: p, address: harness.Address(t), state: filepath.Join(dir, "state"), log: filepath.Join(dir, "log")}
			f := &folderGateway{gateway: g, from: filepath.Join(dir, "from")}
			web := g.address + ":8080"
			f.put(handWritten[p.Name](web, "first"))
			other := filepath.Join(dir, "other", "current")
			if err := os.MkdirAll(other, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range handWritten[p.Name](web, "other") {
				if err := os.WriteFile(filepath.Join(other, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			pidFile := filepath.Join(dir, "other", p.Name+".pid")
			process := harness.Start(t, p.Binary, started[p.Name](filepath.Dir(other))...)
			f.startReload(pidFile)
			f.status("error: ", "start it with `"+p.Name+" ", filepath.Join(g.state, "current"))
			if code, body, err := f.get("/readyz"); err != nil || code != http.StatusServiceUnavailable {
				t.Errorf("/readyz says %d %s (%v)", code, body, err)
			}
			if got, err := f.says(web); got != "other" || err != nil {
				t.Errorf("it says %q, %v", got, err)
			}
			process.Signal(syscall.SIGTERM)
			f.until("have the other proxy end", func() error {
				// It takes its pid file along at the very end.
				if err := syscall.Kill(process.PID(), 0); !errors.Is(err, syscall.ESRCH) {
					return fmt.Errorf("it is still there: %v", err)
				}
				return nil
			})
			// Started as the message says, it is taken.
			right := harness.Start(t, p.Binary, started[p.Name](g.state)...)
			if err := os.WriteFile(pidFile, fmt.Appendln(nil, right.PID()), 0o644); err != nil {
				t.Fatal(err)
			}
			// Failed attempts may be half a minute apart by now.
			if err := f.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			f.ready()
			f.untilSays(web, "first")
			f.put(handWritten[p.Name](web, "second"))
			f.untilSays(web, "second")
		})
	}
}

// TestForeignState: a state folder that somebody else can change is refused with a message that says what to do.
func TestForeignState(t *testing.T) {
	p := harness.Proxies(t)[0]
	for _, c := range []struct {
		name string
		make func(state string) error
		want []string
	}{
		{"others may write", func(state string) error { return os.Chmod(state, 0o777) },
			[]string{"mode 0777", "chmod go-w", "--shared-state-dir"}},
		{"somebody else's", func(state string) error { return os.Chown(state, stranger, stranger) }, []string{"user 65534", "chown"}},
		{"versions elsewhere", func(state string) error { return os.Symlink("/tmp", state+"/versions") },
			[]string{state0 + "/versions", "remove it"}},
		{"a log elsewhere", func(state string) error { return os.Symlink("/tmp/victim", state+"/nginx.log") },
			[]string{state0 + "/nginx.log", "remove it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, p)
			if err := errors.Join(os.Mkdir(g.state, 0o755), c.make(g.state)); err != nil {
				t.Fatal(err)
			}
			g.start()
			err := <-g.exited
			g.cmd = nil
			said := g.said()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v:\n%s", err, said)
			}
			for _, want := range c.want {
				if want = strings.ReplaceAll(want, state0, g.state); !strings.Contains(said, want) {
					t.Errorf("no %q in\n%s", want, said)
				}
			}
		})
	}
	t.Run("shared", func(t *testing.T) {
		g := newGateway(t, p)
		if err := errors.Join(os.Mkdir(g.state, 0o755), os.Chmod(g.state, 0o777)); err != nil {
			t.Fatal(err)
		}
		g.start("--shared-state-dir")
		g.ready()
	})
}

// state0 stands for the state folder.
const state0 = "STATE"

// TestAsAnotherUser runs gatewright and the proxy without root, where what is written is for that user only.
func TestAsAnotherUser(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		if !strings.HasPrefix(p.Binary, "/usr/") {
			continue // It lies where others can't go.
		}
		t.Run(p.String(), func(t *testing.T) {
			g := newGateway(t, p)
			g.user = stranger
			g.start()
			if err := <-g.exited; err == nil {
				t.Error("it served from a folder that it may not make")
			}
			if said := g.said(); !strings.Contains(said, g.state) || !strings.Contains(said, "user 65534") {
				t.Errorf("it doesn't say what to do:\n%s", said)
			}
			if err := errors.Join(os.Mkdir(g.state, 0o700), os.Chown(g.state, stranger, stranger), os.Chmod(g.in, 0o755), g.readable()); err != nil {
				t.Fatal(err)
			}
			g.start("--listen", "")
			g.answers("base.Service", "first")
		})
	}
}

// TestAddressIsKept: while gatewright is away nobody else can answer where nginx asks for endpoints, and gatewright can when it
// is back.
func TestAddressIsKept(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		if p.Name != "nginx" || !p.Capabilities.Has(model.FeatureResolve) {
			continue
		}
		t.Run(p.String(), func(t *testing.T) {
			g := newGateway(t, p)
			g.start()
			g.ready()
			text, err := os.ReadFile(filepath.Join(g.state, "resolver"))
			if err != nil {
				t.Fatal(err)
			}
			address, err := net.ResolveUDPAddr("udp", strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			g.kill()
			for name, kind := range map[string]int{"UDP": unix.SOCK_DGRAM, "TCP": unix.SOCK_STREAM} {
				if err := bindAs(stranger, kind, address.Port); !errors.Is(err, unix.EADDRINUSE) {
					t.Errorf("another user binds the %s port: %v", name, err)
				}
			}
			g.answers("base.Service", "first")
			g.service("first", 1)
			g.start()
			g.ready()
			g.answers("base.Service", "first")
			if now, err := os.ReadFile(filepath.Join(g.state, "resolver")); err != nil || string(now) != string(text) {
				t.Errorf("the address was %s, now it is %s (%v)", text, now, err)
			}
		})
	}
}

// bindAs binds a port of 127.0.0.1 as another user, by all means.
func bindAs(user, kind, port int) error {
	result := make(chan error)
	go func() {
		// The thread is that user's from now on, and ends with this goroutine.
		runtime.LockOSThread()
		result <- func() error {
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(user), uintptr(user), uintptr(user)); errno != 0 {
				return errno
			}
			fd, err := unix.Socket(unix.AF_INET, kind, 0)
			if err != nil {
				return err
			}
			return errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
				unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}), unix.Close(fd))
		}()
	}()
	return <-result
}
