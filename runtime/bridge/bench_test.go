package bridge

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// The benchmarks run client, relay and server in one process, so what a relay costs is the difference to "straight": cpu-µs/op
// is the processor time of all of them.

func BenchmarkUnary(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			c := way.open(b, serve(b, echo).address)
			message := make([]byte, 100)
			measure(b, func() {
				parallel(b, 20, func() {
					if _, err := unary(context.Background(), c, message); err != nil {
						b.Error(err)
					}
				})
			})
		})
	}
}

func BenchmarkMessage(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			c := way.open(b, serve(b, echo).address)
			message := make([]byte, 100)
			const streams = 20
			var all []grpc.ClientStream
			for range streams {
				s, err := c.NewStream(context.Background(), bidi, "/s/m")
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, s)
			}
			measure(b, func() {
				var callers sync.WaitGroup
				for _, s := range all {
					callers.Go(func() {
						var m []byte
						for range b.N/streams + 1 {
							if err := s.SendMsg(message); err != nil {
								b.Error(err)
							}
							if err := s.RecvMsg(&m); err != nil {
								b.Error(err)
							}
						}
					})
				}
				callers.Wait()
			})
		})
	}
}

func BenchmarkMegabyte(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			c := way.open(b, serve(b, echo).address)
			message := make([]byte, 1<<20)
			measure(b, func() {
				parallel(b, 4, func() {
					if _, err := unary(context.Background(), c, message); err != nil {
						b.Error(err)
					}
				})
			})
		})
	}
}

var ways = []struct {
	name string
	open func(b *testing.B, address string) *grpc.ClientConn
}{
	{"straight", func(b *testing.B, address string) *grpc.ClientConn { return dial(b, address) }},
	{"bridge", func(b *testing.B, address string) *grpc.ClientConn { return start(b, plain(b, address)).client() }},
	{"policies", func(b *testing.B, address string) *grpc.ClientConn {
		a := Action{Timeout: Duration(time.Minute), Retry: &Retry{Retries: 3, On: []Condition{Unavailable}}}
		return start(b, with(b, a, address)).client()
	}},
	{"mirrored", func(b *testing.B, address string) *grpc.ClientConn {
		c := with(b, Action{Mirrors: []string{"m"}}, address)
		c.Upstreams["m"] = upstreamOf(b, serve(b, echo).address)
		return start(b, c).client()
	}},
	{"grpc-go", rawProxy},
}

// rawProxy is a relay by grpc-go with a codec that leaves messages as they are.
func rawProxy(b *testing.B, address string) *grpc.ClientConn {
	up := dial(b, address)
	socket := filepath.Join(b.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(64<<20), grpc.UnknownServiceHandler(
		func(_ any, down grpc.ServerStream) error {
			md, _ := metadata.FromIncomingContext(down.Context())
			method, _ := grpc.MethodFromServerStream(down)
			ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(down.Context(), md))
			defer cancel()
			st, err := up.NewStream(ctx, bidi, method)
			if err != nil {
				return err
			}
			go func() {
				for {
					var m []byte
					if down.RecvMsg(&m) != nil {
						_ = st.CloseSend()
						return
					}
					if st.SendMsg(m) != nil {
						return
					}
				}
			}()
			for {
				var m []byte
				err := st.RecvMsg(&m)
				if err == io.EOF {
					down.SetTrailer(st.Trailer())
					return nil
				}
				if err != nil {
					return err
				}
				if err := down.SendMsg(m); err != nil {
					return err
				}
			}
		}))
	b.Cleanup(s.Stop)
	go func() { _ = s.Serve(l) }()
	c, err := grpc.NewClient("passthrough:///x", overUnix(socket), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

func parallel(b *testing.B, callers int, call func()) {
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range b.N/callers + 1 {
				call()
			}
		})
	}
	all.Wait()
}

// measure reports the processor time of an operation.
func measure(b *testing.B, do func()) {
	runtime.GC()
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	do()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func cpu(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
