package run

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

var ends = flag.Int("ends", 4, "how often a gateway is ended, each time at another moment of a reload")

// TestEndInReload ends gatewright while the proxy reloads. A stream of a worker that the reload replaces, or has just
// replaced, may finish all the same.
func TestEndInReload(t *testing.T) {
	seed := rand.Uint64()
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 2))
			g := newGateway(t, p)
			for i := range *ends {
				g.start("--drain", "20s")
				g.ready()
				g.answers("base.Service", "first")
				s := g.open()
				// HAProxy reloads for an expression, nginx for any rule.
				g.write("regex", strings.Replace(routeManifest("regex", fmt.Sprintf("a%d.(b|c)", i), backend{"first", 1}), "service: ",
					"type: RegularExpression, service: ", 1))
				moment := time.Duration(random.Int64N(int64(200 * time.Millisecond)))
				<-time.After(moment)
				if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				g.until("drain", func() error {
					if code, body, err := g.get("/readyz"); err != nil || code == 200 || !strings.Contains(body, "draining") {
						return fmt.Errorf("%d %s %v", code, body, err)
					}
					return nil
				})
				if err := finish(s); err != nil {
					t.Errorf("end %d, %s after the change: a stream while the proxy drains: %v", i, moment, err)
				}
				s.Close()
				g.end()
			}
		})
	}
}

// open opens a stream of the base route.
func (g *gateway) open() *harness.Stream {
	g.Helper()
	g.fresh.Close()
	s, err := g.fresh.Stream(g.baseCall())
	if err == nil {
		err = s.Send(nil)
	}
	if err == nil {
		_, err = s.ReceiveEcho()
	}
	if err != nil {
		g.Fatalf("a stream: %v", err)
	}
	return s
}

// finish ends a stream as both sides wish.
func finish(s *harness.Stream) error {
	err := exchange(s, "last")
	if err == nil {
		err = s.CloseSend()
	}
	if err == nil {
		if _, end := s.Receive(); !errors.Is(end, io.EOF) {
			err = fmt.Errorf("its end: %w", end)
		}
	}
	return err
}

// exchange sends a message, which comes back.
func exchange(s *harness.Stream, message string) error {
	if err := s.Send([]byte(message)); err != nil {
		return err
	}
	got, err := s.Receive()
	if err == nil && string(got) != message {
		err = fmt.Errorf("it says %q", got)
	}
	return err
}
