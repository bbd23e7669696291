package bridge

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
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/runtime/bridge"
	"github.com/gatewright/gatewright/test/harness"
)

// The benchmarks tell what the bridge's process alone takes, without a proxy: processor time of an operation, and memory.

var policies = map[string]bridge.Action{
	"plain":    {Upstream: "first"},
	"policies": {Upstream: "first", Timeout: bridge.Duration(time.Minute), Retry: &bridge.Retry{Retries: 3, On: []bridge.Condition{bridge.Unavailable}}},
	"mirrored": {Upstream: "first", Mirrors: []string{"second"}},
}

// bench is a bridge with two backends.
type bench struct {
	b       *testing.B
	process *harness.Process
	socket  string
}

func newBench(b *testing.B) *bench {
	backends := harness.NewBackends(b)
	c := bridge.Config{Version: bridge.Version, Actions: policies, Upstreams: map[string]bridge.Upstream{}}
	for _, name := range []string{"first", "second"} {
		address := backends.Address(name, 0)
		backends.Listen(name, address, 50051)
		c.Upstreams[name] = bridge.Upstream{Endpoints: []netip.AddrPort{netip.MustParseAddrPort(address + ":50051")}}
	}
	return benchOf(b, c)
}

func benchOf(b *testing.B, c bridge.Config) *bench {
	dir := harness.TempDir(b)
	text, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bridge.json"), text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	x := &bench{b: b, socket: filepath.Join(dir, "s")}
	x.process = harness.Start(b, harness.Program(b), "bridge", "--config", filepath.Join(dir, "bridge.json"), "--socket", x.socket, "--drain", "0s")
	x.process.Await("listen", patience, func() error {
		_, err := os.Stat(x.socket)
		return err
	})
	return x
}

func (x *bench) call(target string) harness.Call {
	md := metadata.Pairs("x-gw-target", target, harness.AskMode, harness.ModeSame)
	if target == "mirrored" {
		md.Set("x-gw-mirror", "0")
	}
	return harness.Call{Address: "unix:" + x.socket, Authority: "example", Path: "/s/m", Message: make([]byte, 100), Metadata: md, Timeout: time.Hour}
}

// cpu is the processor time of the bridge.
func (x *bench) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", x.process.PID()))
	if err != nil {
		x.b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	ticks := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			x.b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory is what the bridge has in memory, in MB.
func (x *bench) memory() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.process.PID()))
	if err != nil {
		x.b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				x.b.Fatal(err)
			}
			return float64(n) / 1024
		}
	}
	x.b.Fatal("the process has no memory")
	return 0
}

// measure reports what an operation costs the bridge.
func (x *bench) measure(do func()) {
	before := x.cpu()
	x.b.ResetTimer()
	do()
	x.b.StopTimer()
	x.b.ReportMetric(float64((x.cpu()-before).Microseconds())/float64(x.b.N), "bridge-µs/op")
	x.b.ReportMetric(x.memory(), "MB")
}

func BenchmarkCall(b *testing.B) {
	for _, target := range []string{"plain", "policies", "mirrored"} {
		b.Run(target, func(b *testing.B) {
			x := newBench(b)
			c := harness.NewClient(b)
			const callers = 20
			x.measure(func() {
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for range b.N/callers + 1 {
							if r := c.Do(x.call(target)); r.Code != codes.OK {
								b.Error(r.Code, r.Message)
								return
							}
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// BenchmarkRequest makes requests of HTTP/1.1.
func BenchmarkRequest(b *testing.B) {
	for _, target := range []string{"plain", "mirrored"} {
		b.Run(target, func(b *testing.B) {
			first := serveHTTP(b, func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(w, q.Body) })
			second := serveHTTP(b, func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) })
			x := benchOf(b, bridge.Config{Version: bridge.Version, Actions: map[string]bridge.Action{
				"plain": policies["plain"], "mirrored": policies["mirrored"],
			}, Upstreams: map[string]bridge.Upstream{
				"first":  {Protocol: bridge.HTTP1, Endpoints: []netip.AddrPort{first}},
				"second": {Protocol: bridge.HTTP1, Endpoints: []netip.AddrPort{second}},
			}})
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100,
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					var d net.Dialer
					return d.DialContext(ctx, "unix", x.socket)
				}}}
			defer c.CloseIdleConnections()
			x.measure(func() {
				var all sync.WaitGroup
				const callers = 20
				for range callers {
					all.Go(func() {
						for range b.N/callers + 1 {
							if err := x.request(c, target); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// request makes one, whose body comes back.
func (x *bench) request(c *http.Client, target string) error {
	q, err := http.NewRequest("POST", "http://example/", bytes.NewReader(make([]byte, 100)))
	if err != nil {
		return err
	}
	q.Header = http.Header{"X-Gw-Target": {target}, "X-Gw-Mirror": {"0"}}
	resp, err := c.Do(q)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (n != 100 || resp.StatusCode != 200) {
		err = fmt.Errorf("%s with %d bytes", resp.Status, n)
	}
	return errors.Join(err, resp.Body.Close())
}

// BenchmarkMessage has streams open, on which messages go to and fro; many of them show what a stream takes of memory.
func BenchmarkMessage(b *testing.B) {
	for _, target := range []string{"plain", "policies", "mirrored"} {
		for _, streams := range []int{20, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/%d", target, streams), func(b *testing.B) {
				x := newBench(b)
				var all []*harness.Stream
				var c *harness.Client
				for i := range streams {
					if i%1000 == 0 {
						c = harness.NewClient(b)
					}
					s, err := c.Stream(x.call(target))
					if err == nil {
						err = s.Send(make([]byte, 100))
					}
					if err == nil {
						_, err = s.Receive()
					}
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					all = append(all, s)
				}
				x.measure(func() {
					var turns sync.WaitGroup
					const callers = 20
					for i := range callers {
						turns.Go(func() {
							for n := range b.N/callers + 1 {
								s := all[(n*callers+i)%len(all)]
								err := s.Send(make([]byte, 100))
								if err == nil {
									_, err = s.Receive()
								}
								if err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					turns.Wait()
				})
			})
		}
	}
}
