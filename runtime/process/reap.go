package process

import (
	"context"
	"os"
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
