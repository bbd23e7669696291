package bridge

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// What a retry policy has that doesn't say.
const (
	defaultBackoff   = 25 * time.Millisecond
	defaultBytes     = 64 << 10
	defaultPercent   = 20
	defaultPerSecond = 10
	// maxBackoff is how many times the first pause the longest one is.
	maxBackoff = 10
)

// retry is a Retry, ready to use.
type retry struct {
	retries         int
	on              []Condition
	perTry, backoff time.Duration
	bytes           int
	percent, least  int
	spent           *spending
}

func newRetry(r Retry) *retry {
	out := &retry{retries: r.Retries, on: r.On, perTry: time.Duration(r.PerTry), backoff: time.Duration(r.Backoff), bytes: r.RequestBytes,
		percent: defaultPercent, least: defaultPerSecond, spent: &spending{}}
	if out.backoff == 0 {
		out.backoff = defaultBackoff
	}
	if out.bytes == 0 {
		out.bytes = defaultBytes
	}
	if r.Budget != nil {
		out.percent, out.least = r.Budget.Percent, r.Budget.PerSecond
	}
	return out
}

// wants says whether a condition, or the status that the client would get, is one to send a call again for.
func (r *retry) wants(condition Condition, code codes.Code) bool {
	if condition != "" && slices.Contains(r.on, condition) {
		return true
	}
	other := conditionOf(code)
	return other != "" && slices.Contains(r.on, other)
}

// pause is how long to wait before the n-th retry.
func (r *retry) pause(n int) time.Duration {
	d := min(r.backoff<<min(n, 10), maxBackoff*r.backoff)
	return d*4/5 + rand.N(d*2/5+1)
}

// retryResponse sends a call again whose response is a status and nothing else, if the policy has that.
func (c *call) retryResponse(a *attempt, fields []hpack.HeaderField) bool {
	code := statusIn(fields)
	pause, ok := c.mayRetry(conditionOf(code), code, pushback(fields))
	if !ok {
		return false
	}
	a.end()
	c.attempt = nil
	if !c.ended {
		a.stream.Reset(cancelCode)
	}
	c.failed = []*endpoint{a.to}
	c.retryIn(pause)
	return true
}

// retryAfter sends a call again that failed without a response, if the policy has that, and else answers it.
func (c *call) retryAfter(f failure) {
	if pause, ok := c.mayRetry(f.condition, f.verdict.code, ""); ok {
		c.retryIn(pause)
		return
	}
	c.answer(f.verdict)
}

// mayRetry says whether to send the call again, and after which pause. The budget is asked last, for it counts.
func (c *call) mayRetry(condition Condition, code codes.Code, pushback string) (time.Duration, bool) {
	r := c.action.retry
	if r == nil || !c.grpc || c.lossy || c.retried >= r.retries || !r.wants(condition, code) {
		return 0, false
	}
	pause := r.pause(c.retried)
	if pushback != "" {
		ms, err := strconv.ParseInt(pushback, 10, 32)
		if err != nil || ms < 0 {
			return 0, false // The endpoint doesn't want it.
		}
		pause = time.Duration(ms) * time.Millisecond
	}
	now := time.Now()
	if !c.deadline.IsZero() && now.Add(pause).After(c.deadline) {
		return 0, false // The status that there is says more than that the time is over.
	}
	if !r.spent.allow(now, r.percent, r.least) {
		c.b.metrics.overBudget.Inc()
		return 0, false
	}
	return pause, true
}

// pushback is what the endpoint says of when to come again; "" is nothing.
func pushback(fields []hpack.HeaderField) string {
	for _, f := range fields {
		if f.Name == "grpc-retry-pushback-ms" {
			return f.Value
		}
	}
	return ""
}

// retryIn sends the call again after a pause. The lock is held.
func (c *call) retryIn(pause time.Duration) {
	c.retried++
	c.b.metrics.retried(c.action)
	time.AfterFunc(pause, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.done {
			c.try()
		}
	})
}

// startTimer begins the attempt's own time. The lock is held.
func (a *attempt) startTimer() {
	if r := a.call.action.retry; r != nil && r.perTry > 0 {
		a.timer = time.AfterFunc(r.perTry, a.late)
	}
}

// late gives an attempt up that took too long to answer.
func (a *attempt) late() {
	c := a.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.over || c.answered {
		return
	}
	c.drop(cancelCode)
	c.failed = []*endpoint{a.to}
	c.retryAfter(failure{DeadlineExceeded, c.tooLong("a try took longer than the time that it has")})
}

// spending counts the calls and retries of an action in the last ten seconds.
type spending struct {
	mu             sync.Mutex
	second         int64
	calls, retries [seconds]int
}

const seconds = 10

// advance clears the seconds that have gone by. The lock is held.
func (s *spending) advance(now time.Time) int {
	second := now.Unix()
	for i := max(s.second+1, second-seconds+1); i <= second; i++ {
		s.calls[i%seconds], s.retries[i%seconds] = 0, 0
	}
	s.second = max(s.second, second)
	return int(s.second % seconds)
}

// call counts a call.
func (s *spending) call(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[s.advance(now)]++
}

// allow says whether one retry more is within the budget, and counts it.
func (s *spending) allow(now time.Time, percent, least int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.advance(now)
	calls, retries := 0, 0
	for i := range seconds {
		calls += s.calls[i]
		retries += s.retries[i]
	}
	if s.retries[at] >= least && (retries+1)*100 > calls*percent {
		return false
	}
	s.retries[at]++
	return true
}
