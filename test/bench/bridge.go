package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/runtime/bridge"
	"github.com/gatewright/gatewright/test/harness"
)

// What the bridge's process is given to do.
const (
	relayCalls    = 30000
	relayMessages = 100000
	relayCallers  = 20
	// relaySize is how long messages are, in bytes.
	relaySize = 100
)

// relayStreams are the numbers of streams that memory is measured with.
var relayStreams = []int{1000, 5000}

// tasks are what the bridge may have to do for a call, in the order of the tables.
var tasks = []struct {
	name   string
	action bridge.Action
}{
	{"passes calls on", bridge.Action{Upstream: "first"}},
	{"a timeout and retries", bridge.Action{Upstream: "first", Timeout: bridge.Duration(time.Minute),
		Retry: &bridge.Retry{Retries: 3, On: []bridge.Condition{bridge.Unavailable}}}},
	{"a mirror", bridge.Action{Upstream: "first", Mirrors: []string{"second"}}},
}

// relay is a process between callers and a backend, on a socket.
type relay struct {
	t       harness.T
	name    string
	socket  string
	process *harness.Process
}

// measureBridge measures what the bridge's process takes without a proxy, beside a relay by grpc-go's server and client.
func measureBridge(t *harness.Scope) {
	calls := [][]string{{"process", "CPU a call", "CPU a message", "memory of its own, idle"}}
	for _, n := range relayStreams {
		calls[0] = append(calls[0], fmt.Sprintf("with %d streams", n))
	}
	for _, start := range append(bridges(), startRelay) {
		row := []string{}
		scope := harness.NewScope(t)
		r := start(scope)
		row = append(row, r.name, microseconds(r.calls(relayCalls)), microseconds(r.messages(relayMessages)))
		scope.End()
		// A process of its own for memory: one that was busy keeps what it had.
		scope = harness.NewScope(t)
		r = start(scope)
		row = append(row, megabytes(r.memory()))
		open := 0
		for _, n := range relayStreams {
			r.streams(n - open)
			open = n
			row = append(row, megabytes(r.memory()))
		}
		scope.End()
		calls = append(calls, row)
	}
	table("What the bridge's process takes for gRPC", calls)
	requests := [][]string{{"process", "CPU a request"}}
	for _, task := range tasks {
		if task.action.Retry == nil {
			scope := harness.NewScope(t)
			requests = append(requests, []string{"bridge: " + task.name, microseconds(webRelay(scope, task.action).requests(relayCalls))})
			scope.End()
		}
	}
	table("And for HTTP/1.1", requests)
}

// bridges start a bridge for each task.
func bridges() (all []func(harness.T) *relay) {
	for _, task := range tasks {
		all = append(all, func(t harness.T) *relay {
			backends := harness.NewBackends(t)
			c := bridge.Config{Version: bridge.Version, Actions: map[string]bridge.Action{"task": task.action}, Upstreams: map[string]bridge.Upstream{}}
			for _, name := range []string{"first", "second"} {
				address := backends.Address(name, 0)
				backends.Listen(name, address, 50051)
				c.Upstreams[name] = bridge.Upstream{Endpoints: []netip.AddrPort{netip.MustParseAddrPort(address + ":50051")}}
			}
			return startBridge(t, "bridge: "+task.name, c)
		})
	}
	return all
}

func startBridge(t harness.T, name string, c bridge.Config) *relay {
	dir := harness.TempDir(t)
	text, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bridge.json"), text, 0o600)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	r := &relay{t: t, name: name, socket: filepath.Join(dir, "s")}
	r.process = harness.Start(t, harness.Program(t), "bridge", "--config", filepath.Join(dir, "bridge.json"), "--socket", r.socket, "--drain", "0s")
	return r.listening()
}

// startRelay starts this program again, as a relay by grpc-go.
func startRelay(t harness.T) *relay {
	backends := harness.NewBackends(t)
	address := backends.Address("first", 0)
	backends.Listen("first", address, 50051)
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("%v", err)
	}
	r := &relay{t: t, name: "grpc-go, server and client", socket: filepath.Join(harness.TempDir(t), "s")}
	r.process = harness.Start(t, self, relayMode, r.socket, address+":50051")
	return r.listening()
}

func (r *relay) listening() *relay {
	r.process.Await("listen", harness.DefaultTimeout, func() error {
		_, err := os.Stat(r.socket)
		return err
	})
	return r
}

