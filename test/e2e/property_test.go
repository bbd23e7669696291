package e2e

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/generators/matching/reference"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

var (
	seedFlag    = flag.Uint64("seed", 1, "the seed of the random configurations; 0 takes one from the clock")
	configsFlag = flag.Int("configs", 32, "how many random configurations to serve")
	allFlag     = flag.Bool("every-version", false, "serve each random configuration by every version, not by one of each proxy in turn")
	callsFlag   = flag.Int("calls", 400, "how many calls to make to each random configuration")
	onlyFlag    = flag.Int("config", -1, "serve only the random configuration of this number")
)

// shortConfigs is the most configurations of a short run, as make check is.
const shortConfigs = 8

// concurrency is how many calls of one configuration are under way at a time.
const concurrency = 16

// TestProperty serves random configurations on every proxy, each by one version of nginx and one of HAProxy unless it is told
// otherwise: who answers a random call is who the reference evaluator says. A failure is shown with the smallest configuration
// that still fails, and with the flags that repeat it.
func TestProperty(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d -configs %d -calls %d", seed, *configsFlag, *callsFlag)
	secret := harness.Secret("default", "certificate", harness.Certificate(t, "example.com"))
	backends := harness.NewBackends(t)
	proxies := harness.Proxies(t)
	configurations := map[string][]func() configuration{} // By the proxy.
	count := *configsFlag
	if testing.Short() && *onlyFlag < 0 {
		count = min(count, shortConfigs)
	}
	for number := range count {
		if *onlyFlag >= 0 && number != *onlyFlag {
			continue
		}
		// Whichever proxy comes to it first makes it for all.
		c := sync.OnceValue(func() configuration { return newConfiguration(t, seed, number, secret) })
		serving := harness.InTurn(proxies, number)
		if *allFlag || *onlyFlag >= 0 {
			serving = proxies
		}
		for _, proxy := range serving {
			configurations[proxy.String()] = append(configurations[proxy.String()], c)
		}
	}
	for _, proxy := range proxies {
		t.Run(proxy.String(), func(t *testing.T) {
			t.Parallel()
			p := property{proxy: proxy, backends: backends, secret: secret, ends: map[string]int{}, ask: askGRPC, want: expected}
			for _, c := range configurations[proxy.String()] {
				if p.check(t, c()); t.Failed() {
					return
				}
			}
			t.Logf("%d calls, none wrong; they ended so: %s", p.calls, p.summary())
		})
	}
}

// configuration is a random configuration with random calls to it.
type configuration struct {
	seed     uint64
	number   int
	objects  *objects
	snapshot *resources.Snapshot
	calls    []model.Call
}

func newConfiguration(t harness.T, seed uint64, number int, secret string) configuration {
	r := newRandom(seed, uint64(number))
	o := r.objects()
	c := configuration{seed: seed, number: number, objects: o, calls: make([]model.Call, *callsFlag)}
	for i := range c.calls {
		c.calls[i] = r.call(o)
	}
	c.snapshot = o.snapshot(t, secret)
	return c
}

// property checks random configurations on one proxy.
type property struct {
	proxy    harness.Proxy
	backends *harness.Backends
	secret   string
	// ask makes a call, maybe in several ways, and says who answered each; want are the answers that are right.
	ask  func(*harness.Served, model.Call) []string
	want func(model.Gateways, model.Call) []string
	// options are those that a configuration is served with, besides its own.
	options harness.Options

	mu    sync.Mutex
	calls int
	ends  map[string]int
}

// mismatch is a call that went wrong.
type mismatch struct {
	call      model.Call
	got, want string
}

func (p *property) check(t *testing.T, c configuration) {
	wrong := p.run(t, c.objects, c.snapshot, c.calls)
	if len(wrong) == 0 {
		return
	}
	t.Errorf("-seed %d -config %d: %d of %d calls went wrong", c.seed, c.number, len(wrong), len(c.calls))
	for _, m := range wrong[:min(len(wrong), 10)] {
		t.Logf("call: %+v\n got: %s\nwant: %s", m.call, m.got, m.want)
	}
	smaller, m := p.shrink(t, c.objects, wrong[0])
	t.Errorf("the smallest that fails:\n%s\ncall: %+v\n got: %s\nwant: %s", smaller.manifests(), m.call, m.got, m.want)
}

// run serves a snapshot, makes the calls and returns those that went wrong. What it starts, it stops.
func (p *property) run(t *testing.T, o *objects, snapshot *resources.Snapshot, calls []model.Call) []mismatch {
	scope := harness.NewScope(t)
	defer scope.End()
	options := p.options
	options.Backends, options.Endpoints, options.CrossServing = p.backends, o.endpoints(), o.crossServing()
	served := harness.Serve(scope, p.proxy, snapshot, options)
	var wrong []mismatch
	p.calling(calls, func(call model.Call) {
		want, answers := p.want(served.Model, call), p.ask(served, call)
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, got := range answers {
			p.calls++
			p.ends[kindOfEnd(got)]++
			if !slices.Contains(want, got) {
				wrong = append(wrong, mismatch{call, got, strings.Join(want, " or ")})
			}
		}
	})
	return wrong
}

