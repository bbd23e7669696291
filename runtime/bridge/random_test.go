package bridge

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

var (
	randomCalls = flag.Int("calls", 1000, "how many random calls are made straight and through the bridge")
	randomSeed  = flag.Uint64("seed", 0, "the seed of random calls; 0 is one of its own each time")
)

// script is what both sides of a random call do, which a seed says.
type script struct {
	request, header, trailer metadata.MD
	sends                    []int // sizes of the client's messages
	answers                  []int // and of the server's
	early                    bool  // the server answers before it has read all
	sayHeader                bool  // and sends its headers before it reads
	code                     codes.Code
	message                  string
	cancelAfter              int // the client gives up after so many answers; -1 is never
}

func newScript(seed uint64) script {
	r := rand.New(rand.NewPCG(seed, 1))
	s := script{
		request: randomMetadata(r, "q"), header: randomMetadata(r, "h"), trailer: randomMetadata(r, "t"), early: r.IntN(5) == 0,
		sayHeader: r.IntN(3) == 0, cancelAfter: -1,
	}
	for range r.IntN(4) {
		s.sends = append(s.sends, randomSize(r))
	}
	for range r.IntN(4) {
		s.answers = append(s.answers, randomSize(r))
	}
	if r.IntN(3) == 0 {
		s.code, s.message = codes.Code(1+r.IntN(16)), randomText(r, 40)
	}
	if r.IntN(20) == 0 && len(s.answers) > 0 {
		s.cancelAfter = r.IntN(len(s.answers))
	}
	return s
}

func randomSize(r *rand.Rand) int {
	switch r.IntN(20) {
	case 0:
		return 0
	case 1:
		return r.IntN(300_000)
	case 2:
		return 16379 + r.IntN(3)
	}
	return r.IntN(2000)
}

func randomText(r *rand.Rand, n int) string {
	text := make([]rune, r.IntN(n))
	for i := range text {
		text[i] = []rune("abc %äß\n\t\"日")[r.IntN(11)]
	}
	return string(text)
}

func randomMetadata(r *rand.Rand, prefix string) metadata.MD {
	md := metadata.MD{}
	for range r.IntN(4) {
		name := prefix + "-" + strconv.Itoa(r.IntN(5))
		value := make([]byte, r.IntN(50))
		for i := range value {
			value[i] = byte(r.IntN(256))
		}
		if r.IntN(2) == 0 {
			name += "-bin"
		} else {
			for i := range value {
				value[i] = '!' + value[i]%90
			}
		}
		if r.IntN(50) == 0 {
			value = bytes.Repeat([]byte("x"), 1+r.IntN(20_000))
		}
		md.Append(name, string(value))
	}
	return md
}

func payload(size, i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, size) }

// play is the server's side.
func play(_ any, stream grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	seed, err := strconv.ParseUint(md.Get("seed")[0], 10, 64)
	if err != nil {
		return err
	}
	s := newScript(seed)
	stream.SetTrailer(s.trailer)
	if err := stream.SetHeader(s.header); err != nil {
		return err
	}
	// What the endpoint saw goes back.
	for name := range s.request {
		if !slices.Equal(md.Get(name), s.request[name]) {
			return status.Errorf(codes.DataLoss, "%s is %q, not %q", name, md.Get(name), s.request[name])
		}
	}
	if s.sayHeader {
		if err := stream.SendHeader(nil); err != nil {
			return err
		}
	}
	for i := 0; !s.early; i++ {
		var m []byte
		err := stream.RecvMsg(&m)
		if err == io.EOF {
			if i != len(s.sends) {
				return status.Errorf(codes.DataLoss, "%d messages, not %d", i, len(s.sends))
			}
			break
		}
		if err != nil {
			return err
		}
		if i >= len(s.sends) || !bytes.Equal(m, payload(s.sends[i], i)) {
			return status.Errorf(codes.DataLoss, "message %d is wrong", i)
		}
	}
	for i, size := range s.answers {
		if err := stream.SendMsg(payload(size, i)); err != nil {
			return err
		}
	}
	if s.cancelAfter >= 0 {
		<-stream.Context().Done()
	}
	if s.code != codes.OK {
		return status.Error(s.code, s.message)
	}
	return nil
}

// transcript makes a random call and returns all that the application gets to see of it.
func transcript(ctx context.Context, c *grpc.ClientConn, seed uint64) string {
	s := newScript(seed)
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(ctx, metadata.Join(s.request, metadata.Pairs("seed", fmt.Sprint(seed)))))
	defer cancel()
	stream, err := c.NewStream(ctx, bidi, "/s/m")
	if err != nil {
		return err.Error()
	}
	var sent sync.WaitGroup
	defer sent.Wait()
	sent.Go(func() {
		for i, size := range s.sends {
			if err := stream.SendMsg(payload(size, i)); err != nil {
				return // RecvMsg says why.
			}
		}
		_ = stream.CloseSend()
	})
	var out bytes.Buffer
	for i := 0; ; i++ {
		if i == s.cancelAfter {
			cancel()
		}
		var m []byte
		err := stream.RecvMsg(&m)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			fmt.Fprintf(&out, "%s %q\n", status.Code(err), status.Convert(err).Message())
			break
		}
		if i >= len(s.answers) || !bytes.Equal(m, payload(s.answers[i], i)) {
			fmt.Fprintf(&out, "answer %d is wrong\n", i)
		}
		if s.cancelAfter < 0 {
			fmt.Fprintf(&out, "%d bytes\n", len(m))
		}
	}
	if s.cancelAfter >= 0 {
		return "cancelled: " + out.String()[bytes.LastIndexByte(out.Bytes()[:out.Len()-1], '\n')+1:]
	}
	header, err := stream.Header()
	fmt.Fprintf(&out, "%v\n%s%s", err, sorted(header), sorted(stream.Trailer()))
	return out.String()
}

func sorted(md metadata.MD) string {
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(md)) {
		fmt.Fprintf(&out, "%s %q\n", name, md[name])
	}
	return out.String()
}

// TestRandomCalls makes calls straight and through the bridge: applications see no difference.
func TestRandomCalls(t *testing.T) {
	seed := *randomSeed
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	n := *randomCalls
	if testing.Short() {
		n /= 5
	}
	t.Logf("-seed %d", seed)
	s := serve(t, play)
	b := start(t, plain(t, s.address))
	straight, through := dial(t, s.address), b.client()
	var callers sync.WaitGroup
	var results sync.Map
	const each = 8
	for caller := range each {
		callers.Go(func() {
			for i := caller; i < n && !t.Failed(); i += each {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				want, got := transcript(ctx, straight, seed+uint64(i)), transcript(ctx, through, seed+uint64(i))
				cancel()
				if got != want {
					t.Errorf("call of seed %d: through the bridge\n%sand straight\n%s", seed+uint64(i), got, want)
				}
				results.Store(want, true)
			}
		})
	}
	callers.Wait()
	kinds := 0
	results.Range(func(any, any) bool { kinds++; return true })
	if kinds < n/3 && !t.Failed() {
		t.Errorf("%d calls had %d results only: they aren't random", n, kinds)
	}
	await(t, "the end of all calls", func() bool { return b.count("calls_open", nil) == 0 && b.count("held_bytes", nil) == 0 })
}
