// Command bench measures gatewright and the configurations that it renders, and prints tables:
//
//	go run ./test/bench                     all of it, an hour or more
//	go run ./test/bench -only calls         one part; -help names them
//	go run ./test/bench -templates DIR      more configurations beside the rendered one, by other templates
//
// Everything is compared within one run, for no two machines, and no two hours of one, are alike. It is test
// support: it may import everything.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gatewright/gatewright/test/cluster/isolated"
	"github.com/gatewright/gatewright/test/harness"
)

// sizes are the numbers of rules that are measured.
var sizes = []int{10, 1000, 10000}

// parts are what can be measured.
var parts = append([]string{"render", "generate", "calls", "requests", "balance", "changes", "hostile", "policies", "logs", "bridge"}, clustered...)

// clustered are the parts that need a cluster. It runs in a network namespace, so they need root.
var clustered = []string{"growth", "more", "footprint"}

// settings are what the flags say.
type settings struct {
	calls, rounds   int
	templates       string
	rules, services int
	proxies, parts  string
	others, callers string
	changes         int
	changeTime      time.Duration
	growth          int
	growthRounds    int
	more            int
	moreTime        time.Duration
	footprint       int
	foreign         int
	idle            time.Duration
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == relayMode {
		if err := serveRelay(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var s settings
	flag.IntVar(&s.calls, "calls", 1000, "calls of one round to one configuration")
	flag.IntVar(&s.rounds, "rounds", 25, "rounds, in each of which all configurations take turns")
	flag.IntVar(&s.rules, "rules", 0, "measure calls with this number of rules only; 0 for all")
	flag.IntVar(&s.services, "services", 0, "measure calls with this number of Services only; 0 for all")
	flag.StringVar(&s.templates, "templates", "", "folders of templates, with commas between, to render more configurations with, as "+
		"--templates takes one")
	flag.StringVar(&s.others, "others", "0,1000,3000", "the numbers of other routes that changes are measured with")
	flag.StringVar(&s.callers, "callers", "0,50", "the numbers of callers that make calls while changes are measured")
	flag.IntVar(&s.changes, "changes", 40, "the most changes of each kind")
	flag.DurationVar(&s.changeTime, "change-time", 15*time.Second, "how long changes of one kind may take")
	flag.IntVar(&s.growth, "growth", 1000, "GRPCRoutes that are created at once in a cluster")
	flag.IntVar(&s.growthRounds, "growth-rounds", 3, "how often they are, each time in a cluster of their own")
	flag.IntVar(&s.more, "more", 30, "the most changes of each kind in a cluster, beside each number of other routes")
	flag.DurationVar(&s.moreTime, "more-time", 3*time.Minute, "how long those of one kind may take")
	flag.IntVar(&s.footprint, "footprint", 5000, "GRPCRoutes, and Services, that memory and CPU of the controller are measured with")
	flag.IntVar(&s.foreign, "foreign", 1000, "routes of another class that change while the controller is idle")
	flag.DurationVar(&s.idle, "idle", 20*time.Second, "how long the controller is idle")
	flag.StringVar(&s.proxies, "proxy", "", "measure only proxies whose name, such as nginx-1.26.3, has this in it")
	flag.StringVar(&s.parts, "only", strings.Join(parts, ","), "the parts to measure")
	flag.Parse()
	if !slices.ContainsFunc(strings.Split(s.parts, ","), func(part string) bool { return slices.Contains(clustered, part) }) {
		os.Exit(s.measure())
	}
	os.Exit(isolated.Run(func() int {
		if err := isolated.AddLocal(siteNetwork); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return s.measure()
	}))
}

// measure measures what is asked for, and returns the program's exit code.
func (s settings) measure() int {
	t := &program{}
	scope := harness.NewScope(t)
	t.scope = scope
	fmt.Printf("%d CPUs, %s, %s/%s, load %s\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, load(t))
	var proxies []harness.Proxy
	for _, p := range harness.Proxies(scope) {
		if strings.Contains(p.String(), s.proxies) {
			proxies = append(proxies, p)
		}
	}
	if len(proxies) == 0 {
		t.Fatalf("no proxy has %q in its name", s.proxies)
	}
	measures := map[string]func(){
		"render":    func() { measureRender(scope, harness.Newest(proxies)) },
		"generate":  func() { measureGenerate(scope, harness.Newest(proxies)) },
		"calls":     func() { measureProxies(scope, proxies, s, gRPC) },
		"requests":  func() { measureProxies(scope, proxies, s, web...) },
		"balance":   func() { measureBalance(scope, harness.Newest(proxies), s) },
		"changes":   func() { measureChanges(scope, proxies, s) },
		"hostile":   func() { measureHostile(scope, proxies) },
		"policies":  func() { measurePolicies(scope, proxies) },
		"logs":      func() { measureAccessLog(scope, proxies, s) },
		"bridge":    func() { measureBridge(scope) },
		"growth":    func() { measureGrowth(scope, harness.Newest(proxies), s) },
		"more":      func() { measureMore(scope, harness.Newest(proxies), s) },
		"footprint": func() { measureFootprint(scope, harness.Newest(proxies), s) },
	}
	for part := range strings.SplitSeq(s.parts, ",") {
		measure := measures[part]
		if measure == nil {
			t.Fatalf("-only %s: there is no such part; use some of %s", part, strings.Join(parts, ", "))
		}
		measure()
	}
	fmt.Printf("\nload %s\n", load(t))
	scope.End()
	if t.failed {
		return 1
	}
	return 0
}

// load is how busy the machine has been in the last 1, 5 and 15 minutes.
func load(t harness.T) string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatalf("the machine's load: %v", err)
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// program is the harness's view of this program.
type program struct {
	scope  *harness.Scope
	failed bool
}

func (p *program) Helper()                 {}
func (p *program) Name() string            { return "bench" }
func (p *program) Failed() bool            { return p.failed }
func (p *program) Cleanup(func())          {}
func (p *program) Logf(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (p *program) Errorf(f string, a ...any) {
	p.failed = true
	p.Logf(f, a...)
}

func (p *program) Fatalf(f string, a ...any) {
	p.Errorf(f, a...)
	p.scope.End()
	os.Exit(1)
}

// table prints rows as a Markdown table, its columns as wide as what is in them.
func table(title string, rows [][]string) {
	fmt.Printf("\n### %s\n\n", title)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Printf("| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		fmt.Println("|")
		if n == 0 {
			for _, w := range widths {
				fmt.Printf("|%s", strings.Repeat("-", w+2))
			}
			fmt.Println("|")
		}
	}
}
