package haproxy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/process"
	"github.com/gatewright/gatewright/test/harness"
)

// TestSlowReload: a reload that takes its time is no lost signal. A second signal would make HAProxy reload again, and the
// worker that is just starting would not hand its ports on.
func TestSlowReload(t *testing.T) {
	each(t, func(s *stand) {
		s.serve(8080)
		reloads := 0
		for held := false; !held; reloads++ {
			if reloads == 20 {
				s.Fatal("no reload was slow enough to be held")
			}
			generation := s.put(8080, int32(8081+reloads))
			done := make(chan error, 1)
			go func() { done <- s.hold(&held) }()
			if err := s.proxy.Reload(context.Background(), s.store.Current(), generation); err != nil {
				s.Error(err)
			}
			if err := <-done; err != nil {
				s.Fatal(err)
			}
			s.answers(generation)
		}
		// What was asked for twice comes before this one.
		s.serve(8079)
		said, err := os.ReadFile(filepath.Join(s.state, "haproxy.log"))
		if err != nil {
			s.Fatal(err)
		}
		if workers := len(regexp.MustCompile(`[Nn]ew worker (#\d+ )?\(`).FindAll(said, -1)); workers != 1+reloads+1 {
			s.Errorf("%d workers came by a start and %d reloads:\n%s", workers, reloads+1, said)
		}
	})
}

// hold stops what reads the configuration in a reload for longer than a lost signal is waited for: from 3.1 on that is the
// new worker, before it the master, which has started itself again with other arguments.
func (s *stand) hold(held *bool) error {
	master := s.master()
	before, title := process.Children(master), process.Title(master)
	reader := 0
	ctx, cancel := context.WithTimeout(context.Background(), harness.DefaultTimeout)
	defer cancel()
	err := process.Poll(ctx, func() (bool, error) {
		fresh := slices.DeleteFunc(process.Children(master), func(pid int) bool { return slices.Contains(before, pid) })
		now := process.Title(master)
		switch {
		case s.binary.Capabilities.Version.AtLeast(3, 1, 0):
			if len(fresh) > 0 {
				reader = fresh[0]
			}
		case len(fresh) > 0:
			return true, nil // It was too fast.
		case now != title && now != "":
			reader = master
		}
		return reader != 0, errors.New("nothing reads the configuration")
	})
	if reader == 0 {
		return err
	}
	id, err := process.Identify(reader)
	if err == nil {
		err = id.Signal(unix.SIGSTOP)
	}
	if err != nil {
		return err
	}
	<-time.After(2500 * time.Millisecond) // Longer than a lost signal is waited for.
	*held = true
	return id.Signal(unix.SIGCONT)
}
