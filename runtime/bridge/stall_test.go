package bridge

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestStalled has streams whose client reads nothing, and whose endpoint reads nothing: others on the same connections go on,
// and what waits is bounded.
func TestStalled(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(srv any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		switch {
		case len(md.Get("flood")) > 0:
			for {
				if err := s.SendMsg(make([]byte, 64<<10)); err != nil {
					return err
				}
			}
		case len(md.Get("deaf")) > 0:
			select {
			case <-release:
			case <-s.Context().Done():
			}
			return nil
		}
		return echo(srv, s)
	})
	b := start(t, plain(t, s.address))
	c := b.client()
	ctx, cancel := context.WithCancel(background(t))
	defer cancel()
	const each = 20
	for range each {
		stream(t, metadata.AppendToOutgoingContext(ctx, "flood", "1"), c)
		deaf := stream(t, metadata.AppendToOutgoingContext(ctx, "deaf", "1"), c)
		go func() {
			for deaf.SendMsg(make([]byte, 64<<10)) == nil {
			}
		}()
	}
	await(t, "the stall", func() bool { return b.count("held_bytes", nil) >= each*streamBytes })
	for range 50 {
		if _, err := unary(ctx, c, make([]byte, 200<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.count("held_bytes", nil); n > heldBytes {
		t.Errorf("%d bytes are held, more than %d", n, heldBytes)
	}
	close(release)
	cancel()
	await(t, "the end of what was held", func() bool { return b.count("held_bytes", nil) == 0 })
}

// streamBytes is what the two kinds of stalled streams hold on the average at least.
const streamBytes = 64 << 10

// TestPressed ends calls that stand still when what they hold is needed, and leaves the others.
func TestPressed(t *testing.T) {
	s := serve(t, func(srv any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		for len(md.Get("flood")) > 0 {
			if err := s.SendMsg(make([]byte, 64<<10)); err != nil {
				return err
			}
		}
		return echo(srv, s)
	})
	b := startWith(t, plain(t, s.address), 1<<20)
	c := b.client()
	quiet := stream(t, background(t), c)
	turn(t, quiet)
	ctx, cancel := context.WithCancel(background(t))
	defer cancel()
	var floods []grpc.ClientStream
	for range 40 {
		floods = append(floods, stream(t, metadata.AppendToOutgoingContext(ctx, "flood", "1"), c))
	}
	await(t, "relief", func() bool {
		if b.budget.Pressed() {
			b.relieveNow(3)
		}
		return b.count("relieved_total", nil) > 0 && !b.budget.Pressed()
	})
	turn(t, quiet)
	ended := make(chan bool, len(floods))
	for _, f := range floods {
		go func() {
			var err error
			for err == nil {
				var m []byte
				err = f.RecvMsg(&m)
			}
			if status.Code(err) == codes.ResourceExhausted {
				ended <- true
			}
		}()
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("no call says that it was ended")
	}
}