// cpu is what the process has taken, in microseconds.
func (r *relay) cpu() float64 {
	stat := fmt.Sprintf("/proc/%d/stat", r.process.PID())
	return 10_000 * (number(r.t, stat, 11) + number(r.t, stat, 12)) // They are in hundredths of a second.
}

// memory is what the process has of its own. The pages of the program's file are those of gatewright too.
func (r *relay) memory() int64 { return procStatus(r.t, r.process.PID(), "RssAnon") }

// each has callers do something n times together, and returns what one took of the process.
func (r *relay) each(n int, do func(caller, i int) error) float64 {
	before := r.cpu()
	var all sync.WaitGroup
	for caller := range relayCallers {
		all.Go(func() {
			for i := caller; i < n; i += relayCallers {
				if err := do(caller, i); err != nil {
					r.t.Errorf("%s: %v", r.name, err)
					return
				}
			}
		})
	}
	all.Wait()
	return (r.cpu() - before) / float64(n)
}

func (r *relay) call() harness.Call {
	return harness.Call{Address: "unix:" + r.socket, Authority: "example", Path: "/s/m", Message: make([]byte, relaySize), Timeout: time.Hour,
		Metadata: metadata.Pairs("x-gw-target", "task", "x-gw-mirror", "0", harness.AskMode, harness.ModeSame)}
}

func (r *relay) calls(n int) float64 {
	c := harness.NewClient(r.t)
	defer c.Close()
	return r.each(n, func(int, int) error {
		if reply := c.Do(r.call()); reply.Code != codes.OK {
			return fmt.Errorf("%s: %s", reply.Code, reply.Message)
		}
		return nil
	})
}

// messages go to and fro on a stream of each caller.
func (r *relay) messages(n int) float64 {
	open := r.streams(relayCallers)
	message := make([]byte, relaySize)
	return r.each(n, func(caller, _ int) error { return there(open[caller], message) })
}

func there(s *harness.Stream, message []byte) error {
	err := s.Send(message)
	if err == nil {
		_, err = s.Receive()
	}
	return err
}

// streams opens so many, on which a message has gone to and fro, a thousand to a connection.
func (r *relay) streams(n int) (open []*harness.Stream) {
	var c *harness.Client
	for i := range n {
		if i%1000 == 0 {
			c = harness.NewClient(r.t)
		}
		s, err := c.Stream(r.call())
		if err == nil {
			r.t.Cleanup(s.Close)
			err = there(s, make([]byte, relaySize))
		}
		if err != nil {
			r.t.Fatalf("%s: stream %d: %v", r.name, i, err)
		}
		open = append(open, s)
	}
	return open
}

// webRelay is a bridge to servers of HTTP/1.1.
func webRelay(t harness.T, action bridge.Action) *relay {
	c := bridge.Config{Version: bridge.Version, Actions: map[string]bridge.Action{"task": action}, Upstreams: map[string]bridge.Upstream{}}
	for _, name := range []string{"first", "second"} {
		l, err := net.Listen("tcp", net.JoinHostPort(harness.Address(t), "8080"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })}
		go func() { _ = s.Serve(l) }() // Until it is closed.
		t.Cleanup(func() { _ = s.Close() })
		c.Upstreams[name] = bridge.Upstream{Protocol: bridge.HTTP1, Endpoints: []netip.AddrPort{netip.MustParseAddrPort(l.Addr().String())}}
	}
	return startBridge(t, "bridge", c)
}

// requests are of HTTP/1.1; their bodies come back.
func (r *relay) requests(n int) float64 {
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: relayCallers, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", r.socket)
	}}}
	defer c.CloseIdleConnections()
	return r.each(n, func(int, int) error {
		q, err := http.NewRequest("POST", "http://example/", bytes.NewReader(make([]byte, relaySize)))
		if err != nil {
			return err
		}
		q.Header = http.Header{"X-Gw-Target": {"task"}, "X-Gw-Mirror": {"0"}}
		response, err := c.Do(q)
		if err != nil {
			return err
		}
		got, err := io.Copy(io.Discard, response.Body)
		if err == nil && (got != relaySize || response.StatusCode != 200) {
			err = errors.New(response.Status + " with " + strconv.FormatInt(got, 10) + " bytes")
		}
		return errors.Join(err, response.Body.Close())
	})
}
