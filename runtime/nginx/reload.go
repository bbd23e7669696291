package nginx

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
)

// Reload makes nginx read its configuration again, or starts it, and returns when the generation answers and only
// new workers take connections. generation is "" for a configuration without a marker. The error has the
// end of what nginx said.
func (p *Proxy) Reload(ctx context.Context, _, generation string) error {
	defer p.Hold()()
	master, err := p.master()
	if err != nil {
		if p.Child == nil {
			return fmt.Errorf("nginx can't be reloaded: %w", err)
		}
		return p.Begin(ctx, generation)
	}
	if p.Child == nil {
		err := p.startedFrom(master.PID)
		if err == nil {
			err = p.ReadableBy(master.PID, filepath.Dir(p.Config))
		}
		if err != nil {
			return err
		}
	}
	var hurrying sync.WaitGroup
	defer hurrying.Wait()
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	if err := begun(ctx, master); err != nil {
		return err
	}
	quiet := settled(master.PID)
	_, before := workers(master.PID)
	said := p.Said()
	p.reloaded.Store(time.Now().UnixNano())
	if err := master.Ask(ctx, unix.SIGHUP); err != nil {
		return err
	}
	if quiet {
		hurrying.Go(func() { hurry(ctx, master, before) })
	}
	err = process.Poll(ctx, func() (bool, error) {
		err := p.serves(ctx, master.PID, before, generation)
		switch {
		case err == nil:
			return true, nil
		case !master.Alive():
			return true, errors.New("nginx has ended")
		case p.refused(said):
			// Its answer says more than any line of a log.
			if p.serves(ctx, master.PID, before, generation) == nil {
				return true, nil
			}
			return true, errors.New("nginx did not take the new configuration")
		}
		return false, fmt.Errorf("nginx does not come to serve the new configuration: %w", err)
	})
	return p.Explain(err, said)
}

// begun waits for a master that is about to start its first workers: they come with the configuration that it has, and would look
// like new ones. One that is at rest without any has given up to start them, and a reload may help.
func begun(ctx context.Context, master process.ID) error {
	var quiet process.Quiet
	return process.Poll(ctx, func() (bool, error) {
		if _, serving := workers(master.PID); len(serving) > 0 || !master.Alive() || quiet.For(master.PID) > rest {
			return true, nil
		}
		return false, fmt.Errorf("nginx (process %d) is still starting its workers", master.PID)
	})
}

// rest is how long a master that has something to do is never without doing it.
const rest = time.Second

// settled says that no worker is being replaced, which would come with the old configuration and look like a new worker.
func settled(master int) bool {
	for _, pid := range process.Children(master) {
		// One that has ended has no title, and one that has just been started its parent's.
		if title := process.Title(pid); title == "" || strings.HasPrefix(title, "nginx: master") {
			return false
		}
	}
	return true
}

// hurry lets the workers from before the reload drain as soon as as many new ones take connections. nginx waits another tenth of a
// second, in which most new connections still go to those. None is lost: the listening sockets are the master's too,
// and keep what nobody has accepted yet.
func hurry(ctx context.Context, master process.ID, before []int) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, serving := workers(master.PID)
		old := slices.DeleteFunc(slices.Clone(serving), func(pid int) bool { return !slices.Contains(before, pid) })
		switch fresh := len(serving) - len(old); {
		case len(old) == 0:
			return
		case fresh < len(before):
			// A worker has its title once it is ready.
		default:
			for _, child := range master.Children() {
				if slices.Contains(old, child.PID) {
					// Who may not signal them leaves it to nginx.
					_ = child.Signal(unix.SIGQUIT)
				}
			}
			return
		}
	}
}

// serves says what is still missing.
func (p *Proxy) serves(ctx context.Context, master int, before []int, generation string) error {
	if generation != "" && p.Marker != "" {
		running, err := p.Runner.Running(ctx)
		if err != nil {
			return err
		}
		if running != generation {
			return fmt.Errorf("it serves generation %s, not %s", running, generation)
		}
	}
	// After the new workers have begun, the earlier ones go on accepting for a moment.
	_, serving := workers(master)
	for _, pid := range serving {
		if slices.Contains(before, pid) {
			return fmt.Errorf("worker %d, from before the reload, still takes connections", pid)
		}
	}
	if len(serving) == 0 {
		return errors.New("it has no worker")
	}
	return nil
}

// refused says whether nginx has given a reload up.
func (p *Proxy) refused(said int64) bool {
	return p.Child != nil && slices.ContainsFunc(p.Child.Complaints(said), refusal)
}
