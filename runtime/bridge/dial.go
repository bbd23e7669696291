package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/bridge/frames"
	"github.com/gatewright/gatewright/runtime/bridge/http1"
)

// cancelCode is the code of the RST_STREAM by which an endpoint learns that a call was given up.
const cancelCode = http2.ErrCodeCancel

// dialer finds hosts that are gone: one that is silent by keep-alive, one that acknowledges nothing by its own limit.
var dialer = net.Dialer{
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((30 * time.Second).Milliseconds()))
		})
		return errors.Join(err, failed)
	},
}

// connect opens a connection and returns once the endpoint has said how it wants it, where it speaks HTTP/2. Until then nothing of
// a call is sent, so an endpoint that takes connections and doesn't answer costs no call.
func (e *endpoint) connect() (outgoing, error) {
	ctx, cancel := context.WithTimeout(e.b.ctx, connectTime)
	defer cancel()
	nc, err := dialer.DialContext(ctx, "tcp", e.address.String())
	if err != nil {
		return nil, err
	}
	if nc, err = e.secure(ctx, nc); err != nil {
		return nil, err
	}
	if e.http1 {
		conn := overText{http1.New(nc, http1.Options{Client: true, Budget: e.b.budget, MaxHeadBytes: maxHeadBytes, Free: e.freed})}
		e.serve(conn, make(chan error, 1))
		return conn, nil
	}
	ready := make(chan struct{})
	conn := overFrames{frames.New(nc, frames.Options{
		Client: true, Budget: e.b.budget, MaxStreams: maxOutgoing, MaxHeaderBytes: maxHeaderBytes, ReadBuffer: 32 << 10,
		Ready: func() { close(ready) }, Room: e.room,
	})}
	ended := make(chan error, 1)
	e.serve(conn, ended)
	select {
	case <-ready:
		return conn, nil
	case err := <-ended:
		return nil, fmt.Errorf("%s doesn't speak HTTP/2 with prior knowledge: %w", e.address, err)
	case <-ctx.Done():
		conn.Close()
		return nil, fmt.Errorf("%s takes connections and sends no SETTINGS: %w", e.address, ctx.Err())
	}
}

// serve reads from a connection until it ends.
func (e *endpoint) serve(conn outgoing, ended chan<- error) {
	forget := context.AfterFunc(e.b.ctx, conn.Close)
	e.b.tasks.Go(func() {
		ended <- conn.Serve()
		forget()
		e.lost(conn)
	})
}

// secure begins TLS where the endpoint is spoken to by that. An endpoint that isn't who it must be is sent nothing.
func (e *endpoint) secure(ctx context.Context, nc net.Conn) (net.Conn, error) {
	if e.tls == nil {
		return nc, nil
	}
	secured := tls.Client(nc, e.tls)
	err := secured.HandshakeContext(ctx)
	switch spoken := secured.ConnectionState().NegotiatedProtocol; {
	case err != nil, spoken == alpn(e.http1), e.http1 && spoken == "":
	default:
		err = fmt.Errorf("it speaks TLS and not %s", alpn(e.http1))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e.address, err), nc.Close())
	}
	return secured, nil
}
