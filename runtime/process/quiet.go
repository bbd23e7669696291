package process

import (
	"slices"
	"time"
)

// Quiet tells for how long a process has done nothing: a signal that was sent that long ago never got to it. A
// busy machine may keep one that works from working, so time alone doesn't tell. The zero value is ready.
type Quiet struct {
	seen  []string
	since time.Time
}

// For is how long the process has slept without a moment of work and without another child, as far as calls of For have
// seen it; 0 for one that works, waits for the processor, or is stopped.
func (q *Quiet) For(pid int) time.Duration {
	fields, err := stat(pid)
	if err != nil {
		return 0
	}
	seen := []string{fields[statUserTime], fields[statSystemTime]}
	for _, child := range Children(pid) {
		if id, err := Identify(child); err == nil {
			seen = append(seen, id.String())
		}
	}
	if fields[statState] != "S" || !slices.Equal(seen, q.seen) {
		q.seen, q.since = seen, time.Now()
	}
	return time.Since(q.since)
}
