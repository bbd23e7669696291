package adversary

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/test/harness"
)

// Target is the gateway that is attacked: a cleartext listener with a good tenant's gRPC service and a Tenant.
type Target struct {
	Address, Authority string
	// Good is a path of the good tenant's.
	Good string
}

// Attack has all hostile clients at work until ctx ends, each beginning an attack once in a time, and returns how often each
// attacked. It fails nothing: the good tenant's calls tell.
func Attack(ctx context.Context, t harness.T, target Target, every time.Duration) map[string]int {
	var all sync.WaitGroup
	var mu sync.Mutex
	done := map[string]int{}
	for i, name := range slices.Sorted(maps.Keys(clients)) {
		attack, v := clients[name], visit{Target: target, client: harness.NewClient(t)}
		all.Go(func() {
			// They take turns, as far as there is time for it.
			next := time.NewTimer(every * time.Duration(i) / time.Duration(len(clients)))
			defer next.Stop()
			for {
				select {
				case <-ctx.Done():
				case <-next.C:
				}
				if ctx.Err() != nil {
					break
				}
				next.Reset(every)
				attack(v)
				v.n++
			}
			mu.Lock()
			defer mu.Unlock()
			done[name] = v.n
		})
	}
	all.Wait()
	return done
}

// visit is one attack of a client.
type visit struct {
	Target
	client *harness.Client
	// n is how many there were before.
	n int
}

// held is how long an attack holds on to what it has taken.
const held = 300 * time.Millisecond

// clients are all hostile clients, by what they do.
var clients = map[string]func(visit){
	"headers that are forbidden": func(v visit) {
		h := Spoilt[v.n%len(Spoilt)]
		v.on(func(c *conn) {
			c.call(harness.RawRequest(v.Authority, v.Good, h.Name, h.Value))
			c.listen(held)
		})
	},
	"streams that are reset": func(v visit) {
		v.on(func(c *conn) {
			for range limits.Default.Streams {
				_ = c.framer.WriteRSTStream(c.call(harness.RawRequest(v.Authority, v.Good)), http2.ErrCodeCancel)
			}
			c.listen(held)
		})
	},
	"references to a large header": func(v visit) {
		if c, err := Flood(v.Address, v.Authority, v.Good, []int{4, 7, 60}[v.n%3]); err == nil {
			time.AfterFunc(held, func() { _ = c.Close() })
		}
	},
	"clients that die": func(v visit) {
		v.on(func(c *conn) {
			c.call(harness.RawRequest(v.Authority, v.Good, harness.AskMode, harness.ModeSame))
			if v.n%2 == 0 {
				c.listen(held / 10)
			}
			c.reset()
		})
	},
	"connections that say nothing more": func(v visit) {
		for i := range 20 {
			if c := dial(v.Address); c != nil {
				_, _ = io.WriteString(c, http2.ClientPreface[:i+1])
				time.AfterFunc(held, func() { _ = c.Close() })
			}
		}
	},
	"answers that nobody reads": func(v visit) {
		c := open(v.Address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		if c == nil {
			return
		}
		for range 50 {
			c.call(harness.RawRequest(v.Authority, "/"+service("evil")+"/Get"))
		}
		time.AfterFunc(held, func() { _ = c.Close() })
	},
	"pings and settings": func(v visit) {
		v.on(func(c *conn) {
			for range 500 {
				_ = c.framer.WritePing(false, [8]byte{1})
				_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(v.n)})
			}
			c.listen(held)
		})
	},
	"headers without an end": func(v visit) {
		v.on(func(c *conn) {
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x83, 0x86}})
			for range 200 {
				_ = c.framer.WriteContinuation(1, false, []byte(strings.Repeat("\x00\x01x\x01y", 1000)))
			}
			c.listen(held)
		})
	},
	"frames of any kind": func(v visit) {
		v.on(func(c *conn) {
			kind := http2.FrameType(v.n % 256)
			_ = c.framer.WriteRawFrame(kind, http2.Flags(v.n%7), uint32(v.n%3), []byte(strings.Repeat("\xff", v.n%64)))
			c.listen(held)
		})
	},
	"tunnels": func(v visit) {
		for _, fields := range Openers {
			v.on(func(c *conn) {
				c.headers(false, fields...)
				c.listen(held / 10)
			})
		}
		for _, request := range Openers1 {
			if c := dial(v.Address); c != nil {
				_, _ = io.WriteString(c, request)
				_ = c.Close()
			}
		}
	},
	"expressions": func(v visit) {
		e := Costly[v.n%len(Costly)]
		v.ask(e.Name, func(md metadata.MD) {
			for i := range matchesOf(e) {
				md.Set(headerOf(e, i), e.Value)
			}
		})
	},
	"texts for logs": func(v visit) {
		for _, text := range []string{"[emerg]", "[ALERT]", "nginx: [emerg] forged", "[ALERT]    (1) : forged"} {
			v.client.Do(harness.Call{Address: v.Address, Authority: v.Authority, Path: "/" + service("dead") + "/" + text, Timeout: time.Second})
		}
	},
	"calls of endpoints that answer anything": func(v visit) {
		var calls sync.WaitGroup
		for range 4 {
			calls.Go(func() { v.ask("evil", func(metadata.MD) {}) })
		}
		calls.Wait()
	},
	"calls in a circle": func(v visit) { v.ask("circle", func(metadata.MD) {}) },
	"more headers than fit": func(v visit) {
		v.ask("evil", func(md metadata.MD) {
			for i := range []int{98, 120, 2000}[v.n%3] {
				md.Set(fmt.Sprintf("x-%d", i), "v")
			}
			md.Set("x-large", strings.Repeat("l", []int{1, 31000, 33000, 70000}[v.n%4]))
		})
	},
}

// on does something on a connection, if there is one.
func (v visit) on(do func(*conn)) {
	if c := open(v.Address); c != nil {
		do(c)
		_ = c.Close() // It may have closed it itself.
	}
}

// ask calls one of the Tenant's services by a gRPC library; how that ends is its own business.
func (v visit) ask(name string, with func(metadata.MD)) {
	md := metadata.MD{}
	with(md)
	v.client.Do(harness.Call{Address: v.Address, Authority: v.Authority, Path: "/" + service(name) + "/Get", Metadata: md,
		Timeout: time.Second})
}
