package bridge

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gatewright/gatewright/test/harness"
)

var failingCalls = flag.Int("failing", 15, "how many failing calls of each condition are made")

// failing is an endpoint whose calls fail in a way, and that counts them.
func failing(t *testing.T, how func(*harness.RawStream)) (address string, starts *atomic.Int64) {
	t.Helper()
	address = harness.Address(t) + ":8080"
	starts = &atomic.Int64{}
	harness.StartRawServer(t, func(s *harness.RawStream) {
		starts.Add(1)
		how(s)
	}, address)
	return address, starts
}

func trailersOnly(code codes.Code) func(*harness.RawStream) {
	return func(s *harness.RawStream) {
		s.Headers(true, ":status", "200", "content-type", "application/grpc", "grpc-status", fmt.Sprint(int(code)))
	}
}

func resets(code http2.ErrCode) func(*harness.RawStream) {
	return func(s *harness.RawStream) { s.Reset(code) }
}

// unbounded is a budget that a test never meets.
var unbounded = &RetryBudget{Percent: 100_000, PerSecond: 1000}

func quick(retries int, on ...Condition) *Retry {
	return &Retry{Retries: retries, On: on, Backoff: Duration(time.Millisecond), Budget: unbounded}
}

// TestConditions counts at the endpoint how often a failing call is begun: as often as its condition says, and once for the
// others.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		name string
		how  func(*harness.RawStream)
		code codes.Code
		on   []Condition
	}{
		{"cancelled", trailersOnly(codes.Canceled), codes.Canceled, []Condition{Cancelled}},
		{"deadline-exceeded", trailersOnly(codes.DeadlineExceeded), codes.DeadlineExceeded, []Condition{DeadlineExceeded}},
		{"internal", trailersOnly(codes.Internal), codes.Internal, []Condition{Internal}},
		{"resource-exhausted", trailersOnly(codes.ResourceExhausted), codes.ResourceExhausted, []Condition{ResourceExhausted}},
		{"unavailable", trailersOnly(codes.Unavailable), codes.Unavailable, []Condition{Unavailable}},
		{"not found", trailersOnly(codes.NotFound), codes.NotFound, nil},
		{"reset: cancel", resets(http2.ErrCodeCancel), codes.Canceled, []Condition{Cancelled}},
		{"reset: internal", resets(http2.ErrCodeInternal), codes.Internal, []Condition{Internal}},
		{"reset: calm", resets(http2.ErrCodeEnhanceYourCalm), codes.ResourceExhausted, []Condition{ResourceExhausted}},
		{"reset: refused", resets(http2.ErrCodeRefusedStream), codes.Unavailable, []Condition{RefusedStream, Unavailable}},
		{"connection lost", (*harness.RawStream).CloseConnection, codes.Unavailable, []Condition{Unavailable}},
		{"after headers", func(s *harness.RawStream) {
			s.Headers(false, ":status", "200", "content-type", "application/grpc")
			s.Headers(true, "grpc-status", "14")
		}, codes.Unavailable, []Condition{Unavailable}},
		{"reset after headers", func(s *harness.RawStream) {
			s.Headers(false, ":status", "200", "content-type", "application/grpc")
			s.Reset(http2.ErrCodeRefusedStream)
		}, codes.Unavailable, []Condition{Unavailable}},
		{"after a message", func(s *harness.RawStream) {
			s.Headers(false, ":status", "200", "content-type", "application/grpc")
			s.Data(false, []byte("\x00\x00\x00\x00\x01m"))
			s.Headers(true, "grpc-status", "14")
		}, codes.Unavailable, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, starts := failing(t, c.how)
			config := Config{Actions: map[string]Action{"none": {Upstream: "u"}}, Upstreams: map[string]Upstream{"u": upstreamOf(t, address)}}
			for _, on := range Conditions {
				config.Actions[string(on)] = Action{Upstream: "u", Retry: quick(2, on)}
			}
			b := serving(t, config, heldBytes, time.Minute) // However slow the machine is.
			for target := range config.Actions {
				conn := b.clientFor(target)
				calls, want := 2, 1
				if slices.Contains(c.on, Condition(target)) {
					calls, want = *failingCalls, 3
				}
				starts.Store(0)
				for range calls {
					_, err := unary(background(t), conn, []byte("m"))
					wantCode(t, target, err, c.code)
				}
				if got := starts.Load(); got != int64(calls*want) {
					t.Errorf("retry on %s: %d calls were begun %d times, want %d times each", target, calls, got, want)
				}
			}
		})
	}
}

