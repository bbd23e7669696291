package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
)

// processes are the master's and its workers' ids.
type processes struct {
	master int
	// serving take new connections, old only finish what they have begun.
	serving, old []int
}

// command sends one command to the master socket and returns all that it answers.
func (p *Proxy) command(ctx context.Context, text string) (string, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.socket, Net: "unix"})
	if err != nil {
		return "", fmt.Errorf("HAProxy's master socket: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	if err == nil {
		_, err = io.WriteString(conn, text+"\n")
	}
	if err == nil {
		// That nothing more is asked makes the master close its side after the answer.
		err = conn.CloseWrite()
	}
	var out []byte
	if err == nil {
		out, err = io.ReadAll(conn)
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return string(out), fmt.Errorf("HAProxy's master socket: %s: %w", text, err)
	}
	return string(out), nil
}

// procs are the processes of a running master. Without its socket the system is asked for its children, all of
// which count as serving.
func (p *Proxy) procs(ctx context.Context, master int) processes {
	if p.socket != "" {
		if out, err := p.show(ctx); err == nil {
			return out
		}
	}
	return processes{master: master, serving: process.Children(master)}
}

// show asks the master for its workers. One that is starting again doesn't answer.
func (p *Proxy) show(ctx context.Context) (processes, error) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	text, err := p.command(ctx, "show proc")
	if err != nil {
		return processes{}, err
	}
	return parseProcs(text), nil
}

// parseProcs reads `show proc`: lines of "pid type reloads uptime version" below headings.
func parseProcs(text string) processes {
	var out processes
	section := ""
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(line, "# "); ok {
			section = strings.TrimSpace(heading)
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		switch {
		case err != nil:
		case fields[1] == "master":
			out.master = pid
		case fields[1] == "worker" && section == "old workers":
			out.old = append(out.old, pid)
		case fields[1] == "worker":
			out.serving = append(out.serving, pid)
		}
	}
	return out
}

// again is when a signal that HAProxy has lost is sent once more: it has neither a new worker nor done anything since. A
// second reload while the first is under way finds a worker that doesn't yet hand its ports on, and connections are lost.
const again = 2 * time.Second

// Reload makes HAProxy read its configuration again, or starts it, and returns when the generation answers from a
// worker that wasn't there before. generation is "" for a configuration without a marker. The error has the end
// of what HAProxy said.
func (p *Proxy) Reload(ctx context.Context, _, generation string) error {
	defer p.Hold()()
	master, err := p.master()
	if err != nil {
		if p.Child == nil {
			return fmt.Errorf("HAProxy can't be reloaded: %w", err)
		}
		return p.Begin(ctx, generation)
	}
	if p.Child == nil {
		if master != (process.ID{}) {
			err = p.startedFrom(master.PID)
		}
		if err == nil {
			err = p.reads(master)
		}
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	if p.bySignal() {
		// The workers that it starts before it is ready are old ones to this reload.
		if err := master.Ready(ctx, unix.SIGUSR2); err != nil {
			return err
		}
	}
	r := &reloading{master: master, before: p.procs(ctx, master.PID), generation: generation, said: p.Said()}
	r.begun = starting{before: r.before.serving, serving: p.worker}
	err = p.ask(ctx, master)
	r.asked = time.Now()
	if err == nil {
		err = process.Poll(ctx, func() (bool, error) { return p.comes(ctx, r) })
	}
	if err == nil {
		p.worker = r.begun.seen
	}
	return p.Explain(err, r.said)
}

// reloading is a reload that was asked for.
type reloading struct {
	master     process.ID
	before     processes
	generation string
	// said is the size of a child's log before it.
	said  int64
	begun starting
	quiet process.Quiet
	asked time.Time
}

// works says whether the master is at it: it has begun a worker, or is about to, when it doesn't take another signal.
func (r *reloading) works() bool {
	return r.master.PID != 0 && (r.before.joinedBy(process.Children(r.master.PID)) || r.quiet.For(r.master.PID) < again ||
		!r.master.Takes(unix.SIGUSR2))
}

// comes says whether a reload is done, and what is still missing or has failed.
func (p *Proxy) comes(ctx context.Context, r *reloading) (done bool, err error) {
	err = p.serves(ctx, r.master.PID, r.before.serving, r.generation)
	if err == nil && p.socket == "" && r.generation == "" {
		err = r.begun.check(process.Children(r.master.PID))
	}
	switch {
	case err == nil:
		return true, nil
	case r.master != (process.ID{}) && !r.master.Alive():
		return true, errors.New("HAProxy has ended")
	case p.refused(r.said, r.before), r.begun.ended(process.Children(r.master.PID)):
		// Its answer says more than any line of a log.
		if p.serves(ctx, r.master.PID, r.before.serving, r.generation) == nil {
			return true, nil
		}
		return true, errors.New("HAProxy did not take the new configuration")
	case !r.works() && time.Since(r.asked) > again:
		r.asked = time.Now()
		if err := p.ask(ctx, r.master); err != nil {
			return true, err
		}
	}
	return false, fmt.Errorf("HAProxy does not come to serve the new configuration: %w", err)
}

// bySignal says that a master is asked by signal. A child is: the socket of 2.6 closes without an answer, and both do the same.
func (p *Proxy) bySignal() bool { return p.socket == "" || p.Child != nil }

// ask asks for a reload: by the master socket, which tells whether it worked from 3.0 on, or by signal.
func (p *Proxy) ask(ctx context.Context, master process.ID) error {
	if p.bySignal() {
		return master.Ask(ctx, unix.SIGUSR2)
	}
	answer, err := p.askSocket(ctx)
	if err != nil && answer == "" {
		var noSocket *net.OpError
		switch {
		case !errors.As(err, &noSocket) || noSocket.Op != "dial":
			// Before 3.0 it drops the connection when it starts again. Whether it does is seen later; a signal too would make it two reloads.
			return nil
		case master == (process.ID{}):
			return errors.Join(err, errNotSeen)
		}
		// Its socket is gone after a reload that failed. The signal does the same.
		return master.Ask(ctx, unix.SIGUSR2)
	}
	if text, failed := strings.CutPrefix(answer, "Success=0"); failed && err == nil {
		err = fmt.Errorf("HAProxy did not take the new configuration: %s", strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "--")))
	}
	return err
}

