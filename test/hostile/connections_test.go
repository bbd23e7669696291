package hostile

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
	"github.com/gatewright/gatewright/test/hostile/adversary"
)

// serveOne serves one Service for every call.
func serveOne(t *testing.T, p harness.Proxy) (*harness.Served, harness.Call) {
	route := strings.Replace(rule("any", "", "", "s.A", "", "any"), "matches: [{method: {service: s.A}}]", "name: any", 1)
	s := harness.Serve(t, p, harness.Load(t, "", strings.Join([]string{liveGateway, harness.Service("default", "any", 50051), route},
		"---\n")), harness.Options{})
	call := s.Call("gw/http")
	call.Authority, call.Path, call.Metadata = "a.b", "/s.A/Stream", metadata.Pairs(harness.AskMode, harness.ModeSame)
	return s, call
}

// TestManyStreams: 300 streams that stay open on one connection are all answered (R41).
func TestManyStreams(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			s, call := serveOne(t, p)
			openStreams(t, s.Client, call, 300)
		})
	}
}

// TestFewFiles: 1,500 streams are served where the host's usual limit of open files is 1,024.
func TestFewFiles(t *testing.T) {
	for _, p := range harness.Newest(harness.Proxies(t)) {
		t.Run(p.String(), func(t *testing.T) {
			limited, arguments := p, p.Run
			limited.Binary = "/bin/sh"
			limited.Run = func(dir string) []string {
				return append([]string{"-c", `ulimit -Sn 1024; exec "$@"`, "sh", p.Binary}, arguments(dir)...)
			}
			_, call := serveOne(t, limited)
			for range 5 {
				openStreams(t, harness.NewClient(t), call, 300)
			}
		})
	}
}

// openStreams opens streams on one connection; each gets an answer and stays open until the test ends.
func openStreams(t *testing.T, client *harness.Client, call harness.Call, n int) {
	t.Helper()
	var all sync.WaitGroup
	errors := make(chan error, n)
	for i := range n {
		all.Go(func() {
			stream, err := client.Stream(call)
			if err != nil {
				errors <- fmt.Errorf("stream %d: %w", i, err)
				return
			}
			t.Cleanup(stream.Close)
			if err := stream.Send([]byte("x")); err != nil {
				errors <- fmt.Errorf("stream %d: %w", i, err)
			} else if _, err := stream.Receive(); err != nil {
				errors <- fmt.Errorf("stream %d: %w", i, err)
			}
		})
	}
	all.Wait()
	close(errors)
	failed := 0
	for err := range errors {
		if failed++; failed == 1 {
			t.Error(err)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d streams failed", failed, n)
	}
}

// TestHeaderMemory: a connection that has all of its streams open, with as many headers as a request may have or more,
// takes less than 50 MB (R41).
func TestHeaderMemory(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			s, call := serveOne(t, p)
			ordinary := call
			ordinary.Path = "/s.A/Get"
			ordinary.Metadata = nil
			if got := s.Client.Do(ordinary).Backend(); got != "any" {
				t.Fatalf("before: %s answers", got)
			}
			// What fits in a request with room left, what just fits, and what doesn't.
			for _, references := range []int{4, 7, 60} {
				before := memory(t, s.Process)
				conn, err := adversary.Flood(call.Address, call.Authority, call.Path, references)
				if err != nil {
					t.Fatal(err)
				}
				grown := (memory(t, s.Process) - before) >> 20
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
				t.Logf("%d references to a header of 4,000 bytes in each stream: %d MB more", references, grown)
				if grown >= 50 {
					t.Errorf("%d references: a connection took %d MB", references, grown)
				}
				if got := s.Client.Do(ordinary).Backend(); got != "any" {
					t.Errorf("after %d references: %s answers", references, got)
				}
			}
		})
	}
}

// memory is the resident memory of a proxy and its workers, in bytes.
func memory(t *testing.T, p *harness.Process) int {
	t.Helper()
	sum := 0
	for _, pid := range append(p.Children(), p.PID()) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			t.Fatal(err)
		}
		pages, err := strconv.Atoi(strings.Fields(string(text))[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += pages * os.Getpagesize()
	}
	return sum
}
