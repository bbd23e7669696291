package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gatewright/gatewright/runtime/bridge"
	"github.com/gatewright/gatewright/test/harness"
)

const patience = 20 * time.Second

// The proxies' configurations. A client may say in want-target what its target is to be, and never in the header itself.
const (
	nginxText = `user www-data;
worker_processes 1;
pid %[1]s/nginx.pid;
events { worker_connections 4096; }
http {
	access_log off;
	error_log stderr;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	upstream bridge { server unix:%[2]s; keepalive 32; }
	server {
		listen %[3]s http2;
		client_max_body_size 0;
		grpc_read_timeout 1h; grpc_send_timeout 1h;
		location / {
			grpc_set_header x-gw-target $http_want_target;
			grpc_set_header x-gw-mirror $http_want_mirror;
			grpc_pass grpc://bridge;
			error_page 502 503 504 = @unavailable;
		}
		location @unavailable {
			default_type application/grpc;
			add_header grpc-status 14 always;
			return 204;
		}
	}
}
`
	haproxyText = `defaults
	mode http
	timeout connect 5s
	timeout client 1h
	timeout server 1h
frontend f
	bind %[3]s proto h2
	http-request set-header x-gw-target %%[req.hdr(want-target)]
	http-request set-header x-gw-mirror %%[req.hdr(want-mirror)]
	default_backend bridge
backend bridge
	server bridge unix@%[2]s proto h2
`
)

// rig is a bridge behind a proxy.
type rig struct {
	t        *testing.T
	dir      string
	config   string
	socket   string
	status   string
	address  string
	program  string
	bridge   *harness.Process
	client   *harness.Client
	backends *harness.Backends
}

func newRig(t *testing.T, p harness.Proxy, program string, texts map[string]string) *rig {
	t.Helper()
	dir := harness.TempDir(t)
	r := &rig{t: t, dir: dir, config: filepath.Join(dir, "bridge.json"), socket: filepath.Join(dir, "s"), status: filepath.Join(dir, "status"),
		address: harness.Address(t) + ":8080", program: program, client: harness.NewClient(t), backends: harness.NewBackends(t)}
	r.configure(nil)
	r.startBridge()
	if err := os.WriteFile(filepath.Join(dir, p.ConfigFile), fmt.Appendf(nil, texts[p.Name], dir, r.socket, r.address), 0o644); err != nil {
		t.Fatal(err)
	}
	proxy := harness.Start(t, p.Binary, p.Run(dir)...)
	proxy.WaitListening(r.address)
	return r
}

// startBridge starts a bridge, which may take the place of another one, and returns when it serves.
func (r *rig) startBridge() {
	r.t.Helper()
	r.bridge = harness.Start(r.t, r.program, "bridge", "--config", r.config, "--socket", r.socket, "--status", r.status,
		"--socket-user", "www-data", "--drain", "20s")
	r.running("serve", func(g bridge.Running) bool { return g.PID == r.bridge.PID() && g.Hash != "" })
}

func (r *rig) running(what string, is func(bridge.Running) bool) {
	r.t.Helper()
	r.bridge.Await(what, patience, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		got, err := bridge.Ask(ctx, r.status)
		if err == nil && !is(got) {
			err = fmt.Errorf("it says %+v", got)
		}
		return err
	})
}

// endpoint starts a backend, and returns where.
func (r *rig) endpoint(name string) netip.AddrPort {
	r.t.Helper()
	address := r.backends.Address(name, 0)
	r.backends.Listen(name, address, 50051)
	return netip.MustParseAddrPort(address + ":50051")
}

// configure has the bridge serve these actions, and "plain", to a backend "first", with a mirror "second".
func (r *rig) configure(actions map[string]bridge.Action) {
	r.t.Helper()
	c := bridge.Config{Version: bridge.Version, Actions: map[string]bridge.Action{
		"plain":    {Upstream: "first"},
		"mirrored": {Upstream: "first", Mirrors: []string{"second"}},
		"limited":  {Upstream: "first", Timeout: bridge.Duration(300 * time.Millisecond)},
		"again": {Upstream: "first", Retry: &bridge.Retry{Retries: 2, On: []bridge.Condition{bridge.Unavailable},
			Budget: &bridge.RetryBudget{PerSecond: 1000}}},
	}, Upstreams: map[string]bridge.Upstream{
		"first":  {Endpoints: []netip.AddrPort{r.endpoint("first")}},
		"second": {Endpoints: []netip.AddrPort{r.endpoint("second")}},
	}}
	for id, a := range actions {
		c.Actions[id] = a
	}
	r.write(c)
}

