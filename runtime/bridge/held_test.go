package bridge

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestHeadersInTime: headers of a response that nothing follows reach a client that waits for them before it goes on, and then the
// call isn't sent again.
func TestHeadersInTime(t *testing.T) {
	var begun atomic.Int64
	s := serve(t, func(_ any, s grpc.ServerStream) error {
		begun.Add(1)
		if err := s.SendHeader(metadata.Pairs("a", "b")); err != nil {
			return err
		}
		var m []byte
		if err := s.RecvMsg(&m); err != nil {
			return err
		}
		return status.Error(codes.Unavailable, "later")
	})
	b := start(t, with(t, Action{Retry: quick(2, Unavailable)}, s.address))
	st := stream(t, background(t), b.client())
	if md, err := st.Header(); err != nil || len(md.Get("a")) != 1 {
		t.Fatal(md, err)
	}
	if err := st.SendMsg([]byte("m")); err != nil {
		t.Fatal(err)
	}
	var m []byte
	if err := st.RecvMsg(&m); status.Code(err) != codes.Unavailable {
		t.Errorf("it ended with %v", err)
	}
	if n := begun.Load(); n != 1 {
		t.Errorf("it was begun %d times", n)
	}
}

// TestNetHTTP: a server of net/http has no other way to send a status than behind headers of its own.
func TestNetHTTP(t *testing.T) {
	var begun atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // A client that goes is seen elsewhere.
		w.Header().Set("Content-Type", typeGRPC)
		w.Header().Set("Trailer", "Grpc-Status")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		w.Header().Set("Grpc-Status", "14")
	})}
	go func() { _ = server.Serve(l) }() // It ends with Close.
	t.Cleanup(func() { _ = server.Close() })
	b := serving(t, with(t, Action{Retry: quick(2, Unavailable)}, l.Addr().String()), heldBytes, time.Minute)
	_, err = unary(background(t), b.client(), []byte("m"))
	wantCode(t, "net/http", err, codes.Unavailable)
	if n := begun.Load(); n != 3 {
		t.Errorf("it was begun %d times, want 3", n)
	}
}
