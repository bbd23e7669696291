package harness

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// direct starts a backend and returns a call to it, with no proxy between.
func direct(t *testing.T) (*Client, Call) {
	backends := NewBackends(t)
	address := backends.Address("default/one", 0)
	backends.Listen("default/one:50051", address, 50051)
	return NewClient(t), Call{Address: address + ":50051", Authority: "one.example.com:80", Path: "/a.B/Get"}
}

func TestUnary(t *testing.T) {
	client, call := direct(t)
	call.Metadata = metadata.Pairs("k", "v", "k", "w", AskHeader, "h=1", AskTrailer, "t=2")
	call.Message = []byte("hello")
	r := client.Do(call)
	if r.Code != codes.OK || r.Backend() != "one" || r.Echo.Authority != "one.example.com:80" || r.Echo.Path != "/a.B/Get" ||
		r.Echo.Endpoint != call.Address || r.Echo.Bytes != 5 || len(r.Echo.Metadata["k"]) != 2 ||
		first(r.Headers, "h") != "1" || first(r.Trailers, "t") != "2" {
		t.Errorf("got %+v", r)
	}
}

func TestAskedStatus(t *testing.T) {
	client, call := direct(t)
	call.Metadata = metadata.Pairs(AskStatus, "5:not here: 100 %")
	if r := client.Do(call); r.Code != codes.NotFound || r.Message != "not here: 100 %" || r.Backend() != "NotFound" {
		t.Errorf("got %+v", r)
	}
}

func TestDelayOutlastsDeadline(t *testing.T) {
	client, call := direct(t)
	call.Metadata = metadata.Pairs(AskDelay, "1m")
	call.Timeout = 50 * time.Millisecond
	if r := client.Do(call); r.Code != codes.DeadlineExceeded {
		t.Errorf("got %+v", r)
	}
}

func TestStreamModes(t *testing.T) {
	client, call := direct(t)
	for _, test := range []struct {
		mode, count string
		send, echos int
	}{
		{mode: ModeEach, send: 3, echos: 1},
		{mode: ModeEnd, send: 3, echos: 1},
		{mode: ModeQuiet, send: 3, echos: 1},
		{mode: ModeServerStream, count: "4", send: 1, echos: 4},
		{mode: ModeSame, send: 3},
	} {
		t.Run("mode="+test.mode, func(t *testing.T) {
			call := call
			call.Metadata = metadata.Pairs(AskMode, test.mode, AskCount, test.count)
			stream, err := client.Stream(call)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			for i := range test.send {
				if err := stream.Send([]byte(strconv.Itoa(i))); err != nil {
					t.Fatal(err)
				}
			}
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			for range test.echos {
				if e, err := stream.ReceiveEcho(); err != nil || e.Backend != "default/one:50051" {
					t.Fatalf("got %+v, %v", e, err)
				}
			}
			rest := 0
			for {
				if _, err = stream.Receive(); err != nil {
					break
				}
				rest++
			}
			if err != io.EOF {
				t.Errorf("the stream ended with %v", err)
			}
			if want := map[string]int{ModeEach: 2, ModeSame: 3}[test.mode]; rest != want {
				t.Errorf("%d messages after the echoes, want %d", rest, want)
			}
		})
	}
}

func TestAddressesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 300 {
		address := Address(t)
		if seen[address] || !net.ParseIP(address).IsLoopback() {
			t.Fatalf("%s twice, or no loopback address", address)
		}
		seen[address] = true
	}
}

func TestStopEndsProcess(t *testing.T) {
	var p *Process
	t.Run("runs", func(t *testing.T) {
		p = Start(t, "sh", "-c", "echo started; exec sleep 100")
		p.poll("say that it started", func() error {
			if p.Log() == "" {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
	})
	select {
	case <-p.exited:
	default:
		t.Error("the process outlived its test")
	}
}