// kindOfEnd is the answer of a call without what is different each time.
func kindOfEnd(answer string) string {
	switch first, _, _ := strings.Cut(answer, " "); {
	case strings.HasPrefix(answer, "r"):
		return "a backend"
	case len(first) == 3:
		return first
	}
	return answer
}

func (p *property) calling(calls []model.Call, do func(model.Call)) {
	queue := make(chan model.Call)
	var callers sync.WaitGroup
	for range concurrency {
		callers.Go(func() {
			for call := range queue {
				do(call)
			}
		})
	}
	for _, call := range calls {
		queue <- call
	}
	close(queue)
	callers.Wait()
}

func (p *property) summary() string {
	var ends []string
	for end, n := range p.ends {
		ends = append(ends, fmt.Sprintf("%s %d", end, n))
	}
	slices.Sort(ends)
	return strings.Join(ends, ", ")
}

// What a call can end with, beside the name of a Service.
const (
	noRule      = "Unimplemented"
	unavailable = "Unavailable"
	misdirected = "421"
	noHandshake = "no handshake"
	noListener  = "no listener"
)

// askGRPC makes a call as gRPC clients do.
func askGRPC(served *harness.Served, call model.Call) []string {
	return []string{answerGRPC(served, call)}
}

func answerGRPC(served *harness.Served, call model.Call) string {
	address := fmt.Sprintf("%s:%d", served.Address(call.Gateway), call.Port)
	c := harness.Call{Address: address, Authority: call.Authority, Path: call.Path, Metadata: metadata.MD{}}
	if protocol(served.Model, call) == model.HTTPS {
		c.TLS, c.Unverified, c.SNI = true, true, call.SNI
		if c.SNI == "" {
			c.SNI = "-"
		}
	}
	for _, h := range call.Headers {
		if h.Name != "content-type" {
			c.Metadata.Append(h.Name, h.Value)
		}
	}
	reply := served.Client.Do(c)
	switch {
	case reply.Code == codes.Unknown && strings.Contains(reply.Message, "421"):
		return misdirected
	case reply.Code == codes.Unavailable && strings.Contains(reply.Message, "authentication handshake failed"):
		return noHandshake
	case !reply.FromServer() && strings.Contains(reply.Message, "connection refused"):
		return noListener
	case c.TLS && reply.Code == codes.Unavailable && !reply.FromServer():
		// HAProxy ends the connection for such a name right behind the handshake, where it has a certificate
		// for names with any number of labels.
		return noHandshake
	case reply.Code == codes.OK, reply.Code == codes.Unimplemented, reply.Code == codes.Unavailable && reply.FromServer():
		return reply.Backend()
	}
	return fmt.Sprintf("%s: %s", reply.Code, reply.Message)
}

func protocol(m model.Gateways, call model.Call) model.Protocol {
	for _, g := range m.Gateways {
		for _, l := range g.Listeners {
			if g.Namespace+"/"+g.Name == call.Gateway && l.Port == call.Port {
				return l.Protocol
			}
		}
	}
	return ""
}

// expected are the answers that the reference evaluator allows.
func expected(m model.Gateways, call model.Call) []string {
	v := reference.Evaluate(m, call)
	switch {
	case v.NoPort:
		return []string{noListener}
	case v.Handshake:
		return []string{noHandshake}
	case v.Misdirected:
		return []string{misdirected}
	case v.Rule == nil:
		return []string{noRule}
	case v.Rule.Status != nil:
		return []string{codes.Code(v.Rule.Status.Code).String()}
	}
	var answers []string
	for _, b := range v.Rule.Backends {
		i := slices.IndexFunc(m.Clusters, func(c model.Cluster) bool { return c.Name == b.Cluster })
		switch {
		case b.Status != nil:
			answers = append(answers, codes.Code(b.Status.Code).String())
		case i < 0 || len(m.Clusters[i].Endpoints) == 0:
			answers = append(answers, unavailable)
		default:
			answers = append(answers, m.Clusters[i].Service)
		}
	}
	return answers
}

// shrink takes away whatever can go while the call still goes wrong.
func (p *property) shrink(t *testing.T, o *objects, m mismatch) (*objects, mismatch) {
	deadline := time.Now().Add(30 * time.Second)
	for again := true; again; {
		again = false
		for _, smaller := range o.smaller() {
			if time.Now().After(deadline) {
				return o, m
			}
			if wrong := p.run(t, smaller, smaller.snapshot(t, p.secret), []model.Call{m.call}); len(wrong) > 0 {
				o, m, again = smaller, wrong[0], true
				break
			}
		}
	}
	return o, m
}