func TestConnectFailure(t *testing.T) {
	address := refusing(t)
	r := &Retry{Retries: 20, On: []Condition{ConnectFailure}, Backoff: Duration(50 * time.Millisecond)}
	b := start(t, with(t, Action{Retry: r}, address))
	result := make(chan error, 1)
	go func() {
		_, err := unary(background(t), b.client(), []byte("m"))
		result <- err
	}()
	await(t, "the second retry", func() bool { return b.count("retries_total", nil) >= 2 })
	serveAt(t, address, echo)
	if err := <-result; err != nil {
		t.Errorf("the endpoint that came later: %v", err)
	}
}

// TestRetrySucceeds sends the whole request again, whatever had been sent of it, and says that it isn't the first time.
func TestRetrySucceeds(t *testing.T) {
	var mu sync.Mutex
	var previous []string
	s := serve(t, func(_ any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		mu.Lock()
		previous = append(previous, fmt.Sprint(md.Get(previousAttempts)))
		n := len(previous)
		mu.Unlock()
		var m []byte
		if err := s.RecvMsg(&m); err != nil {
			return err
		}
		if n < 3 {
			return status.Error(codes.Unavailable, "not yet") // The request goes on, and this is early.
		}
		for {
			if err := s.SendMsg(m); err != nil {
				return err
			}
			if err := s.RecvMsg(&m); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	})
	b := start(t, with(t, Action{Retry: quick(3, Unavailable)}, s.address))
	st := stream(t, background(t), b.client())
	for i := range 5 {
		want := bytes.Repeat([]byte{byte('a' + i)}, 1000)
		if err := st.SendMsg(want); err != nil {
			t.Fatal(err)
		}
		var m []byte
		if err := st.RecvMsg(&m); err != nil || !bytes.Equal(m, want) {
			t.Fatalf("message %d: %.10q, %v", i, m, err)
		}
	}
	if err := st.CloseSend(); err != nil {
		t.Error(err)
	}
	var m []byte
	if err := st.RecvMsg(&m); err != io.EOF {
		t.Errorf("it ended with %v", err)
	}
	if want := []string{"[]", "[1]", "[2]"}; !slices.Equal(previous, want) {
		t.Errorf("%s was %v, want %v", previousAttempts, previous, want)
	}
	await(t, "the end of what was held", func() bool { return b.count("held_bytes", nil) == 0 && b.count("calls_open", nil) == 0 })
}

// TestRetryLimits sends again neither what is too large to keep, nor what the endpoint doesn't want, nor what has no time left.
func TestRetryLimits(t *testing.T) {
	address, starts := failing(t, func(s *harness.RawStream) {
		s.Headers(true, ":status", "200", "content-type", "application/grpc", "grpc-status", "14", "grpc-retry-pushback-ms",
			s.Request.Get("pushback"))
	})
	small, slow := quick(3, Unavailable), quick(3, Unavailable)
	small.RequestBytes, slow.Backoff = 100, Duration(time.Hour)
	b := start(t, Config{Actions: map[string]Action{
		"small": {Upstream: "u", Retry: small}, "late": {Upstream: "u", Retry: slow, Timeout: Duration(time.Minute)},
		"slow": {Upstream: "u", Retry: slow},
	}, Upstreams: map[string]Upstream{"u": upstreamOf(t, address)}})
	for _, c := range []struct {
		name, target, pushback string
		bytes                  int
		want                   int64
	}{
		{"small enough", "small", "1", 90, 4}, {"too large", "small", "1", 110, 1}, {"no time", "late", "", 0, 1},
		{"unwanted", "small", "-1", 0, 1}, {"pushback without sense", "small", "x", 0, 1}, {"pushback instead of an hour", "slow", "5", 0, 4},
		{"pushback beyond the time", "late", "3600000", 0, 1},
	} {
		starts.Store(0)
		ctx := background(t)
		if c.pushback != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "pushback", c.pushback)
		}
		_, err := unary(ctx, b.clientFor(c.target), make([]byte, c.bytes))
		wantCode(t, c.name, err, codes.Unavailable)
		if got := starts.Load(); got != c.want {
			t.Errorf("%s: it was begun %d times, want %d", c.name, got, c.want)
		}
	}
}

