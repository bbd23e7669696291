package bridge

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestOverdue: endpoints know the deadline too, and some reset the call then. On a machine that is busy that comes before the bridge's own
// timer goes off, and is the end of the call's time all the same.
func TestOverdue(t *testing.T) {
	for _, c := range []struct {
		how  string
		want codes.Code
	}{{"reset", codes.DeadlineExceeded}, {"status", codes.DeadlineExceeded}, {"ok", codes.OK}} {
		for _, headers := range []bool{false, true} {
			begun, end := make(chan bool), make(chan bool)
			s := serve(t, func(_ any, s grpc.ServerStream) error {
				if md, _ := metadata.FromIncomingContext(s.Context()); len(md.Get("headers")) > 0 {
					if err := s.SendHeader(nil); err != nil {
						return err
					}
				}
				begun <- true
				<-end
				if c.how == "status" {
					return status.Error(codes.Canceled, "it took too long")
				}
				return nil
			})
			b := start(t, with(t, Action{Timeout: Duration(time.Minute)}, s.address))
			ctx := background(t)
			if headers {
				ctx = metadata.AppendToOutgoingContext(ctx, "headers", "1")
			}
			st := stream(t, ctx, b.client())
			<-begun
			b.overdue()
			if c.how == "reset" {
				b.dropConnections()
			}
			close(end)
			var m []byte
			err := st.RecvMsg(&m)
			if err != nil && err.Error() == "EOF" {
				err = nil
			}
			wantCode(t, c.how, err, c.want)
		}
	}
}

// overdue has the time of all calls be over, and nobody see it.
func (b *bridged) overdue() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.conns {
		for _, h := range conn.Handlers() {
			c := h.(*call)
			c.mu.Lock()
			c.timer.Stop()
			c.deadline = time.Now().Add(-time.Millisecond)
			c.mu.Unlock()
		}
	}
}

// dropConnections ends those to endpoints.
func (b *bridged) dropConnections() {
	for _, e := range b.Bridge.table.Load().endpoints {
		e.mu.Lock()
		conns := append([]outgoing(nil), e.conns...)
		e.mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
	}
}
