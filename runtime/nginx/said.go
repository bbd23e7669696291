package nginx

import (
	"context"
	"io"
	"regexp"
	"strconv"

	"github.com/gatewright/gatewright/runtime/process"
)

// ownLine is a line in which nginx speaks for itself: "DATE TIME [level] PID#THREAD: text". While it starts it writes
// "nginx: [level] text" too.
var ownLine = regexp.MustCompile(`^(?:nginx: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )\[(emerg|alert)\](?: (\d+)#\d+:)? `)

// complaint says whether a line tells of a failure of the master, or of the one that was to be. What a worker says counts
// for nothing, and neither does what only looks like nginx's within a line: a client may have written it.
func complaint(master int, line string) bool {
	level := ownLine.FindStringSubmatch(line)
	return level != nil && (level[2] == "" || level[2] == strconv.Itoa(master))
}

// refusal is complaint for what ends a reload. A port that is taken is tried five times, half a second apart, before
// nginx gives up.
func refusal(line string) bool {
	level := ownLine.FindStringSubmatch(line)
	return level != nil && level[1] == "emerg" && level[2] != "" && !bindAgain.MatchString(line)
}

var bindAgain = regexp.MustCompile(`^[^:]+:\d\d:\d\d \[emerg\] \d+#\d+: bind\(\) to `)

// followCalls passes on what is said of calls.
func (p *Proxy) followCalls() error {
	if p.CallLog == "" {
		return nil
	}
	var err error
	if p.calls, err = process.OpenLog(p.CallLog); err != nil {
		return err
	}
	out := p.Errors
	if out == nil {
		out = io.Discard
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	p.following.Go(func() { p.calls.Copy(ctx, out) })
	return nil
}
