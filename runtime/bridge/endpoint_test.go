package bridge

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// TestRefusedMovesOn loses no call to an endpoint that takes no connections.
func TestRefusedMovesOn(t *testing.T) {
	s := serve(t, echo)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // Takes connections, and says nothing.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	c := start(t, plain(t, refusing(t), silent.Addr().String(), s.address, refusing(t))).client()
	var calls sync.WaitGroup
	for range 10 {
		calls.Go(func() {
			for range 20 {
				if _, err := unary(background(t), c, []byte("m")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
}

func TestSpread(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	counting := func(_ any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		mu.Lock()
		defer mu.Unlock()
		got[md.Get("at")[0]]++
		return s.SendMsg([]byte("m"))
	}
	var addresses []string
	for i := range 3 {
		addresses = append(addresses, serve(t, func(srv any, s grpc.ServerStream) error {
			md, _ := metadata.FromIncomingContext(s.Context())
			md.Set("at", fmt.Sprint(i))
			return counting(srv, served{s, metadata.NewIncomingContext(s.Context(), md)})
		}).address)
	}
	c := start(t, plain(t, addresses...)).client()
	for range 300 {
		if _, err := unary(background(t), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if n := got[fmt.Sprint(i)]; n < 70 || n > 130 {
			t.Errorf("endpoint %d got %d of 300 calls: %v", i, n, got)
		}
	}
}

// served is a stream with another context.
type served struct {
	grpc.ServerStream
	ctx context.Context
}

func (s served) Context() context.Context { return s.ctx }

func TestEndpointEnds(t *testing.T) {
	begun := make(chan struct{}, 10)
	s := serve(t, func(_ any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		if len(md.Get("header")) > 0 {
			if err := s.SendHeader(nil); err != nil {
				return err
			}
		}
		begun <- struct{}{}
		<-s.Context().Done()
		return nil
	})
	b := start(t, plain(t, s.address))
	c := b.client()
	before, after := stream(t, background(t), c), stream(t, metadata.AppendToOutgoingContext(background(t), "header", "1"), c)
	<-begun
	<-begun
	if _, err := after.Header(); err != nil {
		t.Fatal(err)
	}
	s.grpc.Stop()
	var m []byte
	wantCode(t, "before headers", before.RecvMsg(&m), codes.Unavailable)
	wantCode(t, "after headers", after.RecvMsg(&m), codes.Unavailable)
	_, err := unary(background(t), c, nil)
	wantCode(t, "a call afterwards", err, codes.Unavailable)
	serveAt(t, s.address, echo)
	await(t, "the endpoint that is back", func() bool {
		_, err := unary(background(t), c, nil)
		return err == nil
	})
}

// TestGracefulEndpoint loses no call when an endpoint drains and another one is there.
func TestGracefulEndpoint(t *testing.T) {
	one, two := serve(t, echo), serve(t, echo)
	c := start(t, plain(t, one.address, two.address)).client()
	ctx, stop := context.WithCancel(context.Background())
	var callers sync.WaitGroup
	var done sync.WaitGroup
	for range 10 {
		done.Add(1)
		callers.Go(func() {
			first := true
			for ctx.Err() == nil {
				if _, err := unary(background(t), c, []byte("m")); err != nil {
					t.Error(err)
				}
				if first {
					done.Done()
					first = false
				}
			}
		})
	}
	done.Wait()
	one.grpc.GracefulStop()
	for range 50 {
		if _, err := unary(background(t), c, []byte("m")); err != nil {
			t.Error(err)
		}
	}
	stop()
	callers.Wait()
}

// TestFewStreams heeds an endpoint's MAX_CONCURRENT_STREAMS: others wait, or get a connection of their own.
func TestFewStreams(t *testing.T) {
	var mu sync.Mutex
	open, most := map[string]int{}, 0
	s := serve(t, func(srv any, s grpc.ServerStream) error {
		from := peerOf(s)
		mu.Lock()
		open[from]++
		most = max(most, open[from])
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			open[from]--
		}()
		return echo(srv, s)
	}, grpc.MaxConcurrentStreams(5))
	c := start(t, plain(t, s.address)).client()
	ctx := background(t)
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() {
			for range 5 {
				if _, err := unary(ctx, c, []byte("m")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	if most > 5 {
		t.Errorf("one connection had %d streams open", most)
	}
}
