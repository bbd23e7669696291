package generators_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// testStreams proves that streams, large messages and trailers pass whole.
func testStreams(t *testing.T, client *harness.Client, w *world.World) {
	t.Helper()
	large := bytes.Repeat([]byte("0123456789abcdef"), 256<<10)
	call := w.Call("/a.B/Get?q=1", harness.AskMode, harness.ModeSame, harness.AskTrailer, "x-trailer=end")
	call.Message = large
	r := client.Do(call)
	if r.Code != codes.OK || !bytes.Equal(r.Body, large) || strings.Join(r.Trailers["x-trailer"], "") != "end" {
		t.Fatalf("4 MiB: %v %q, %d bytes, trailers %v", r.Code, r.Message, len(r.Body), r.Trailers)
	}
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			if err := pingPong(client, w.Call("/a.B/Get", harness.AskMode, harness.ModeSame), i); err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
		})
	}
	group.Wait()
}

func pingPong(client *harness.Client, call harness.Call, n int) error {
	s, err := client.Stream(call)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range 20 {
		want := fmt.Sprintf("%d.%d", n, i)
		if err := s.Send([]byte(want)); err != nil {
			return err
		}
		got, err := s.Receive()
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if _, err := s.Receive(); err != io.EOF {
		return fmt.Errorf("the end of the stream: %v", err)
	}
	return nil
}

// TestQuietStream: how long a stream may be quiet is in the templates; here a short one shows that headers come at once.
func TestQuietStream(t *testing.T) {
	eachProxy(t, func(t *testing.T, _ subject, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("one", 1)
		w.Serve(model.Scope{Rules: []*model.Rule{w.Rule(model.Match{}, world.To("one"))}})
		w.Start(p)
		call := w.Call("/q.Q/Quiet", harness.AskMode, harness.ModeQuiet)
		call.Timeout = 10 * time.Second
		s, err := harness.NewClient(t).Stream(call)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Header(); err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if e, err := s.ReceiveEcho(); err != nil || e.Backend != "ns/one:80" {
			t.Fatalf("got %+v, %v", e, err)
		}
	})
}

func TestWeights(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		w := world.New(t)
		w.Cluster("one", 1)
		w.Cluster("two", 3)
		gone := model.Backend{Weight: 30, Status: &model.Status{Code: model.Unavailable, Message: "gone"}}
		one, two := world.To("one"), world.To("two")
		one.Weight, two.Weight = 60, 10
		w.Serve(model.Scope{Rules: []*model.Rule{
			w.Rule(model.Match{Path: world.Path("w.W", "A")}, one, two, gone),
			w.Rule(model.Match{Path: world.Path("w.W", "B")}, two, one, gone),
		}})
		w.Start(p)
		client := harness.NewClient(t)
		const n = 6000
		counts := map[string]int{}
		for i := range n {
			// Calls of other rules between them change nothing.
			if i%3 == 0 {
				client.Do(w.Call("/w.W/B"))
			}
			counts[client.Do(w.Call("/w.W/A")).Backend()]++
		}
		for name, want := range map[string]float64{"ns/one": .6, "ns/two": .1, "Unavailable": .3} {
			if got := float64(counts[name]) / n; got < want-s.share || got > want+s.share {
				t.Errorf("%s got %.4f of the calls, want %.1f", name, got, want)
			}
		}
	})
}