// TestPerTry gives each try its time, when the policy says that one that takes longer is sent again.
func TestPerTry(t *testing.T) {
	address, starts := failing(t, func(*harness.RawStream) {})
	again, once := quick(2, DeadlineExceeded), quick(2, Unavailable)
	again.PerTry, once.PerTry = Duration(100*time.Millisecond), Duration(100*time.Millisecond)
	b := start(t, Config{Actions: map[string]Action{"again": {Upstream: "u", Retry: again}, "once": {Upstream: "u", Retry: once}},
		Upstreams: map[string]Upstream{"u": upstreamOf(t, address)}})
	for target, tries := range map[string]int64{"again": 3, "once": 1} {
		begun := time.Now()
		st := stream(t, background(t), b.clientFor(target))
		var m []byte
		if err := st.SendMsg([]byte("m")); err != nil {
			t.Error(err)
		}
		if err := st.CloseSend(); err != nil {
			t.Error(err)
		}
		wantCode(t, target, st.RecvMsg(&m), codes.DeadlineExceeded)
		took := time.Since(begun)
		if least := time.Duration(tries) * 95 * time.Millisecond; took < least || took > latest || starts.Swap(0) != tries {
			t.Errorf("%s: %s, want %d tries of 100ms", target, took, tries)
		}
	}
}

// TestOtherEndpoint sends a call again to another endpoint.
func TestOtherEndpoint(t *testing.T) {
	bad, _ := failing(t, trailersOnly(codes.Unavailable))
	good := serve(t, echo)
	b := start(t, with(t, Action{Retry: quick(1, Unavailable)}, bad, good.address))
	c := b.client()
	for range 40 {
		if _, err := unary(background(t), c, []byte("m")); err != nil {
			t.Error(err)
		}
	}
	if n := b.count("retries_total", nil); n < 10 {
		t.Errorf("%d of 40 calls were sent again", n)
	}
}

// TestBudget holds a storm: retries are a share of the calls.
func TestBudget(t *testing.T) {
	address, starts := failing(t, trailersOnly(codes.Unavailable))
	r := quick(5, Unavailable)
	r.Budget = &RetryBudget{Percent: 20}
	b := start(t, with(t, Action{Retry: r}, address))
	const callers, each = 10, 40
	var all sync.WaitGroup
	for range callers {
		c := b.client()
		all.Go(func() {
			for range each {
				_, err := unary(background(t), c, []byte("m"))
				wantCode(t, "storm", err, codes.Unavailable)
			}
		})
	}
	all.Wait()
	retries := starts.Load() - callers*each
	if most := int64(callers * each / 5); retries > most || retries < most/2 {
		t.Errorf("%d calls were sent again %d times, want at most %d, and about as many", callers*each, retries, most)
	}
	if n := b.count("over_budget_total", nil); n == 0 {
		t.Error("the budget says that it was never met")
	}
}
