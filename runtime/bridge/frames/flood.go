package frames

import (
	"time"

	"golang.org/x/net/http2"
)

// What a peer may send that costs work and brings nothing: SETTINGS, PING, PRIORITY, empty frames, frames of streams that
// are gone, and streams that it opens and resets at once. A peer that does its work never comes near.
const (
	floodBurst     = 10000
	floodPerSecond = 1000
	// rapid is how soon after its start a stream that is reset counts. Calls that are given up later are no flood, be they
	// many: clients whose deadlines pass when an endpoint stands still do that.
	rapid = 20 * time.Millisecond
)

// flood counts what brings nothing.
type flood struct {
	count float64
	at    time.Time
}

// idle counts one thing more. The error ends the connection.
func (f *flood) idle(now time.Time) error {
	f.count = max(0, f.count-now.Sub(f.at).Seconds()*floodPerSecond) + 1
	f.at = now
	if f.count > floodBurst {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return nil
}

// good makes up for so many things.
func (f *flood) good(n float64) { f.count = max(0, f.count-n) }

// goodStream is what a stream that has ended as it should makes up for.
const goodStream = 4
