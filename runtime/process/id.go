package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ID is one process for certain: its number may be another process's later, but not with the same start. The zero value
// is none.
type ID struct {
	PID int
	// start is when it began, in clock ticks since the machine did.
	start string
}

// Identify returns the process that has a number now. The error means that none has.
func Identify(pid int) (ID, error) {
	fields, err := stat(pid)
	if err != nil {
		return ID{}, fmt.Errorf("process %d %w", pid, ErrEnded)
	}
	return ID{PID: pid, start: fields[statStart]}, nil
}

// String tells processes apart whose numbers are the same.
func (id ID) String() string { return fmt.Sprintf("%d started at %s", id.PID, id.start) }

// Alive says whether it still runs; one that waits for its parent doesn't.
func (id ID) Alive() bool {
	fields, err := stat(id.PID)
	return err == nil && fields[statStart] == id.start && fields[statState] != "Z" && fields[statState] != "X"
}

// Signal sends it a signal, and never another process that has got its number since (R44). That it has ended is no error.
func (id ID) Signal(s unix.Signal) error {
	if id.PID <= 0 || id.PID == os.Getpid() {
		return fmt.Errorf("%s: process %d isn't one to signal", unix.SignalName(s), id.PID)
	}
	send := func() error { return unix.Kill(id.PID, s) }
	switch fd, err := unix.PidfdOpen(id.PID, 0); {
	case err == nil:
		defer func() { _ = unix.Close(fd) }() // Nothing was written to it.
		send = func() error { return unix.PidfdSendSignal(fd, s, nil, 0) }
	case errors.Is(err, unix.ESRCH):
		return nil
	default:
		// A kernel before 5.3, or a sandbox without the call: the check below is as near as it gets.
	}
	if !id.Alive() {
		return nil
	}
	err := send()
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s to process %d: not allowed: run gatewright as the user that the proxy runs as", unix.SignalName(s), id.PID)
	case err != nil:
		return fmt.Errorf("%s to process %d: %w", unix.SignalName(s), id.PID, err)
	}
	return nil
}

// Ask sends a signal that its program takes for a request, once it does. The error says so when ctx ends first.
func (id ID) Ask(ctx context.Context, s unix.Signal) error {
	if err := id.Ready(ctx, s); err != nil {
		return err
	}
	return id.Signal(s)
}

// Ready waits until it Takes a signal or has ended: one that is just starting would end by it, for that is what the system does
// with a signal that nobody has asked for.
func (id ID) Ready(ctx context.Context, s unix.Signal) error {
	return Poll(ctx, func() (bool, error) {
		if id.Takes(s) || !id.Alive() {
			return true, nil
		}
		return false, fmt.Errorf("%s to process %d: it is still starting, and would end by it or not see it", unix.SignalName(s), id.PID)
	})
}

// Takes says whether it has a handler for a signal. One that lets the signal wait may have none yet when it comes, and end by it:
// HAProxy's master does so for a moment. One that ignores it doesn't see it: HAProxy's master does so while a worker starts.
func (id ID) Takes(s unix.Signal) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id.PID))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err == nil && mask&(1<<(s-1)) != 0
		}
	}
	return false
}

// Children are its living children.
func (id ID) Children() []ID {
	var out []ID
	for _, pid := range Children(id.PID) {
		// Whoever has got the number of one that has just ended has another parent.
		if child, err := Identify(pid); err == nil && Parent(pid) == id.PID {
			out = append(out, child)
		}
	}
	return out
}
