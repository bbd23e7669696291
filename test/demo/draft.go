package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// The example of the first draft of GRPCRoute, where its Gateway listens, and how long it may take to be served.
const (
	draft         = "deploy/draft"
	draftGateway  = "127.90.0.2:8080"
	draftPatience = 30 * time.Second
)

// hello is the example's call.
var hello = harness.Call{Address: draftGateway, Authority: "foo.com", Path: "/helloworld.Greeter/SayHello", Metadata: metadata.Pairs("magic", "foo")}

// begun counts the calls that come to servers, by Service.
type begun struct {
	mu     sync.Mutex
	counts map[string]int
}

func (b *begun) add(e *harness.Echo, ended bool) {
	if ended {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[e.Backend]++
}

// take is what has come since it was asked last.
func (b *begun) take() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.counts
	b.counts = map[string]int{}
	return taken
}

// playDraft has `gatewright run` serve the example by itself, with its bridge, and shows what comes to whom.
func (s *stage) playDraft(gatewright, proxy, binary string) {
	fmt.Println("\nThe example of the first draft of GRPCRoute, with a mirror, a time and retries:")
	came := &begun{counts: map[string]int{}}
	backends := harness.NewBackends(s)
	backends.OnCall(came.add)
	s.listen(backends, draft)
	dir := harness.TempDir(s)
	health := harness.Health(filepath.Join(dir, "http.sock"))
	args := []string{"run", "-f", draft, "--proxy", proxy, "--proxy-binary", binary, "--state-dir", filepath.Join(dir, "state"),
		"--listen", "unix:" + string(health), "--drain", "1s"}
	fmt.Printf("\n$ %s", filepath.Base(gatewright))
	for _, a := range args {
		fmt.Print(" ", a)
	}
	fmt.Println()
	process := harness.Start(s, gatewright, args...)
	harness.Until(s, "become ready", draftPatience, health.Ready, process.Log)

	client := harness.NewClient(s)
	answers := map[string]int{}
	const calls = 1000
	for range calls {
		answers[client.Do(hello).Backend()]++
	}
	fmt.Printf("\n%d calls of %s: nine of ten go to the old version, and all are copied\n", calls, hello.Path)
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		fmt.Printf("  %4d  %s\n", answers[name], name)
	}
	if got := slices.Sorted(maps.Keys(answers)); !slices.Equal(got, []string{"foo-v1", "foo-v2"}) {
		s.Fatalf("answers came from %v", got)
	}
	copies := 0
	harness.Until(s, "be copied", draftPatience, func() error {
		if copies += came.take()["default/mirror-svc"]; copies < calls {
			return fmt.Errorf("%d copies", copies)
		}
		return nil
	}, process.Log)
	fmt.Printf("  %4d  copies came to mirror-svc\n", copies)

	failing := hello
	failing.Metadata = metadata.Pairs("magic", "foo", harness.AskStatus, "1")
	reply := client.Do(failing)
	tries := came.take()
	n := tries["default/foo-v1"] + tries["default/foo-v2"]
	fmt.Printf("\na call that its server cancels: %s, after it was tried %d times\n", reply.Code, n)
	if n != 4 {
		s.Fatalf("it was tried %d times, want 4", n)
	}
}
