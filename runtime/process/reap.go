package process

import (
	"context"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// reapAfter is how long a child must have been dead before it is reaped as an orphan. Whoever has started a child waits for it, and
// takes it at once.
const reapAfter = 3 * time.Second

// ReapOrphans takes away the processes that have ended and that nobody waits for, until ctx ends. The first process of a container
// gets all that lose their parent, such as the workers of a proxy that was killed. It does nothing in any other process.
func ReapOrphans(ctx context.Context) {
	if os.Getpid() == 1 {
		reapOrphans(ctx, reapAfter)
	}
}

func reapOrphans(ctx context.Context, after time.Duration) {
	tick := time.NewTicker(after / 3)
	defer tick.Stop()
	dead := map[ID]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		seen := map[ID]time.Time{}
		for _, id := range deadChildren(os.Getpid()) {
			since, known := dead[id]
			switch {
			case !known:
				seen[id] = now
			case now.Sub(since) < after:
				seen[id] = since
			default:
				// It is one for certain: its number is nobody else's before it is reaped.
				_, _ = unix.Wait4(id.PID, nil, unix.WNOHANG, nil)
			}
		}
		dead = seen
	}
}

// deadChildren are the children of a process that have ended and wait for it.
func deadChildren(parent int) []ID {
	var out []ID
	for _, pid := range childrenOf(parent) {
		if fields, err := stat(pid); err == nil && fields[statState] == "Z" {
			out = append(out, ID{PID: pid, start: fields[statStart]})
		}
	}
	return out
}

// Adopt makes this process the parent of all below it that lose theirs, wherever it isn't process 1 itself.
func Adopt() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// EndOrphans ends the processes of a group that have lost their parent to this one, at once, takes them away and says how many they
// were: nginx's workers outlive a master that was killed, and would keep its addresses. The group is one that this process has made.
func EndOrphans(group int) int {
	n := 0
	for _, pid := range childrenOf(os.Getpid()) {
		// A child's number is nobody else's before it is reaped, which only this does to one that it hasn't started.
		if fields, err := stat(pid); err == nil && fields[statGroup] == strconv.Itoa(group) && unix.Kill(pid, unix.SIGKILL) == nil {
			_, _ = unix.Wait4(pid, nil, 0, nil)
			n++
		}
	}
	return n
}
