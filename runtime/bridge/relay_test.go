package bridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestUnary(t *testing.T) {
	b := start(t, plain(t, serve(t, echo).address))
	c := b.client()
	for _, n := range []int{0, 1, 1000, 16379, 16380, 100_000, 8 << 20} {
		message := bytes.Repeat([]byte{'x'}, n)
		out, err := unary(background(t), c, message)
		if err != nil || !bytes.Equal(out, message) {
			t.Fatalf("%d bytes: %d came back, %v", n, len(out), err)
		}
	}
	out, err := unary(background(t), c, bytes.Repeat([]byte{'x'}, 100_000), grpc.UseCompressor(gzip.Name))
	if err != nil || len(out) != 100_000 {
		t.Errorf("gzip: %d bytes, %v", len(out), err)
	}
	// What is written is given back behind that.
	await(t, "the end of what was held", func() bool { return b.count("held_bytes", nil) == 0 })
}

// TestBigMessagesOfMany crosses messages that are larger than all windows.
func TestBigMessagesOfMany(t *testing.T) {
	b := start(t, plain(t, serve(t, echo).address))
	c := b.client()
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			message := bytes.Repeat([]byte{'x'}, 2<<20)
			if out, err := unary(background(t), c, message); err != nil || !bytes.Equal(out, message) {
				t.Errorf("%d bytes came back, %v", len(out), err)
			}
		})
	}
	calls.Wait()
}

// TestWhatPasses looks at what an endpoint is sent and what a client gets.
func TestWhatPasses(t *testing.T) {
	var seen metadata.MD
	s := serve(t, func(_ any, s grpc.ServerStream) error {
		seen, _ = metadata.FromIncomingContext(s.Context())
		header := metadata.Pairs("h", "1", "h", "2", "h-bin", "\x00\xff", "x-gw-reply", "hidden")
		s.SetTrailer(metadata.Pairs("t", "3", "t-bin", "\x80", "x-gw-reply", "hidden"))
		return errors.Join(s.SetHeader(header), s.SendMsg([]byte("m")))
	})
	b := start(t, plain(t, s.address))
	var header, trailer metadata.MD
	ctx := metadata.AppendToOutgoingContext(background(t), "k", "a", "k", "b", "k-bin", "\x01\x00", "x-gw-mirror", "0", "x-gw-anything", "1")
	_, err := unary(ctx, b.client(), nil, grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"k": {"a", "b"}, "k-bin": {"\x01\x00"}, "user-agent": {"grpc-go/" + grpc.Version}, ":authority": {"example"},
		"x-gw-target": nil, "x-gw-mirror": nil, "x-gw-anything": nil, "content-type": {"application/grpc+proto"},
	} {
		if !slices.Equal(seen.Get(name), want) {
			t.Errorf("the endpoint got %s %q, want %q", name, seen.Get(name), want)
		}
	}
	for name, want := range map[string][]string{"h": {"1", "2"}, "h-bin": {"\x00\xff"}, "x-gw-reply": nil} {
		if !slices.Equal(header.Get(name), want) {
			t.Errorf("the client got the header %s %q, want %q", name, header.Get(name), want)
		}
	}
	for name, want := range map[string][]string{"t": {"3"}, "t-bin": {"\x80"}, "x-gw-reply": nil} {
		if !slices.Equal(trailer.Get(name), want) {
			t.Errorf("the client got the trailer %s %q, want %q", name, trailer.Get(name), want)
		}
	}
}

func TestErrors(t *testing.T) {
	s := serve(t, func(_ any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		if len(md.Get("late")) > 0 {
			if err := s.SendMsg([]byte("m")); err != nil {
				return err
			}
		}
		return status.Error(codes.FailedPrecondition, "not äll of it: 100%")
	})
	c := start(t, plain(t, s.address)).client()
	_, err := unary(background(t), c, nil)
	wantCode(t, "without headers", err, codes.FailedPrecondition)
	if got := status.Convert(err).Message(); got != "not äll of it: 100%" {
		t.Errorf("message %q", got)
	}
	st := stream(t, metadata.AppendToOutgoingContext(background(t), "late", "1"), c)
	var m []byte
	if err := st.RecvMsg(&m); err != nil {
		t.Errorf("the message before the error: %v", err)
	}
	wantCode(t, "after a message, the request not ended", st.RecvMsg(&m), codes.FailedPrecondition)
}

func TestTargets(t *testing.T) {
	b := start(t, plain(t, serve(t, echo).address))
	_, err := unary(background(t), b.clientFor("other"), nil)
	wantCode(t, "unknown target", err, codes.Unavailable)
	if !strings.Contains(err.Error(), "has no target other") {
		t.Errorf("it says %v", err)
	}
	_, err = unary(background(t), dial(t, "unix:"+b.socket, overUnix(b.socket)), nil)
	wantCode(t, "no target", err, codes.Unavailable)
	b.configure(plain(t))
	_, err = unary(background(t), b.client(), nil)
	wantCode(t, "no endpoints", err, codes.Unavailable)
	b.configure(plain(t, refusing(t)))
	_, err = unary(background(t), b.client(), nil)
	wantCode(t, "a refusing endpoint", err, codes.Unavailable)
}

func overUnix(path string) grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	})
}

// TestCancel tells the endpoint that the client has gone, and soon.
func TestCancel(t *testing.T) {
	begun, gone := make(chan struct{}), make(chan time.Time, 1)
	s := serve(t, func(_ any, s grpc.ServerStream) error {
		close(begun)
		<-s.Context().Done()
		gone <- time.Now()
		return nil
	})
	b := start(t, plain(t, s.address))
	ctx, cancel := context.WithCancel(background(t))
	st := stream(t, ctx, b.client())
	if err := st.SendMsg([]byte("m")); err != nil {
		t.Fatal(err)
	}
	<-begun
	cancelled := time.Now()
	cancel()
	select {
	case at := <-gone:
		if took := at.Sub(cancelled); took > time.Second {
			t.Errorf("the endpoint was told after %s", took)
		}
	case <-time.After(patience):
		t.Fatal("the endpoint is never told")
	}
	await(t, "the end of the call", func() bool { return b.count("calls_open", nil) == 0 })
}

// TestManyStreams has a thousand streams open at a time, each of which is answered.
func TestManyStreams(t *testing.T) {
	b := start(t, plain(t, serve(t, echo).address))
	c := b.client()
	ctx := background(t)
	streams := make([]grpc.ClientStream, 1000)
	for i := range streams {
		streams[i] = stream(t, ctx, c)
	}
	for range 3 {
		for _, s := range streams {
			if err := s.SendMsg([]byte("m")); err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range streams {
			var m []byte
			if err := s.RecvMsg(&m); err != nil || string(m) != "m" {
				t.Fatalf("stream %d: %q, %v", i, m, err)
			}
		}
	}
	if n := b.count("calls_open", nil); n != len(streams) {
		t.Errorf("%d calls are open", n)
	}
	for i, s := range streams {
		var m []byte
		if err := errors.Join(s.CloseSend()); err != nil {
			t.Error(err)
		}
		if err := s.RecvMsg(&m); err != io.EOF {
			t.Fatalf("stream %d ended with %v", i, err)
		}
	}
	await(t, "the end of all calls", func() bool { return b.count("calls_open", nil) == 0 })
}
