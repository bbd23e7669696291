package bridge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// ran is a bridge that runs as a process does.
type ran struct {
	Options
	stop, kill context.CancelFunc
	ended      chan error
}

func runIn(t *testing.T, dir string) *ran {
	t.Helper()
	r := &ran{ended: make(chan error, 1), Options: Options{
		Config: filepath.Join(dir, "bridge.json"), Socket: filepath.Join(dir, "s"), Listen: filepath.Join(dir, "ask"), Owner: -1,
		Drain: patience, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}}
	ctx, stop := context.WithCancel(context.Background())
	now, kill := context.WithCancel(context.Background())
	r.stop, r.kill = stop, kill
	var done sync.WaitGroup
	done.Go(func() { r.ended <- Run(ctx, now, r.Options) })
	t.Cleanup(func() {
		stop()
		kill()
		done.Wait()
	})
	return r
}

// replace puts a file in the place of another one in one step.
func replace(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (r *ran) runs(t *testing.T, what string, is func(Running) bool) {
	t.Helper()
	await(t, what, func() bool {
		got, err := Ask(background(t), r.Listen)
		return err == nil && is(got)
	})
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	r := runIn(t, dir)
	first := plain(t, serve(t, echo).address)
	first.Generation = "one"
	replace(t, r.Config, written(t, first))
	r.runs(t, "the first configuration", func(g Running) bool { return g.Generation == "one" && g.Error == "" && g.PID == os.Getpid() })
	c := dial(t, "unix", overUnix(r.Socket), targets("a"))
	if _, err := unary(background(t), c, nil); err != nil {
		t.Error(err)
	}
	replace(t, r.Config, []byte(`{"version": 1, "actoins": {}}`))
	r.runs(t, "the bad one's error", func(g Running) bool { return g.Generation == "one" && strings.Contains(g.Error, "actoins") })
	if _, err := unary(background(t), c, nil); err != nil {
		t.Errorf("with a bad file: %v", err)
	}
	first.Generation = "two"
	replace(t, r.Config, written(t, first))
	r.runs(t, "the next one", func(g Running) bool { return g.Generation == "two" && g.Error == "" })

	unix := func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", r.Listen) }
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: unix}}
	reply, err := client.Get("http://bridge/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reply.Body)
	if err := errors.Join(err, reply.Body.Close()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{`gatewright_bridge_calls_total{code="OK",rule="action a"} 2`,
		`gatewright_bridge_reads_total{result="error"} 1`,
		`gatewright_bridge_reads_total{result="ok"} 2`, "gatewright_bridge_connections 1"} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("/metrics has no %s:\n%.1500s", want, text)
		}
	}
	for _, path := range []string{r.Socket, r.Listen} {
		if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func targets(id string) grpc.DialOption { return grpc.WithPerRPCCredentials(said{HeaderTarget: id}) }

// said are headers that a client sends with each call.
type said map[string]string

func (s said) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return s, nil
}
func (said) RequireTransportSecurity() bool { return false }

// TestUnusable has a bridge without a configuration leave alone one that serves.
func TestUnusable(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "bridge.json")
	replace(t, config, written(t, plain(t, serve(t, echo).address)))
	old := runIn(t, dir)
	old.runs(t, "the first bridge", func(g Running) bool { return g.Hash != "" })
	before, err := os.Lstat(old.Socket)
	if err != nil {
		t.Fatal(err)
	}
	bad := t.TempDir()
	replace(t, filepath.Join(bad, "bridge.json"), []byte("{}"))
	var said lines
	o := old.Options
	o.Config, o.Log = filepath.Join(bad, "bridge.json"), slog.New(slog.NewTextHandler(&said, nil))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, ctx, o) }()
	await(t, "the next one's complaint", func() bool { return strings.Contains(said.String(), "version 0") })
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if after, err := os.Lstat(old.Socket); err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket is another one: %v", err)
	}
	if _, err := unary(background(t), dial(t, "unix", overUnix(old.Socket), targets("a")), nil); err != nil {
		t.Error(err)
	}
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestReplace puts one bridge in the place of the other under load: no call is lost, and no stream that ends in time.
func TestReplace(t *testing.T) {
	s := serve(t, echo)
	dir := t.TempDir()
	replace(t, filepath.Join(dir, "bridge.json"), written(t, plain(t, s.address)))
	old := runIn(t, dir)
	old.runs(t, "the first bridge", func(g Running) bool { return g.Hash != "" })

	// Each client has a connection of its own, as each worker of a proxy has.
	var stop atomic.Bool
	var callers sync.WaitGroup
	var calls atomic.Int64
	for range 50 {
		c := dial(t, "unix", overUnix(old.Socket), targets("a"))
		callers.Go(func() {
			for !stop.Load() {
				if _, err := unary(background(t), c, []byte("m")); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
				<-time.After(5 * time.Millisecond)
			}
		})
	}
	var streams []grpc.ClientStream
	for range 20 {
		st := stream(t, background(t), dial(t, "unix", overUnix(old.Socket), targets("a")))
		turn(t, st)
		streams = append(streams, st)
	}
	await(t, "calls", func() bool { return calls.Load() > 500 })
	next := runIn(t, dir)
	next.runs(t, "the next bridge", func(g Running) bool { return g.Hash != "" })
	old.stop()
	n := calls.Load()
	await(t, "calls through the next one", func() bool { return calls.Load() > n+500 })
	for _, st := range streams {
		turn(t, st)
	}
	select {
	case err := <-old.ended:
		t.Errorf("the old one ended before its streams: %v", err)
	default:
	}
	for _, st := range streams {
		if err := st.CloseSend(); err != nil {
			t.Error(err)
		}
		var m []byte
		if err := st.RecvMsg(&m); err != io.EOF {
			t.Errorf("a stream ended with %v", err)
		}
	}
	select {
	case err := <-old.ended:
		if err != nil {
			t.Errorf("the old one ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the old one doesn't end")
	}
	stop.Store(true)
	callers.Wait()
}

// turn sends a message and gets it back.
func turn(t testing.TB, s grpc.ClientStream) {
	t.Helper()
	if err := s.SendMsg([]byte("m")); err != nil {
		t.Fatal(err)
	}
	var m []byte
	if err := s.RecvMsg(&m); err != nil {
		t.Fatal(err)
	}
}

// TestDrainEnds gives streams that take too long a status.
func TestDrainEnds(t *testing.T) {
	s := serve(t, echo)
	dir := t.TempDir()
	replace(t, filepath.Join(dir, "bridge.json"), written(t, plain(t, s.address)))
	r := runIn(t, dir)
	r.runs(t, "the bridge", func(g Running) bool { return g.Hash != "" })
	st := stream(t, background(t), dial(t, "unix", overUnix(r.Socket), targets("a")))
	turn(t, st)
	r.stop()
	r.kill()
	var m []byte
	wantCode(t, "the stream", st.RecvMsg(&m), codes.Unavailable)
	if err := <-r.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestSocketPlace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(file, -1); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("a file: %v", err)
	}
	if _, err := listen(filepath.Join(dir, "no", "s"), -1); err == nil {
		t.Error("a folder that isn't there is taken")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
