package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Program is a program that is to run for as long as somebody serves with it.
type Program struct {
	// Name is what messages call it.
	Name string
	// Kind tells its processes from all others. A process that it can't be sure of is never signalled (R44).
	Kind Kind
	// Command makes the command that starts it in the foreground; what it says goes to the log.
	Command func() *exec.Cmd
	// Clear takes away what a killed one has left behind; it is called before every start.
	Clear func(context.Context) error
	// Serves returns nil when a process that was started serves, and else what is still missing.
	Serves func(ctx context.Context, pid int) error
	// Drain is the signal that lets it finish its work and end, however often it comes, Stop the one that ends it sooner.
	Drain, Stop unix.Signal
	// DrainChildren says that the children get Drain too when the program doesn't pass it on.
	DrainChildren bool
	// Succeeds says that a new process takes the place of those with the same command while they still serve: they are told to
	// drain once it serves. Others have to have gone before.
	Succeeds bool
	// Complaint says whether a line of the log tells of a failure of a process, the one that was started last.
	Complaint func(pid int, line string) bool
	// Timeout is how long a start may take when nobody waits for it.
	Timeout time.Duration
	// LogFile is where what it says is kept, and Errors where that is copied to.
	LogFile string
	Errors  io.Writer
	Log     *slog.Logger
	// Lost is called after it had ended by itself and was started again, or could not be: it may start with something else.
	Lost func()
}

// Supervisor runs a Program: it starts it again when it ends by itself. It doesn't take it along when this
// process is killed, so that the next Supervisor can take it over.
type Supervisor struct {
	Program
	// Mutex is held while the program is started, and by whoever needs that it isn't meanwhile.
	sync.Mutex

	said   *Log
	id     atomic.Pointer[ID] // nil while it doesn't run
	last   atomic.Int64       // the one that was started last
	exited chan struct{}
	// stopping says that its end is wanted, good that it has served once: only then it is started again.
	stopping, good bool

	done  <-chan struct{} // closed by Close
	stop  context.CancelFunc
	tasks sync.WaitGroup
}

// Supervise prepares a Supervisor; nothing is started yet.
func Supervise(p Program) (*Supervisor, error) {
	said, err := OpenLog(p.LogFile)
	if err != nil {
		return nil, fmt.Errorf("%s's log: %w", p.Name, err)
	}
	if p.Errors == nil {
		p.Errors = io.Discard
	}
	if p.Lost == nil {
		p.Lost = func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Supervisor{Program: p, said: said, done: ctx.Done(), stop: cancel}
	s.tasks.Go(func() { said.Copy(ctx, p.Errors) })
	return s, nil
}

// Said is the program's log.
func (s *Supervisor) Said() *Log { return s.said }

// Process is the running one.
func (s *Supervisor) Process() (ID, error) {
	if id := s.id.Load(); id != nil && id.Alive() {
		return *id, nil
	}
	return ID{}, fmt.Errorf("%s isn't running", s.Name)
}

// TakeOver makes the process that an earlier run has left serving the supervised one. It is the one that a pid file names,
// when it is of the program's kind and ours says yes to it.
func (s *Supervisor) TakeOver(pidFile string, ours func(pid int) bool) {
	pid, _, err := readPID(pidFile)
	if err != nil || !Alive(pid) || !ours(pid) {
		return // Another process may have got the number since.
	}
	id, err := s.Kind.Verify(pid)
	if err != nil {
		s.Log.Warn("what seems to be left of an earlier run isn't taken over", "program", s.Name, "error", err)
		return
	}
	s.Lock()
	defer s.Unlock()
	s.Log.Info("took over what an earlier run has left serving", "program", s.Name, "pid", pid)
	s.follow(id, func() error { return Wait(context.Background(), id) })
	s.good = true
}

// Start starts the program and returns when it serves. The error has the end of what it said. The lock is held
// by the caller.
func (s *Supervisor) Start(ctx context.Context) error {
	cmd := s.Command()
	var err error
	if !s.Succeeds {
		err = s.drainStrays(cmd, 0)
	}
	if err := errors.Join(err, s.Clear(ctx)); err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	start := s.said.Size()
	cmd.Stdout, cmd.Stderr = s.said.File(), s.said.File()
	// A signal from the terminal is for gatewright, which passes it on in its own way.
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	// It can't have been reaped yet, so the number is its own.
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", s.Name, err), cmd.Wait())
	}
	s.follow(id, cmd.Wait)
	err = Poll(ctx, func() (bool, error) {
		if err := s.Serves(ctx, id.PID); err != nil {
			if !id.Alive() {
				return true, fmt.Errorf("%s has ended", s.Name)
			}
			return false, err
		}
		return true, nil
	})
	if err != nil {
		return errors.Join(s.Explain(fmt.Errorf("start %s: %w", s.Name, err), start), s.end(id))
	}
	s.good = true
	if s.Succeeds {
		return s.drainStrays(cmd, id.PID)
	}
	return nil
}

// drainStrays tells processes of the same command to finish. Nobody knows of one whose starter was killed before it
// could write its process id or listen anywhere, and it would serve for good what it has read. Except is the one to leave alone.
func (s *Supervisor) drainStrays(cmd *exec.Cmd, except int) error {
	pids, err := All()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pid == except || !s.Kind.runs(pid, cmd.Args) {
			continue
		}
		id, err := Identify(pid)
		if err == nil {
			err = s.Kind.executable(pid)
		}
		if err == nil {
			err = id.Signal(s.Drain)
		}
		if err != nil {
			s.Log.Warn("a process with the command of an earlier run goes on", "program", s.Name, "error", err)
		}
	}
	return nil
}

