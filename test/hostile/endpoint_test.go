package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// What a call asks of an endpoint, as metadata beside its callID.
const (
	callID  = "call-id"
	askHold = "ask-hold"
	// holdSilent answers nothing, and holdQuiet headers, until the endpoint is told to finish.
	holdSilent, holdQuiet = "silent", "quiet"
)

// endpoint is a gRPC server that counts its calls, and can be made to fail as endpoints do.
type endpoint struct {
	t       *testing.T
	address string

	mu     sync.Mutex
	server *http.Server
	conns  map[*net.TCPConn]bool
	runs   map[string]int
	held   map[string]*heldCall
	// arrived tells of calls that are held, gone of those whose client went away.
	arrived, gone chan string
}

// heldCall is a call that waits: how it ends is sent to it.
type heldCall struct{ end chan heldEnd }

type heldEnd int

// The ends of a held call.
const (
	finish heldEnd = iota
	reset
)

func newEndpoint(t *testing.T, address string) *endpoint {
	e := &endpoint{
		t: t, address: address, conns: map[*net.TCPConn]bool{}, runs: map[string]int{}, held: map[string]*heldCall{},
		arrived: make(chan string, 1000), gone: make(chan string, 1000),
	}
	e.start()
	t.Cleanup(func() { e.cut(e.stop()) })
	return e
}

// start listens, again after a stop.
func (e *endpoint) start() {
	var l net.Listener
	// A program that another test is just starting holds the old listener open until it is executed.
	harness.Until(e.t, "endpoint", harness.DefaultTimeout, func() (err error) {
		l, err = net.Listen("tcp", e.address)
		return err
	}, func() string { return "" })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: e, Protocols: protocols, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.conns[c.(*net.TCPConn)] = true
		return ctx
	}}
	e.mu.Lock()
	e.server = server
	e.mu.Unlock()
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			e.t.Errorf("endpoint %s: %v", e.address, err)
		}
	}()
}

// stop returns the server and the connections that the endpoint had until now.
func (e *endpoint) stop() (*http.Server, map[*net.TCPConn]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	conns := e.conns
	e.conns = map[*net.TCPConn]bool{}
	return e.server, conns
}

// cut ends connections as they end when a process dies, and its host says so by a reset.
func (e *endpoint) cut(server *http.Server, conns map[*net.TCPConn]bool) {
	for c := range conns {
		_ = c.SetLinger(0) // It may be closed already.
		_ = c.Close()
	}
	_ = server.Close() // So may they all.
}

// fail lets the endpoint fail while it holds a call, and take calls again.
func (e *endpoint) fail(way, id string) {
	if way == "reset" {
		e.end(id, reset)
		return
	}
	server, conns := e.stop()
	switch way {
	case "killed":
		e.cut(server, conns)
	case "closed":
		_ = server.Close() // Connections that were closed already are no failure.
	case "drained":
		e.drain(server, id)
	default:
		e.t.Fatalf("endpoints don't fail by being %s", way)
	}
	e.start()
}

// drain says GOAWAY on all connections, and finishes the call.
func (e *endpoint) drain(server *http.Server, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), harness.DefaultTimeout)
	defer cancel()
	told := make(chan struct{})
	server.RegisterOnShutdown(func() { close(told) })
	done := make(chan error, 1)
	go func() { done <- server.Shutdown(ctx) }()
	<-told
	e.end(id, finish)
	if err := <-done; err != nil {
		e.t.Errorf("endpoint %s doesn't drain: %v", e.address, err)
	}
}

// end ends a held call.
func (e *endpoint) end(id string, how heldEnd) {
	e.mu.Lock()
	h := e.held[id]
	e.mu.Unlock()
	if h != nil {
		h.end <- how
	}
}

// count is how often a call came in.
func (e *endpoint) count(id string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[id]
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(callID)
	h := &heldCall{end: make(chan heldEnd, 1)}
	e.mu.Lock()
	e.runs[id]++
	e.held[id] = h
	e.mu.Unlock()
	w.Header().Set("content-type", "application/grpc")
	w.Header().Set("trailer", "grpc-status")
	hold := r.Header.Get(askHold)
	if hold == "" {
		_, _ = io.Copy(io.Discard, r.Body) // A client that has gone isn't answered.
		h.end <- finish
	} else {
		if hold == holdQuiet {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush() // A client that has gone is noticed below.
		}
		e.arrived <- id
	}
	select {
	case <-r.Context().Done():
		e.gone <- id
	case how := <-h.end:
		if how == reset {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(make([]byte, 5)) // An empty message.
		w.Header().Set("grpc-status", "0")
	}
}

// within returns what a channel tells in time.
func within(t *testing.T, what string, limit time.Duration, c <-chan string) string {
	t.Helper()
	select {
	case id := <-c:
		return id
	case <-time.After(limit):
		t.Errorf("%s: not within %v", what, limit)
		return ""
	}
}

// serveEndpoints serves a Service with so many endpoints of this kind.
func serveEndpoints(t *testing.T, p harness.Proxy, n int, o harness.Options) (*harness.Served, []*endpoint) {
	t.Helper()
	// The harness gives them addresses, and leaves the listening to us.
	o.Endpoints = map[string][]bool{"default/s": make([]bool, n)}
	s := harness.Serve(t, p, harness.Load(t, "", liveGateway, harness.Service("default", "s", 50051), rule("r", "", "", "s.A", "", "s")), o)
	var list []*endpoint
	for _, e := range s.Model.Clusters[0].Endpoints {
		list = append(list, newEndpoint(t, fmt.Sprintf("%s:%d", e.Address, e.Port)))
	}
	return s, list
}
