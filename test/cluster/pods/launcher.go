package pods

import (
	"io"
	"net/netip"
	"os/exec"
	"runtime"
	"syscall"
)

// enter waits until the process's new network namespace has its cable, sets it up, and becomes the program in
// the Pod's folder. Its arguments are address, gateway and folder, and then the program's own.
const enter = `read -r _ && ip addr add "$1" dev eth0 && ip link set lo up && ip link set eth0 up &&
ip route add default via "$2" && root=$3 && shift 3 && exec chroot "$root" /app "$@"`

// launcher starts processes from one thread that stays: they are to die with it, and not before.
type launcher struct{ requests chan func() }

func newLauncher() *launcher {
	l := &launcher{requests: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for start := range l.requests {
			start()
		}
	}()
	return l
}

func (l *launcher) end() { close(l.requests) }

// process is what to run in a Pod.
type process struct {
	root    string
	args    []string
	env     []string
	output  io.Writer
	address netip.Addr
}

// start starts a process in a network namespace of its own and connects it.
func (l *launcher) start(n *network, p process) (*exec.Cmd, error) {
	args := append([]string{"-c", enter, "sh", n.withLength(p.address), n.node().String(), p.root}, p.args...)
	cmd := exec.Command("sh", args...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, p.env...)
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	ready, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	l.requests <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	err = n.connect(cmd.Process.Pid, p.address)
	if err == nil {
		_, err = io.WriteString(ready, "\n")
	}
	if err != nil {
		_ = cmd.Process.Kill() // err says more.
		_ = cmd.Wait()
		return nil, err
	}
	return cmd, nil
}
