package nginx

import (
	"bytes"
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

// indented passes on what nginx says of calls. A newline in a client's value doesn't begin a line there: what follows it is
// moved in, so that nobody takes it for somebody else's word.
type indented struct {
	out  io.Writer
	rest []byte
}

// dated is how nginx begins a line.
var dated = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] `)

func (w *indented) Write(text []byte) (int, error) {
	w.rest = append(w.rest, text...)
	whole := bytes.LastIndexByte(w.rest, '\n') + 1
	var out []byte
	for line := range bytes.Lines(w.rest[:whole]) {
		if !dated.Match(line) {
			out = append(out, "    "...)
		}
		out = append(out, line...)
	}
	w.rest = append(w.rest[:0], w.rest[whole:]...)
	if len(out) == 0 {
		return len(text), nil
	}
	_, err := w.out.Write(out)
	return len(text), err
}

// followCalls passes on what is said of calls.
func (p *Proxy) followCalls() error {
	if p.CallLog == "" {
		return nil
	}
	var err error
	if p.calls, err = process.OpenLog(p.CallLog); err != nil {
		return err
	}
	out := io.Discard
	if p.Errors != nil {
		out = &indented{out: p.Errors}
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	p.following.Go(func() { p.calls.Copy(ctx, out) })
	return nil
}
