package bridge

import (
	"strconv"
	"time"

	"golang.org/x/net/http2"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
)

// grace is how much more than its time an endpoint is told: the bridge's answer comes first, and is the same for all endpoints.
const grace = 20 * time.Millisecond

// startTimer begins a call's time, when its action bounds it. The client's own that is shorter counts. The lock is held.
func (c *call) startTimer() {
	limit := c.action.timeout
	if limit == 0 && c.action.retry == nil || !c.grpc && limit == 0 {
		return
	}
	if own, ok := parseTimeout(c.timeout); ok && c.grpc && (limit == 0 || own < limit) {
		limit = own
	}
	if limit == 0 {
		return
	}
	c.deadline = time.Now().Add(limit)
	c.timer = time.AfterFunc(limit, c.late)
}

// late ends a call whose time is over.
func (c *call) late() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	c.b.metrics.late.Inc()
	c.abandon(c.overtime())
}

// overtime is what a call gets whose time is over.
func (c *call) overtime() verdict { return c.tooLong("the call took longer than the time that it has") }

// expired says whether an endpoint has given a call up because its time is over: gRPC has no other sign of that. On a busy machine it may be
// here before the bridge's own timer.
func (c *call) expired(end frames.End, now time.Time) bool {
	return c.grpc && end.Peer && end.Code == http2.ErrCodeCancel && !c.deadline.IsZero() && !now.Before(c.deadline)
}

// left is how long an attempt that begins now may take.
func (c *call) left() time.Duration {
	left := time.Until(c.deadline)
	if r := c.action.retry; r != nil && r.perTry > 0 {
		left = min(left, r.perTry)
	}
	return left
}

// units are those of grpc-timeout, from the smallest that is used.
var units = []struct {
	name byte
	unit time.Duration
}{{'u', time.Microsecond}, {'m', time.Millisecond}, {'S', time.Second}, {'M', time.Minute}, {'H', time.Hour}}

// maxDigits is how many digits a grpc-timeout has at most, and maxNumber the largest of them.
const (
	maxDigits = 8
	maxNumber = 99999999
)

// formatTimeout writes a grpc-timeout, in the smallest unit that has room for it.
func formatTimeout(d time.Duration) string {
	d = max(d, time.Microsecond)
	for _, u := range units {
		if n := d / u.unit; n <= maxNumber {
			return strconv.FormatInt(int64(n), 10) + string(u.name)
		}
	}
	return strconv.Itoa(maxNumber) + "H"
}

// parseTimeout reads a grpc-timeout. One that isn't well formed is none.
func parseTimeout(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > maxDigits+1 {
		return 0, false
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil {
		return 0, false
	}
	unit := time.Nanosecond
	if name := text[len(text)-1]; name != 'n' {
		unit = 0
		for _, u := range units {
			if u.name == name {
				unit = u.unit
			}
		}
	}
	if unit == 0 {
		return 0, false
	}
	if n > uint64(longest/unit) {
		return longest, true
	}
	return time.Duration(n) * unit, true
}

// longest is a time that no call takes.
const longest = 100 * 365 * 24 * time.Hour
