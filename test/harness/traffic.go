package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/model"
)

// Traffic is callers and streams that run while things change.
type Traffic struct {
	t       T
	proxy   Proxy
	call    Call
	want    string
	stop    chan struct{}
	callers sync.WaitGroup
	streams []*Stream
	// record is a file with a line for each call that did not go as wanted: when, and what came of it.
	record *os.File

	mu    sync.Mutex
	calls int
	wrong map[string]int
	// sentOn are calls that nginx never took: its old workers told the client twice in a row to go away.
	sentOn int
	// crossed are calls that nginx gave up as it learnt of other endpoints.
	crossed int
}

// MostCrossed is how many calls of a test nginx may give up because one worker chose an endpoint in the microseconds in
// which another worker learnt of others. It is about one in hundreds of changes under thousands of calls a second.
const MostCrossed = 2

// Crossed says whether a call may be one that nginx gave up as it learnt of other endpoints.
func Crossed(p Proxy, r Reply) bool {
	return p.Name == "nginx" && p.Capabilities.Has(model.FeatureResolve) && r.Code == codes.Unavailable &&
		strings.Contains(r.Message, "no endpoint of Service ")
}

// SentOn says whether nginx never took a call: old workers told the client twice in a row to go away, and it tries
// only twice. It may be one call in a thousand.
func SentOn(p Proxy, r Reply) bool {
	return p.Name == "nginx" && !r.FromServer() && strings.Contains(r.Message, "draining")
}

// callerPause is how long a caller waits between two calls: ten callers make a call every two milliseconds, and leave the
// processors to what they look at.
const callerPause = 20 * time.Millisecond

// StartTraffic starts callers, each with a connection of its own, which must never see anything but the backend that
// is wanted, and streams on one connection. The caller ends it.
func StartTraffic(t T, p Proxy, call Call, want string, callers, streams int) *Traffic {
	t.Helper()
	f := &Traffic{t: t, proxy: p, call: call, want: want, stop: make(chan struct{}), wrong: map[string]int{}}
	var err error
	if f.record, err = os.Create(filepath.Join(TempDir(t), "calls")); err != nil {
		t.Fatalf("the record of the calls: %v", err)
	}
	client := NewClient(t)
	call.Timeout = time.Hour
	for range streams {
		s, err := client.Stream(call)
		if err != nil {
			t.Fatalf("a stream: %v", err)
		}
		if err := s.Send(nil); err != nil {
			t.Fatalf("a stream: %v", err)
		}
		if _, err := s.ReceiveEcho(); err != nil {
			t.Fatalf("a stream: %v", err)
		}
		f.streams = append(f.streams, s)
	}
	for i := range callers {
		client := NewClient(t)
		f.callers.Go(func() { f.run(client, callerPause*time.Duration(i)/time.Duration(callers)) })
	}
	return f
}

// run makes calls, the first one after a while of the caller's own, so that not all callers call at the same time.
func (f *Traffic) run(client *Client, first time.Duration) {
	<-time.After(first)
	pause := time.NewTicker(callerPause)
	defer pause.Stop()
	call := f.call
	call.Timeout = 10 * time.Second
	for {
		select {
		case <-f.stop:
			return
		case <-pause.C:
		}
		r := client.Do(call)
		f.mu.Lock()
		f.calls++
		if r.Backend() != f.want {
			fmt.Fprintf(f.record, "%s %s: %s\n", time.Now().Format(time.RFC3339Nano), r.Backend(), r.Message)
		}
		switch {
		case r.Backend() == f.want:
		case SentOn(f.proxy, r):
			f.sentOn++
		case Crossed(f.proxy, r):
			f.crossed++
		default:
			f.wrong[r.Backend()+": "+r.Message]++
		}
		f.mu.Unlock()
	}
}

// End stops the traffic, fails the test when a call or a stream did, and returns how many calls were made.
func (f *Traffic) End() int {
	f.t.Helper()
	close(f.stop)
	f.callers.Wait()
	dead := 0
	for _, s := range f.streams {
		if err := exchange(s, []byte("still here")); err != nil {
			dead++
			f.t.Logf("a stream: %v", err)
		}
		s.Close()
	}
	if err := f.record.Close(); err != nil {
		f.t.Errorf("the record of the calls: %v", err)
	}
	f.t.Logf("%s: %d calls, wrong: %v, sent on twice: %d, crossed: %d; %d streams, dead: %d", f.proxy, f.calls, f.wrong, f.sentOn, f.crossed,
		len(f.streams), dead)
	if len(f.wrong) > 0 || f.sentOn > (f.calls+999)/1000 || f.crossed > MostCrossed || dead > 0 {
		f.t.Errorf("%s: the traffic was disturbed", f.proxy)
	}
	return f.calls
}

// exchange sends a message on a stream that answers each with itself.
func exchange(s *Stream, message []byte) error {
	if err := s.Send(message); err != nil {
		return err
	}
	got, err := s.Receive()
	if err == nil && !bytes.Equal(got, message) {
		err = fmt.Errorf("it says %q", got)
	}
	return err
}
