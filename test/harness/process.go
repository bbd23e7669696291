package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long anything may take to come up or go away.
const patience = 20 * time.Second

// Process is a running proxy.
type Process struct {
	t      T
	name   string
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
	// result is how it ended, once exited is closed.
	result error
}

// Start runs a program in a process group of its own and keeps what it says. With the test it is asked to end
// by SIGTERM, and what it said is shown if the test failed.
func Start(t T, program string, args ...string) *Process {
	t.Helper()
	dir := TempDir(t)
	p := &Process{t: t, name: filepath.Base(program), log: filepath.Join(dir, "log"), exited: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatalf("the log of %s: %v", p.name, err)
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	err = p.cmd.Start()
	_ = log.Close() // The process has its own.
	if err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	go func() {
		p.result = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.stop)
	return p
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process itself.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// Kill ends the process without asking and returns when it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // It may have ended by itself.
	<-p.exited
}

// Ended returns how the process has ended, nil for well, once it has.
func (p *Process) Ended() error {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end:\n%s", p.name, tail(p.Log(), 40))
	}
	return p.result
}

// Log is what the process has said so far.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Children are the ids of the process's children.
func (p *Process) Children() []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.PID(), p.PID()))
	if err != nil {
		p.t.Fatalf("children of %s: %v", p.name, err)
	}
	var ids []int
	for _, field := range strings.Fields(string(text)) {
		if id, err := strconv.Atoi(field); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *Process) stop() {
	select {
	case <-p.exited:
	default:
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // It may have ended meanwhile.
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Errorf("%s does not end on SIGTERM", p.name)
	}
	// The group is its workers; none is left when all went well.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	if p.t.Failed() {
		if text := strings.TrimSpace(p.Log()); text != "" {
			p.t.Logf("%s said:\n%s", p.name, tail(text, 12))
		}
	}
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	if len(all) > lines {
		all = append([]string{fmt.Sprintf("(%d lines before)", len(all)-lines)}, all[len(all)-lines:]...)
	}
	return strings.Join(all, "\n")
}

// WaitListening returns when the address and port accept connections, and fails when the process ends first.
func (p *Process) WaitListening(addresses ...string) {
	p.t.Helper()
	for _, address := range addresses {
		p.poll("listen at "+address, func() error {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				err = conn.Close()
			}
			return err
		})
	}
}

// WaitAnswer returns when a GET of the path over a unix socket answers with the text want.
func (p *Process) WaitAnswer(socket, path, want string) {
	p.t.Helper()
	p.waitAnswer(socket, path, func(answer string) bool { return answer == want })
}

func (p *Process) waitAnswer(socket, path string, wanted func(answer string) bool) {
	p.t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	p.poll("answer what is wanted at "+path, func() error {
		response, err := client.Get("http://marker" + path)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if got := string(bytes.TrimSpace(body)); !wanted(got) {
			return fmt.Errorf("it answers %q", got)
		}
		return nil
	})
}

func (p *Process) poll(what string, try func() error) {
	p.t.Helper()
	p.Await(what, patience, try)
}

// Await tries until there is no error. The test fails when the process ends first or it takes too long.
func (p *Process) Await(what string, limit time.Duration, try func() error) {
	p.t.Helper()
	deadline := time.Now().Add(limit)
	pause := firstPause
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-p.exited:
			p.t.Fatalf("%s ended instead of going to %s:\n%s", p.name, what, tail(p.Log(), 40))
		case <-time.After(pause):
		}
		pause = min(pause*3/2, lastPause)
		if time.Now().After(deadline) {
			p.t.Fatalf("%s doesn't %s: %v\n%s", p.name, what, err, tail(p.Log(), 40))
		}
	}
}

// The pauses between the tries of something that takes a while grow from the first to the last: what is there soon is
// noticed soon, and what takes long isn't held up by those who ask for it.
const (
	firstPause = 2 * time.Millisecond
	closePause = 10 * time.Millisecond
	lastPause  = 30 * time.Millisecond
)

// Until tries until there is no error, for at most limit, less and less often. said is what a failure tells beside it.
func Until(t T, what string, limit time.Duration, try func() error, said func() string) {
	t.Helper()
	until(t, what, limit, lastPause, try, said)
}

// Closely is Until for what the tries themselves are to see on the way: they go on as often as every hundredth of a second.
func Closely(t T, what string, limit time.Duration, try func() error, said func() string) {
	t.Helper()
	until(t, what, limit, closePause, try, said)
}

func until(t T, what string, limit, longest time.Duration, try func() error, said func() string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(pause*3/2, longest) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v\n%s", what, err, said())
		}
		<-time.After(pause)
	}
}