// write has the bridge serve a configuration.
func (r *rig) write(c bridge.Config) {
	r.t.Helper()
	text, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(r.config+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(r.config+".new", r.config)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) call(target string, pairs ...string) harness.Call {
	return harness.Call{Address: r.address, Authority: "example", Path: "/s/m", Message: []byte("m"),
		Metadata: metadata.Pairs(append([]string{"want-target", target}, pairs...)...)}
}

// forEach runs a part of a test behind the oldest and the newest version of each proxy.
func forEach(t *testing.T, part func(t *testing.T, r *rig)) {
	forEachWith(t, map[string]string{"nginx": nginxText, "haproxy": haproxyText}, part)
}

func forEachWith(t *testing.T, texts map[string]string, part func(t *testing.T, r *rig)) {
	program := harness.Program(t)
	for _, p := range harness.Ends(harness.Proxies(t)) {
		t.Run(p.String(), func(t *testing.T) { part(t, newRig(t, p, program, texts)) })
	}
}

// TestBehind has calls of all kinds and all policies pass a proxy and the bridge.
func TestBehind(t *testing.T) {
	forEach(t, func(t *testing.T, r *rig) {
		for _, size := range []int{0, 100, 100_000, 3 << 20} {
			call := r.call("plain", harness.AskMode, harness.ModeSame, harness.AskHeader, "h=1", harness.AskTrailer, "t=2")
			call.Message = bytes.Repeat([]byte("x"), size)
			reply := r.client.Do(call)
			if reply.Code != codes.OK || !bytes.Equal(reply.Body, call.Message) || len(reply.Headers["h"]) != 1 || len(reply.Trailers["t"]) != 1 {
				t.Errorf("%d bytes: %s %s, %d bytes, %v, %v", size, reply.Code, reply.Message, len(reply.Body), reply.Headers, reply.Trailers)
			}
		}
		reply := r.client.Do(r.call("plain", "x-gw-target", "limited", "x-gw-mirror", "0", "k-bin", "\x00\x01"))
		md := reply.Echo.Metadata
		if reply.Code != codes.OK || len(md.Get("x-gw-target"))+len(md.Get("x-gw-mirror")) > 0 || len(md.Get("k-bin")) != 1 {
			t.Errorf("forged: %s %s, %v", reply.Code, reply.Message, md)
		}
		reply = r.client.Do(r.call("plain", harness.AskStatus, "9:not now"))
		if reply.Code != codes.FailedPrecondition || reply.Message != "not now" {
			t.Errorf("a status: %s %s", reply.Code, reply.Message)
		}
		if reply = r.client.Do(r.call("nobody", "x-gw-target", "plain")); reply.Code != codes.Unavailable {
			t.Errorf("an unknown target: %s %s", reply.Code, reply.Message)
		}
		streams(t, r)
		deadlines(t, r)
		if reply = r.client.Do(r.call("again", harness.AskStatus, "14:gone")); reply.Code != codes.Unavailable || reply.Message != "gone" {
			t.Errorf("a call that is sent again: %s %s", reply.Code, reply.Message)
		}
		for range 20 {
			if reply = r.client.Do(r.call("mirrored", "want-mirror", "0")); reply.Backend() != "first" {
				t.Errorf("mirrored: %s %s", reply.Backend(), reply.Message)
			}
		}
	})
}

// streams has ninety streams open at a time.
func streams(t *testing.T, r *rig) {
	var open []*harness.Stream
	for range 90 {
		s, err := r.client.Stream(r.call("mirrored", "want-mirror", "0", harness.AskMode, harness.ModeSame))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		open = append(open, s)
	}
	for range 3 {
		for i, s := range open {
			if err := s.Send([]byte("m")); err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
		for i, s := range open {
			if m, err := s.Receive(); err != nil || string(m) != "m" {
				t.Fatalf("stream %d: %q, %v", i, m, err)
			}
		}
	}
}

// deadlines has calls take too long before and after their headers.
func deadlines(t *testing.T, r *rig) {
	var calls sync.WaitGroup
	for range 5 {
		for _, mode := range []string{harness.ModeQuiet, harness.ModeEnd} {
			calls.Go(func() {
				begun := time.Now()
				s, err := r.client.Stream(r.call("limited", harness.AskMode, mode))
				if err == nil {
					defer s.Close()
					_, err = s.Receive()
				}
				took := time.Since(begun)
				if code := status.Code(err); code != codes.DeadlineExceeded || took < 290*time.Millisecond || took > 2*time.Second {
					t.Errorf("mode %q: %v after %s", mode, err, took)
				}
			})
		}
	}
	calls.Wait()
}

// TestReplaced puts a new bridge in the place of the old one under callers and streams, and then kills one: none of the former fails,
// and after the latter the next one serves.
func TestReplaced(t *testing.T) {
	forEach(t, func(t *testing.T, r *rig) {
		var stop atomic.Bool
		var callers sync.WaitGroup
		var calls atomic.Int64
		for range 50 {
			c := harness.NewClient(t)
			callers.Go(func() {
				for !stop.Load() {
					if reply := c.Do(r.call("plain")); reply.Code != codes.OK {
						t.Errorf("%s %s", reply.Code, reply.Message)
						return
					}
					calls.Add(1)
					<-time.After(50 * time.Millisecond)
				}
			})
		}
		var open []*harness.Stream
		turn := func() {
			t.Helper()
			for i, s := range open {
				err := s.Send([]byte("m"))
				if err == nil {
					_, err = s.Receive()
				}
				if err != nil {
					t.Errorf("stream %d: %v", i, err)
				}
			}
		}
		for range 20 {
			s, err := r.client.Stream(r.call("plain", harness.AskMode, harness.ModeSame))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			open = append(open, s)
		}
		turn()
		more := func() {
			n := calls.Load()
			harness.Until(t, "make calls", patience, func() error {
				if calls.Load() < n+150 {
					return fmt.Errorf("%d calls", calls.Load()-n)
				}
				return nil
			}, r.bridge.Log)
		}
		more()
		old := r.bridge
		r.startBridge()
		old.Signal(syscall.SIGTERM)
		more()
		turn()
		for _, s := range open {
			s.Close()
		}
		if err := old.Ended(); err != nil {
			t.Errorf("the old bridge ended with %v", err)
		}
		more()
		stop.Store(true)
		callers.Wait()
		r.bridge.Kill()
		r.startBridge()
		harness.Until(t, "be served again", patience, func() error {
			if reply := r.client.Do(r.call("plain")); reply.Code != codes.OK {
				return fmt.Errorf("%s %s", reply.Code, reply.Message)
			}
			return nil
		}, r.bridge.Log)
		// SIGTERM ends one that has nothing to do.
		r.bridge.Signal(syscall.SIGTERM)
		if err := r.bridge.Ended(); err != nil {
			t.Errorf("the bridge ended with %v", err)
		}
	})
}