// Poll calls try, with pauses that grow from 2 to 100 ms, until it says that it is done or ctx ends. The error is
// the last one. A pause is an eighth of the time until then, so that little is lost of what took little.
func Poll(ctx context.Context, try func() (done bool, err error)) error {
	start := time.Now()
	timer := time.NewTimer(pollLeast)
	defer timer.Stop()
	for {
		done, err := try()
		if done {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-timer.C:
		}
		timer.Reset(min(max(time.Since(start)/8, pollLeast), pollMost))
	}
}

// The shortest and the longest pause of Poll.
const (
	pollLeast = 2 * time.Millisecond
	pollMost  = 100 * time.Millisecond
)

// explained is how many lines of the log an error has.
const explained = 8

// Explain adds what the program has complained of since a Size of its log, or else the end of what it said.
func (s *Supervisor) Explain(err error, since int64) error {
	lines := s.Complaints(since)
	if len(lines) == 0 {
		lines = strings.Split(strings.TrimSpace(s.said.From(since)), "\n")
	}
	text := strings.Join(lines[max(0, len(lines)-explained):], "\n")
	if text == "" {
		return err
	}
	return fmt.Errorf("%w; %s said:\n%s", err, s.Name, text)
}

// Complaints are the lines since a Size of the log that tell of a failure.
func (s *Supervisor) Complaints(since int64) []string {
	var out []string
	for line := range strings.Lines(s.said.From(since)) {
		if s.Complaint(int(s.last.Load()), line) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// follow notes a process and starts the program again when it ends without being asked to.
func (s *Supervisor) follow(id ID, wait func() error) {
	exited := make(chan struct{})
	s.id.Store(&id)
	s.last.Store(int64(id.PID))
	s.exited = exited
	// A child is reaped for as long as this process lives, whoever still cares.
	go func() {
		err := wait()
		close(exited)
		s.Lock()
		again := s.id.CompareAndSwap(&id, nil) && s.good && !s.stopping
		s.Unlock()
		if again {
			s.Log.Error("ended by itself; starting it again", "program", s.Name, "pid", id.PID, "error", err)
			s.restart()
		}
	}()
}

// The pauses between attempts to start the program again.
const (
	restartPause = 100 * time.Millisecond
	restartMax   = 10 * time.Second
)

// restart tries until the program runs, by whichever way, or isn't wanted any more.
func (s *Supervisor) restart() {
	pause := restartPause
	for {
		s.Lock()
		_, err := s.Process()
		if err == nil || s.stopping {
			s.Unlock()
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
		err = s.Start(ctx)
		cancel()
		s.Unlock()
		if err == nil {
			s.Log.Info("started again", "program", s.Name, "pid", s.last.Load())
			s.Lost()
			return
		}
		s.Lost()
		s.Log.Error("could not be started again", "program", s.Name, "error", err, "again", pause)
		select {
		case <-s.done:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, restartMax)
	}
}

// end ends a process that could not come to serve.
func (s *Supervisor) end(id ID) error {
	if err := id.Signal(s.Stop); err != nil {
		return err
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(2 * time.Second):
		return id.Signal(unix.SIGKILL)
	}
}

// Shutdown lets the program finish its calls and streams and end, and ends it with ctx.
func (s *Supervisor) Shutdown(ctx context.Context) error {
	s.Lock()
	s.stopping = true
	id, exited := s.id.Load(), s.exited
	s.Unlock()
	if id == nil {
		return nil
	}
	return s.Finish(ctx, *id, exited)
}

// Finish lets a process of the program finish its calls and streams and end, and ends it with ctx. exited is closed when it has ended.
func (p *Program) Finish(ctx context.Context, id ID, exited <-chan struct{}) error {
	for draining := true; draining; {
		if err := p.drain(id); err != nil {
			return err
		}
		select {
		case <-exited:
			return nil
		case <-time.After(drainAgain):
			// A signal that comes while a reload is under way may be lost.
		case <-ctx.Done():
			draining = false
		}
	}
	if err := id.Signal(p.Stop); err != nil {
		return err
	}
	select {
	case <-exited:
		return nil
	case <-time.After(5 * time.Second):
		return id.Signal(unix.SIGKILL)
	}
}

// drainAgain is when the signal to finish is sent once more.
const drainAgain = time.Second

// drain asks who is ready to be asked; the others are, the next time. A child that ended by the signal, for it was just
// starting, would make some masters end all others, with what they have begun.
func (p *Program) drain(id ID) error {
	all := []ID{id}
	if p.DrainChildren {
		all = append(all, id.Children()...)
	}
	var err error
	for _, each := range all {
		if each.Takes(p.Drain) {
			err = errors.Join(err, each.Signal(p.Drain))
		}
	}
	return err
}

// Close lets go of the program, which goes on running.
func (s *Supervisor) Close() error {
	s.Lock()
	s.stopping = true
	s.Unlock()
	s.stop()
	s.tasks.Wait()
	return s.said.Close()
}

// FreeSocket waits until nobody listens at a unix socket any more, and removes it. The processes of a killed
// program that still do are told to finish by drain; another program that does is an error.
func (k Kind) FreeSocket(ctx context.Context, socket string, drain unix.Signal) error {
	holders, err := Listeners(socket)
	if err != nil {
		return err
	}
	for _, pid := range holders {
		id, err := Identify(pid)
		if err != nil {
			continue
		}
		if err := k.executable(pid); err != nil && id.Alive() {
			return fmt.Errorf("process %d (%s) listens at %s: end it, or choose another --state-dir (%w)", pid, Name(pid), socket, err)
		}
		if err := id.Signal(drain); err != nil {
			return err
		}
	}
	return Poll(ctx, func() (bool, error) {
		// The last one to close it frees the socket, and with it the ports.
		err := RemoveSocket(socket)
		return err == nil, err
	})
}