// askSocket asks until no other reload is under way: from 3.1 on a start is one until the worker serves.
func (p *Proxy) askSocket(ctx context.Context) (answer string, err error) {
	err = process.Poll(ctx, func() (bool, error) {
		answer, err = p.command(ctx, "reload")
		if strings.Contains(answer, "Another reload is still in progress") {
			return false, errors.New("HAProxy does not come to the end of another reload")
		}
		return true, err
	})
	return answer, err
}

// joinedBy says whether a master's children have a worker that wasn't there before.
func (p processes) joinedBy(children []int) bool {
	return slices.ContainsFunc(children, func(pid int) bool { return !slices.Contains(p.serving, pid) && !slices.Contains(p.old, pid) })
}

// serves says what is still missing.
func (p *Proxy) serves(ctx context.Context, master int, before []int, generation string) error {
	if p.Marker != "" && (generation != "" || p.Child != nil) {
		running, err := p.Runner.Running(ctx)
		if err != nil {
			return err
		}
		if generation != "" && running != generation {
			return fmt.Errorf("it serves generation %s, not %s", running, generation)
		}
	}
	if !slices.ContainsFunc(p.procs(ctx, master).serving, func(pid int) bool { return !slices.Contains(before, pid) }) {
		return errors.New("it has no new worker")
	}
	return nil
}

// starting tells by a master's children alone whether a reload works. From HAProxy 3.1 on a new worker is there
// before it has its ports, and ends when it doesn't get them within 2 s.
type starting struct {
	// before are the workers that there were before the reload; serving is the one of them that took connections, 0 when that isn't known.
	before  []int
	serving int
	// seen is the new worker, and since when.
	seen  int
	since time.Time
}

// stays is how long a worker has to be there until it must have its ports.
const stays = 3 * time.Second

// check returns nil when the new worker serves.
func (s *starting) check(children []int) error {
	isNew := func(pid int) bool { return !slices.Contains(s.before, pid) }
	if i := slices.IndexFunc(children, isNew); i >= 0 && s.seen == 0 {
		s.seen, s.since = children[i], time.Now()
	}
	serving := s.serving
	if len(s.before) == 1 {
		serving = s.before[0]
	}
	// It ends as soon as the new one serves, when it has nothing left to do.
	replaced := serving != 0 && !slices.Contains(children, serving)
	if s.seen == 0 || !replaced && time.Since(s.since) < stays {
		return errors.New("its new worker is starting")
	}
	return nil
}

// ended says whether the new worker has gone again.
func (s *starting) ended(children []int) bool {
	return s.seen != 0 && !slices.Contains(children, s.seen)
}

// refused says whether HAProxy has given a reload up. What an old worker says may be text of clients, and is no answer to that.
func (p *Proxy) refused(said int64, before processes) bool {
	return p.Child != nil && slices.ContainsFunc(p.Child.Complaints(said), func(line string) bool {
		pid, err := strconv.Atoi(alert.FindStringSubmatch(line)[1])
		return err == nil && !slices.Contains(before.serving, pid) && !slices.Contains(before.old, pid)
	})
}
