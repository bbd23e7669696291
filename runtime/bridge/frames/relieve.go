package frames

import (
	"errors"

	"golang.org/x/net/http2"
)

// errStill ends a stream that nobody takes anything of while the room that it holds is needed.
var errStill = errors.New("nothing was taken of it for too long, and its room was needed")

// Relieve is called again and again while the Budget is nearly used up. It resets the streams that have had something to send
// at so many calls and have sent nothing: what they hold is what keeps others waiting. It returns how many.
func (c *Conn) Relieve(calls int) int {
	c.mu.Lock()
	c.look++
	var still []*Stream
	for _, s := range c.all() {
		switch {
		case s.queued == 0:
			s.seen = c.look
		case c.look-s.seen >= calls:
			still = append(still, s)
			s.reset(http2.ErrCodeEnhanceYourCalm)
		}
	}
	c.mu.Unlock()
	for _, s := range still {
		if s.handler != nil {
			s.handler.Closed(End{Code: http2.ErrCodeEnhanceYourCalm, Err: errStill})
		}
	}
	return len(still)
}

// Pressed says whether the budget is nearly used up.
func (b *Budget) Pressed() bool { return b.used.Load() > b.limit/4*3 }
