package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/test/harness"
)

// workloads are what the proxies are measured with. The number of Services tells what routing costs from what
// many backends cost.
var workloads = []struct{ rules, services int }{{10, 1}, {1000, 1}, {10000, 1}, {10, 10}, {1000, 1000}, {10000, 1000}}

// contender is a running proxy.
type contender struct {
	name    string
	process *harness.Process
	// call makes a call that a rule is for.
	call func(rule int) error
	// check is how long the proxy's own check takes.
	check time.Duration
	// spent is what a call cost in each round.
	spent []cost
}

// contest is several configurations for the same backends and the same calls: what of a call isn't routing,
// such as decoding headers that differ from call to call, then costs all the same. The first is by hand.
type contest struct {
	protocol   *protocol
	name       string
	contenders []*contender
	// rules are called in turns.
	rules []int
}

// measureProxies measures what the configurations cost the proxies.
func measureProxies(t *harness.Scope, proxies []harness.Proxy, s settings, protocols ...*protocol) {
	held := [][]string{{"proxy", "calls", "rules on Services", "configuration", "check", "worker's memory"}}
	spent := [][]string{{"proxy", "calls", "rules on Services", "configuration", "CPU a call", "by hand", "ratio", "middle half of ratios",
		"page faults a call", "by hand"}}
	for _, p := range proxies {
		scope := harness.NewScope(t)
		backends := harness.NewBackends(scope)
		var all []*contest
		for _, f := range protocols {
			for _, w := range workloads {
				if f.served(p) && (s.rules == 0 || s.rules == w.rules) && (s.services == 0 || s.services == w.services) {
					all = append(all, newContest(scope, p, f, backends, w.rules, w.services, s.templates))
				}
			}
		}
		for range s.rounds {
			for _, c := range all {
				c.round(scope, s.calls)
			}
		}
		for _, c := range all {
			for _, at := range c.contenders {
				held = append(held, []string{p.String(), c.protocol.name, c.name, at.name, milliseconds(at.check), megabytes(workerRSS(scope, at.process))})
			}
			for _, at := range c.contenders[1:] {
				spent = append(spent, append([]string{p.String(), c.protocol.name, c.name, at.name}, compare(at.spent, c.contenders[0].spent)...))
			}
		}
		scope.End()
	}
	table("What a configuration costs the proxy", held)
	table("CPU of the workers a call", spent)
}

func newContest(t harness.T, p harness.Proxy, f *protocol, backends *harness.Backends, rules, services int, templates string) *contest {
	snapshot := harness.Load(t, "", f.workload(rules, services))
	serve := func(name string, g generators.Options) *contender {
		served := harness.Serve(t, p, snapshot, harness.Options{Backends: backends, Generator: g})
		return &contender{name: name, process: served.Process, check: checkTime(t, p, served.Dir),
			call: f.client(t, served.Call("bench/gw/http").Address)}
	}
	c := &contest{protocol: f, name: fmt.Sprintf("%d on %d", rules, services)}
	rendered := serve("rendered", generators.Options{})

	h := handwork{proxy: p, protocol: f}
	for i := range services {
		name := backend(i, services)
		h.backends = append(h.backends, backendAt{name, backends.Address("bench/"+name, 0) + ":50051"})
	}
	for i := range rules {
		h.paths = append(h.paths, path{f.path(i), i % services})
	}
	c.contenders = append(c.contenders, startHand(t, h, "by hand", byHand), rendered)
	if p.Name == "haproxy" && services > 1 {
		c.contenders = append(c.contenders, startHand(t, h, "a line a rule", linear))
	}
	for dir := range strings.FieldsFuncSeq(templates, func(r rune) bool { return r == ',' }) {
		c.contenders = append(c.contenders, serve(filepath.Base(dir), generators.Options{Templates: os.DirFS(dir)}))
	}
	for range 2000 {
		c.rules = append(c.rules, rand.IntN(rules))
	}
	for _, at := range c.contenders {
		// Workers answer, have touched their memory, and have a connection to every backend.
		c.make(t, at, len(c.rules))
	}
	return c
}

// round makes calls to all contenders in turns, in an order that changes from round to round, so that a change
// of the machine's mood meets all of them.
func (c *contest) round(t harness.T, calls int) {
	order := slices.Clone(c.contenders)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, at := range order {
		c.make(t, at, 50) // Its connections and code are in the caches again.
		before := spentBy(t, at.process)
		c.make(t, at, calls)
		at.spent = append(at.spent, spentBy(t, at.process).since(before, calls))
	}
}

// make makes calls to one contender, several at a time.
func (c *contest) make(t harness.T, at *contender, calls int) {
	const callers = 16
	start := rand.IntN(len(c.rules))
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			for i := caller; i < calls; i += callers {
				if err := at.call(c.rules[(start+i)%len(c.rules)]); err != nil {
					t.Errorf("%s, %s, %s: %v", c.protocol.name, c.name, at.name, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// compare is a contender's part of the table: medians of all rounds, and the ratio to the hand-written
// configuration in the same round, for neighbours in time are alike.
func compare(these, byHand []cost) []string {
	var ratios []float64
	for i := range these {
		ratios = append(ratios, these[i].cpu/byHand[i].cpu)
	}
	slices.Sort(ratios)
	quarter := len(ratios) / 4
	return []string{
		microseconds(middle(these, cost.time)), microseconds(middle(byHand, cost.time)),
		fmt.Sprintf("%.2f", ratios[len(ratios)/2]), fmt.Sprintf("%.2f to %.2f", ratios[quarter], ratios[len(ratios)-1-quarter]),
		strconv.FormatFloat(middle(these, cost.pages), 'f', 2, 64), strconv.FormatFloat(middle(byHand, cost.pages), 'f', 2, 64),
	}
}

// checkTime is how long the proxy's own check of a folder takes.
func checkTime(t harness.T, p harness.Proxy, dir string) time.Duration {
	var all []time.Duration
	for range 5 {
		start := time.Now()
		if out, err := exec.Command(p.Binary, p.Check(dir)...).CombinedOutput(); err != nil {
			t.Fatalf("%s refuses the configuration in %s: %v\n%s", p, dir, err, out)
		}
		all = append(all, time.Since(start))
	}
	return median(all)
}
